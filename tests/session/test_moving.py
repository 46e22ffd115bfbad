"""A torrent's files move while it is seeded, and after any interruption they are all there."""

import asyncio
import errno
import os
from pathlib import Path
from random import Random

import pytest

from bittern.base.errors import MoveCancelledError, SessionError, StorageError
from bittern.io.disk import moving as disk
from bittern.session import events
from bittern.session.session import Session
from bittern.session.status import State
from tests.io.disk.elsewhere import part_folders
from tests.session.moves import Moves, files_below
from tests.session.rig import PIECE, album, eventually, fill, settings, torrent

SECONDS = 30
KILLS = 3  # `make drill` does more


@pytest.mark.parametrize("other", [False, True], ids=["same file system", "other file system"])
async def test_a_seed_moves_and_goes_on_seeding(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    other: bool,  # noqa: FBT001 - a case
) -> None:
    meta = torrent(album(tmp_path / "src" / "album"))
    before = files_below(tmp_path / "src")
    if other:
        part_folders(monkeypatch)
    async with Session(settings(tmp_path / "a")) as seed, Session(settings(tmp_path / "b")) as leech:
        there = await seed.add(meta, tmp_path / "src")
        await there.completed()
        stream = there.events(events.Moved, events.StateChanged)
        await there.move_to(tmp_path / "new" / "home")
        assert stream.take() == [events.Moved(tmp_path / "new" / "home" / "album")]
        assert there.path == tmp_path / "new" / "home" / "album"
        assert (there.status.state, there.status.move) == (State.SEEDING, None)
        assert files_below(tmp_path / "new" / "home") == before
        assert not (tmp_path / "src" / "album").exists()
        got = await leech.add(meta, tmp_path / "dst", peers=[f"127.0.0.1:{seed.port}"])
        await asyncio.wait_for(got.completed(), SECONDS)
    async with Session(settings(tmp_path / "a")) as seed:  # believed in its new place
        there = await seed.add(meta, tmp_path / "new" / "home")
        stream = there.events(events.CheckProgress)
        await there.completed()
        assert stream.take() == []


async def test_a_torrent_that_is_kept_is_found_where_it_moved(tmp_path: Path) -> None:
    meta = torrent(album(tmp_path / "src" / "album"))
    before = files_below(tmp_path / "src" / "album")
    async with Session(settings(tmp_path / "a", keep_torrents=True)) as seed:
        there = await seed.add(meta, tmp_path / "src")
        await there.completed()
        await there.move_to(tmp_path / "new")
        await there.rename("tape")
    async with Session(settings(tmp_path / "a", keep_torrents=True)) as seed:
        (there,) = seed.torrents
        stream = there.events(events.CheckProgress)
        await there.completed()
        await there.move_to(tmp_path / "newer")
        assert (there.path, stream.take()) == (tmp_path / "newer" / "tape", [])
        assert files_below(tmp_path / "newer" / "tape") == before
    async with Session(settings(tmp_path / "a", keep_torrents=True)) as seed:
        await seed.remove(seed.torrents[0], delete_data=True)
    assert not list((tmp_path / "newer").iterdir())


async def test_a_download_waits_for_its_move_and_goes_on(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "src" / "a.bin", 60 * PIECE))
    async with (
        Session(settings(tmp_path / "a", up_bytes_per_second=1_500_000)) as seed,
        Session(settings(tmp_path / "b")) as leech,
    ):
        await (await seed.add(meta, tmp_path / "src")).completed()
        got = await leech.add(meta, tmp_path / "dst", peers=[f"127.0.0.1:{seed.port}"])
        await eventually(lambda: got.status.done_bytes > 5 * PIECE)
        stream = got.events(events.StateChanged)
        await got.move_to(tmp_path / "moved")
        assert [event.state for event in stream.take() if isinstance(event, events.StateChanged)] == [
            State.MOVING,
            State.DOWNLOADING,
        ]
        await asyncio.wait_for(got.completed(), SECONDS)
        assert not list((tmp_path / "dst").iterdir())
        assert (tmp_path / "moved" / "a.bin").read_bytes() == (tmp_path / "src" / "a.bin").read_bytes()
        assert got.status.downloaded < meta.info.total_length + 20 * PIECE


async def test_the_part_file_moves_too(tmp_path: Path) -> None:
    meta = torrent(album(tmp_path / "src" / "album"))
    async with Session(settings(tmp_path / "a")) as seed, Session(settings(tmp_path / "b")) as leech:
        await (await seed.add(meta, tmp_path / "src")).completed()
        got = await leech.add(meta, tmp_path / "dst", peers=[f"127.0.0.1:{seed.port}"], select=[1])
        await asyncio.wait_for(got.completed(), SECONDS)
        await got.move_to(tmp_path / "moved")
        assert sorted(files_below(tmp_path / "moved")) == [f".{meta.info.wire_hash}.parts", "album/two/b.bin"]
        await got.recheck()
        assert got.status.complete


async def test_files_and_roots_are_renamed_and_the_next_run_finds_them(tmp_path: Path) -> None:
    meta = torrent(album(tmp_path / "src" / "album"))
    async with Session(settings(tmp_path / "a")) as seed:
        there = await seed.add(meta, tmp_path / "src")
        await there.completed()
        index = ["/".join(file.path) for file in there.files].index("two/b.bin")
        await there.rename_file(index, "three/renamed.bin")
        await there.rename("tape")
        assert there.path == tmp_path / "src" / "tape"
        assert sorted(files_below(tmp_path / "src" / "tape")) == [
            "one.bin",
            "three/renamed.bin",
            "two/c.bin",
            "two/empty.txt",
        ]
        with pytest.raises(SessionError, match="no file 9"):
            await there.rename_file(8, "x")
        with pytest.raises(SessionError, match="cannot be the name"):
            await there.rename("../up")
        assert there.status.state is State.SEEDING
    async with Session(settings(tmp_path / "a")) as seed:
        there = await seed.add(meta, tmp_path / "src")
        stream = there.events(events.CheckProgress)
        await there.completed()
        assert (there.path, stream.take()) == (tmp_path / "src" / "tape", [])
        await seed.remove(there, delete_data=True)
    assert not list((tmp_path / "src").iterdir())


async def test_what_is_in_the_way_is_told_and_nothing_has_moved(tmp_path: Path) -> None:
    meta = torrent(album(tmp_path / "src" / "album"))
    before = files_below(tmp_path / "src")
    fill(tmp_path / "new" / "album" / "two" / "c.bin", 5)
    async with Session(settings(tmp_path / "a")) as seed:
        there = await seed.add(meta, tmp_path / "src")
        await there.completed()
        with pytest.raises(StorageError) as caught:
            await there.move_to(tmp_path / "new")
        assert caught.value.kind is StorageError.Kind.EXISTS
        assert (there.status.state, files_below(tmp_path / "src")) == (State.SEEDING, before)
        assert len(files_below(tmp_path / "new")) == 1


async def test_a_move_that_can_not_be_locked_is_refused_and_the_torrent_goes_on(tmp_path: Path) -> None:
    meta = torrent(album(tmp_path / "src" / "album"))
    async with Session(settings(tmp_path / "a")) as session:
        there = await session.add(meta, tmp_path / "src")
        await there.completed()
        (tmp_path / "a" / "locks").rename(tmp_path / "a" / "away")
        (tmp_path / "a" / "locks").touch()
        with pytest.raises(StorageError, match="locks"):
            await there.move_to(tmp_path / "new")
        assert (there.path, there.status.state) == (tmp_path / "src" / "album", State.SEEDING)


async def test_what_fails_midway_or_is_cancelled_goes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    meta = torrent(album(tmp_path / "src" / "album"))
    before = files_below(tmp_path / "src")
    part_folders(monkeypatch)
    real = disk._copy
    async with Session(settings(tmp_path / "a")) as seed:
        there = await seed.add(meta, tmp_path / "src")
        await there.completed()

        def full(source: str, draft: str, *rest: object) -> None:
            if "c.bin" in source and "src" in source:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), draft)
            real(source, draft, *rest)  # type: ignore[arg-type]  # handed through

        monkeypatch.setattr(disk, "_copy", full)
        with pytest.raises(StorageError) as caught:
            await there.move_to(tmp_path / "new")
        assert caught.value.kind is StorageError.Kind.DISK_FULL

        def cancelled(source: str, *rest: object) -> None:
            if "c.bin" in source and "src" in source:
                assert there._life is not None
                there._life.mover.cancel()
            real(source, *rest)  # type: ignore[arg-type]  # handed through

        monkeypatch.setattr(disk, "_copy", cancelled)
        with pytest.raises(MoveCancelledError):
            await there.move_to(tmp_path / "new")
        assert (there.status.state, files_below(tmp_path / "src")) == (State.SEEDING, before)
        assert files_below(tmp_path / "new") == {}
        monkeypatch.setattr(disk, "_copy", real)
        await there.move_to(tmp_path / "new")
        assert files_below(tmp_path / "new") == before


@pytest.mark.parametrize("place", ["src", "new"])
async def test_a_session_that_ends_in_a_move_leaves_it_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    meta = torrent(album(tmp_path / "src" / "album"))
    before = files_below(tmp_path / "src")
    part_folders(monkeypatch)
    real, entered = disk._copy, asyncio.Event()
    loop = asyncio.get_running_loop()
    async with Session(settings(tmp_path / "a")) as seed:
        there = await seed.add(meta, tmp_path / "src")
        await there.completed()

        def slow(source: str, draft: str, stop: object, progress: object) -> None:
            if "c.bin" in source:
                loop.call_soon_threadsafe(entered.set)
                stop.wait(SECONDS)  # type: ignore[attr-defined]  # an Event
            real(source, draft, stop, progress)  # type: ignore[arg-type]  # handed through

        monkeypatch.setattr(disk, "_copy", slow)
        moving = asyncio.ensure_future(there.move_to(tmp_path / "new"))
        await entered.wait()
        with pytest.raises(SessionError, match="moved"):
            await there.recheck()
        with pytest.raises(SessionError, match="moved already"):
            await there.move_to(tmp_path / "other")
    with pytest.raises(asyncio.CancelledError):
        await moving
    assert files_below(tmp_path / "new")
    assert files_below(tmp_path / "src")
    monkeypatch.setattr(disk, "_copy", real)
    async with Session(settings(tmp_path / "a")) as seed:
        there = await seed.add(meta, tmp_path / place)
        stream = there.events(events.CheckProgress)
        await there.completed()
        assert stream.take() == []
        assert there.path == tmp_path / "new" / "album"
    assert files_below(tmp_path / "new") == before
    assert not (tmp_path / "src" / "album").exists()


def test_a_move_that_is_killed_at_any_moment_loses_no_byte(tmp_path: Path) -> None:
    """Real processes, real SIGKILLs, at random moments of moves to and fro; each next start goes on."""
    hits = list(Moves(tmp_path, Random(4)).kill(KILLS))
    assert len(hits) == KILLS
    assert any(hit.old_bytes for hit in hits)


async def test_the_path_of_a_renamed_torrent_is_known_while_it_sleeps(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "a.bin", PIECE))
    kept = settings(tmp_path / "state", keep_torrents=True)
    async with Session(kept) as session:
        there = await session.add(meta, tmp_path)
        await there.completed()
        await there.rename("b.bin")
    async with Session(kept) as session:
        [there] = session.torrents
        assert there.path == tmp_path / "b.bin"
