"""Moves between two file systems that really are two: nothing is pretended here."""

import asyncio
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from math import inf
from pathlib import Path

import pytest

from bittern.session import events
from bittern.session.session import Session
from bittern.session.status import State
from bittern.session.torrent import Torrent
from tests.faults.rigs.strace import killed_at, missing
from tests.interop.conftest import require
from tests.interop.rigs.process import Running
from tests.session.moves import files_below
from tests.session.rig import PIECE, album, eventually, fill, settings, torrent

SECONDS = 30


def reached(torrent: Torrent, count: int) -> bool:
    """Whether so many bytes came from others."""
    return torrent.status.downloaded >= count


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Path]:
    """A folder on another file system than `tmp_path`."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        require("there is no second file system")
    folder = Path(tempfile.mkdtemp(dir=memory))
    yield folder
    shutil.rmtree(folder)


async def test_a_seed_that_moves_to_another_file_system_serves_all_the_while(tmp_path: Path, other: Path) -> None:
    root = album(tmp_path / "src" / "album")
    fill(root / "large.bin", 600 * PIECE)
    before = files_below(tmp_path / "src")
    meta = torrent(root)
    slow = settings(tmp_path / "b", down_bytes_per_second=30 * PIECE)
    async with Session(settings(tmp_path / "a")) as seed, Session(slow) as leech:
        there = await seed.add(meta, tmp_path / "src")
        await there.completed()
        got = await leech.add(meta, tmp_path / "dst", peers=[f"127.0.0.1:{seed.port}"])
        await eventually(lambda: got.status.done_bytes > 0)
        drops = got.events(events.PeerDropped)
        for target in (other / "new", tmp_path / "back", other / "again"):
            await there.move_to(target)
            assert files_below(target) == before
            assert there.status.state is State.SEEDING
            more = got.status.downloaded + PIECE
            await eventually(partial(reached, got, more))
        assert not got.status.complete  # it was served the while
        leech.set_limits(down=inf)
        await asyncio.wait_for(got.completed(), SECONDS)
        assert [drop for drop in drops.take() if isinstance(drop, events.PeerDropped) and drop.offence] == []
    assert files_below(tmp_path / "dst") == before
    assert not list((tmp_path / "src").iterdir())


@pytest.mark.parametrize("call", ["fsync", "unlink"])
async def test_a_move_to_another_file_system_that_is_killed_goes_on(tmp_path: Path, other: Path, call: str) -> None:
    """As the copy is synced, and when it has its name and the source is still there."""
    require(missing())
    root = album(tmp_path / "old" / "album")
    (tmp_path / "t.torrent").write_bytes(torrent(root).to_bytes())
    before = files_below(tmp_path / "old")
    mover = [sys.executable, "-m", "tests.session.mover", str(tmp_path), "old", str(other / "new"), "same"]
    draft, source = other / "new" / "album" / ".one.bin.bittern-move", root / "one.bin"
    strace = killed_at(call, tmp_path / "strace.txt", draft if call == "fsync" else source)
    with Running([*strace, *mover], tmp_path / "log.txt") as job:
        assert job.wait(SECONDS) in (-signal.SIGKILL, 128 + signal.SIGKILL), (tmp_path / "log.txt").read_text()
    assert source.exists()
    assert (other / "new" / "album" / "one.bin").exists() == (call == "unlink")
    assert draft.exists() == (call == "fsync")
    with Running(mover, tmp_path / "log.txt") as job:
        assert job.wait(SECONDS) == 0, (tmp_path / "log.txt").read_text()
    assert files_below(other / "new") == before
    assert not list((tmp_path / "old").iterdir())
