"""Checks that end before they are done: by a close, by kill -9, by a pause. The next goes on where they were."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bittern.base.errors import StorageError
from bittern.codec.resume import Resume
from bittern.session import events
from bittern.session.session import Session
from bittern.session.status import State
from bittern.session.torrent import Torrent
from tests.session.rig import PIECE, eventually, fill, life_of, settings, torrent

SECONDS = 30
PIECES = 40
SLOW = 10 * PIECE
"""Bytes checked in a second, where a test needs time."""


async def noted(session: Session, there: Torrent) -> Resume:
    """What is kept of a check that goes on, when something is."""
    journal = life_of(session, there).journal
    while True:
        record = await journal.open()
        if record is not None and record.resume is not None:
            resume = Resume.decode(record.resume)
            if resume.unchecked:
                return resume
        await asyncio.sleep(0.01)


async def to_check(there: Torrent) -> int:
    """Bytes that a check begins with, once it is over; 0 where nothing needs one."""
    stream = there.events(events.CheckProgress)
    await asyncio.wait_for(there.checked(), SECONDS)
    first = stream.take()[:1]
    return first[0].total_bytes if first and isinstance(first[0], events.CheckProgress) else 0


async def test_a_check_goes_on_after_the_session_was_closed(tmp_path: Path) -> None:
    source = fill(tmp_path / "src" / "a.bin", PIECES * PIECE)
    meta = torrent(source)
    spoiled = bytearray(source.read_bytes())
    spoiled[0] ^= 1
    source.write_bytes(spoiled)
    async with Session(settings(tmp_path / "a", check_bytes_per_second=SLOW)) as session:
        there = await session.add(meta, tmp_path / "src")
        resume = await noted(session, there)
        assert there.status.state is State.CHECKING
        left = len(resume.to_check())
        assert 0 < left < PIECES
    async with Session(settings(tmp_path / "a")) as session:
        there = await session.add(meta, tmp_path / "src")
        assert 0 < await to_check(there) <= left * PIECE
        assert there.status.done_bytes == (PIECES - 1) * PIECE  # what the first part found wrong is not forgotten
    async with Session(settings(tmp_path / "a")) as session:
        assert not await to_check(await session.add(meta, tmp_path / "src"))


async def test_a_recheck_goes_on_and_what_changed_meanwhile_is_read_again(tmp_path: Path) -> None:
    source = fill(tmp_path / "src" / "a.bin", PIECES * PIECE)
    meta = torrent(source)
    async with Session(settings(tmp_path / "a")) as session:
        await (await session.add(meta, tmp_path / "src")).completed()
    for change in (False, True):
        async with Session(settings(tmp_path / "a", check_bytes_per_second=SLOW)) as session:
            there = await session.add(meta, tmp_path / "src")
            await asyncio.wait_for(there.completed(), SECONDS)
            checking = asyncio.ensure_future(there.recheck())
            await noted(session, there)
        await asyncio.gather(checking, return_exceptions=True)
        if change:
            with source.open("r+b") as file:
                file.write(b"\0")
        async with Session(settings(tmp_path / "a")) as session:
            there = await session.add(meta, tmp_path / "src")
            todo = await to_check(there)
            assert todo == PIECES * PIECE if change else 0 < todo < PIECES * PIECE
            assert there.status.complete != change


_CHILD = """
import asyncio, os, signal, sys
from pathlib import Path
from bittern.codec.metainfo import Metainfo
from bittern.session.session import Session
from bittern.session.settings import Settings

async def main(folder):
    slow = Settings(state_dir=folder / "a", listen=("127.0.0.1",), port=0, save_seconds=0.1,
                    check_bytes_per_second=int(sys.argv[2]))
    async with Session(slow) as session:
        there = await session.add(Metainfo.load(folder / "t.torrent"), folder / "src")
        while not there.status.check or there.status.check[0] < there.status.check[1] / 2:
            await asyncio.sleep(0.01)
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main(Path(sys.argv[1])))
"""


async def test_a_check_goes_on_after_a_kill(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "src" / "a.bin", PIECES * PIECE))
    (tmp_path / "t.torrent").write_bytes(meta.to_bytes())
    words = [sys.executable, "-c", _CHILD, str(tmp_path), str(SLOW)]
    killed = await asyncio.to_thread(subprocess.run, words, timeout=SECONDS, check=False)
    assert killed.returncode == -signal.SIGKILL
    async with Session(settings(tmp_path / "a")) as session:
        there = await session.add(meta, tmp_path / "src")
        assert 0 < await to_check(there) < 0.75 * PIECES * PIECE
        assert there.status.complete


async def test_a_foreign_file_is_none_of_ours_because_its_check_was_interrupted(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "src" / "a.bin", PIECES * PIECE))
    foreign = fill(tmp_path / "dst" / "a.bin", PIECES * PIECE, seed=9)
    before = foreign.read_bytes()
    async with Session(settings(tmp_path / "a", check_bytes_per_second=SLOW)) as session:
        there = await session.add(meta, tmp_path / "dst")
        assert not (await noted(session, there)).ours
    for _ in range(2):
        async with Session(settings(tmp_path / "a")) as session:
            there = await session.add(meta, tmp_path / "dst")
            with pytest.raises(StorageError) as failed:
                await asyncio.wait_for(there.checked(), SECONDS)
            assert failed.value.kind is StorageError.Kind.EXISTS
    assert foreign.read_bytes() == before


async def test_a_paused_check_lets_the_next_torrent_be_checked(tmp_path: Path) -> None:
    one, two = (torrent(fill(tmp_path / name / f"{name}.bin", PIECES * PIECE)) for name in ("one", "two"))
    async with Session(settings(tmp_path / "a", active_checks=1, check_bytes_per_second=4 * SLOW)) as session:
        first = await session.add(one, tmp_path / "one")
        await eventually(lambda: first.status.check is not None)
        second = await session.add(two, tmp_path / "two")
        await asyncio.sleep(0.05)
        assert second.status.check is None  # it waits
        await first.pause_check()
        await asyncio.wait_for(second.completed(), SECONDS)
        assert first.status.check_paused
        assert first.status.check is not None
        before = first.status.check[0]
        assert before < PIECES * PIECE
        await first.resume_check()
        await asyncio.wait_for(first.completed(), SECONDS)
