"""What a session finds on the disk, and what it does about what it does not find."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from bittern.base.errors import CheckCancelledError, StorageError
from bittern.session import events
from bittern.session.session import Session
from bittern.session.status import State
from bittern.tools.create import Version
from tests.session.rig import PIECE, album, eventually, fill, settings, torrent

SECONDS = 30


async def test_bytes_of_unwanted_files_are_parked_and_their_files_come_when_they_are_wanted(tmp_path: Path) -> None:
    meta = torrent(album(tmp_path / "src" / "album"))
    async with Session(settings(tmp_path / "a")) as seed:
        await (await seed.add(meta, tmp_path / "src")).completed()
        peers = [f"127.0.0.1:{seed.port}"]
        target = tmp_path / "dst"
        parts = target / f".{meta.info.wire_hash}.parts"
        async with Session(settings(tmp_path / "b")) as leech:
            got = await leech.add(meta, target, peers=peers, select=[1])
            await asyncio.wait_for(got.completed(), SECONDS)
            assert parts.exists()
            assert [path.name for path in (target / "album").rglob("*") if path.is_file()] == ["b.bin"]
        async with Session(settings(tmp_path / "b")) as leech:  # believed, without a look inside
            got = await leech.add(meta, target, select=[1])
            stream = got.events(events.CheckProgress)
            await asyncio.wait_for(got.completed(), SECONDS)
            assert stream.take() == []
        async with Session(settings(tmp_path / "b")) as leech:
            got = await leech.add(meta, target, peers=peers)
            await asyncio.wait_for(got.completed(), SECONDS)
            assert got.status.downloaded == meta.info.total_length  # nothing twice: the parked bytes were used
            assert not parts.exists()
    for path in (tmp_path / "src" / "album").rglob("*.bin"):
        assert (target / path.relative_to(tmp_path / "src")).read_bytes() == path.read_bytes()


async def test_a_file_that_becomes_wanted_while_it_runs_gets_what_was_parked(tmp_path: Path) -> None:
    meta = torrent(album(tmp_path / "src" / "album"))
    async with Session(settings(tmp_path / "a")) as seed, Session(settings(tmp_path / "b")) as leech:
        await (await seed.add(meta, tmp_path / "src")).completed()
        got = await leech.add(meta, tmp_path / "dst", peers=[f"127.0.0.1:{seed.port}"], select=[1])
        await asyncio.wait_for(got.completed(), SECONDS)
        assert not (tmp_path / "dst" / "album" / "one.bin").exists()
        got.set_file_priorities({0: 4, 2: 4, 3: 4})
        await asyncio.wait_for(got.completed(), SECONDS)
        assert got.status.downloaded == meta.info.total_length
        await eventually(lambda: not (tmp_path / "dst" / f".{meta.info.wire_hash}.parts").exists())
    for path in (tmp_path / "src" / "album").rglob("*.bin"):
        assert (tmp_path / "dst" / path.relative_to(tmp_path / "src")).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("version", [Version.V2, Version.HYBRID])
@pytest.mark.parametrize("damaged", [False, True])
async def test_files_that_are_there_are_checked_when_a_btmh_magnet_has_found_what_to_check_by(
    tmp_path: Path, version: Version, *, damaged: bool
) -> None:
    """Metadata and piece layers come from peers; of the content only what is not right is fetched (BEP 52)."""
    meta = torrent(album(tmp_path / "src" / "album"), version=version)
    album(tmp_path / "dst" / "album")
    if damaged:
        with (tmp_path / "dst" / "album" / "one.bin").open("r+b") as file:
            file.write(b"damaged")
    link = replace(meta.to_magnet(), info_hash_v1=None)
    async with Session(settings(tmp_path / "a")) as seed, Session(settings(tmp_path / "b")) as leech:
        await (await seed.add(meta, tmp_path / "src")).completed()
        got = await leech.add(link, tmp_path / "dst", peers=[f"127.0.0.1:{seed.port}"])
        await asyncio.wait_for(got.completed(), SECONDS)
        assert got.status.downloaded == (PIECE if damaged else 0)
    assert (tmp_path / "dst" / "album" / "one.bin").read_bytes() == (tmp_path / "src/album/one.bin").read_bytes()


@pytest.mark.parametrize("overwrite", [False, True])
async def test_foreign_files_in_the_place_of_a_btmh_magnets_are_refused_and_left_alone(
    tmp_path: Path, *, overwrite: bool
) -> None:
    meta = torrent(fill(tmp_path / "src" / "a.bin", 5 * PIECE), version=Version.V2)
    foreign = fill(tmp_path / "dst" / "a.bin", 5 * PIECE, seed=2).read_bytes()
    async with Session(settings(tmp_path / "a")) as seed, Session(settings(tmp_path / "b")) as leech:
        await (await seed.add(meta, tmp_path / "src")).completed()
        peers = [f"127.0.0.1:{seed.port}"]
        got = await leech.add(meta.to_magnet(), tmp_path / "dst", peers=peers, overwrite=overwrite)
        if overwrite:
            await asyncio.wait_for(got.completed(), SECONDS)
        else:
            await eventually(lambda: got.status.state is State.FAILED)
            assert isinstance(got.status.error, StorageError)
            assert got.status.error.kind is StorageError.Kind.EXISTS
            assert got.status.downloaded == 0
    assert ((tmp_path / "dst" / "a.bin").read_bytes() == foreign) == (not overwrite)


async def test_a_recheck_while_layers_are_sought_loses_nothing_and_a_pause_holds(tmp_path: Path) -> None:
    """Nobody has the layers at first."""
    meta = torrent(fill(tmp_path / "src" / "a.bin", 5 * PIECE), version=Version.V2)
    fill(tmp_path / "dst" / "a.bin", 5 * PIECE)
    bare = replace(meta, piece_layers={})
    async with Session(settings(tmp_path / "a")) as seed, Session(settings(tmp_path / "b")) as leech:
        got = await leech.add(bare, tmp_path / "dst")
        await eventually(lambda: got.status.state is State.METADATA)
        stream = got.events(events.StateChanged)
        again = asyncio.create_task(got.recheck())
        async for event in stream:
            if event == events.StateChanged(State.METADATA):
                break
        await got.pause()
        assert got.status.state is State.PAUSED
        await got.resume()
        await (await seed.add(meta, tmp_path / "src", peers=[f"127.0.0.1:{leech.port}"])).checked()
        await asyncio.wait_for(got.completed(), SECONDS)
        await asyncio.wait_for(again, SECONDS)
        assert got.status.downloaded == 0
        assert got.status.done_bytes == 5 * PIECE


async def test_a_part_file_that_changed_is_hashed_and_no_more(tmp_path: Path) -> None:
    meta = torrent(album(tmp_path / "src" / "album"))
    async with Session(settings(tmp_path / "a")) as seed:
        await (await seed.add(meta, tmp_path / "src")).completed()
        async with Session(settings(tmp_path / "b")) as leech:
            got = await leech.add(meta, tmp_path / "dst", peers=[f"127.0.0.1:{seed.port}"], select=[1])
            await asyncio.wait_for(got.completed(), SECONDS)
    with (tmp_path / "dst" / f".{meta.info.wire_hash}.parts").open("r+b") as file:
        file.write(b"\0" * 9)
    async with Session(settings(tmp_path / "b")) as leech:
        got = await leech.add(meta, tmp_path / "dst", select=[1], paused=True)
        await asyncio.wait_for(got.checked(), SECONDS)
        assert got.status.done_bytes == 0


async def _downloaded(meta: object, tmp_path: Path) -> None:
    async with Session(settings(tmp_path / "a")) as seed, Session(settings(tmp_path / "b")) as leech:
        await (await seed.add(meta, tmp_path / "src")).completed()  # type: ignore[arg-type]  # as torrent() gave it
        got = await leech.add(meta, tmp_path / "dst", peers=[f"127.0.0.1:{seed.port}"])  # type: ignore[arg-type]  # same
        await asyncio.wait_for(got.completed(), SECONDS)


async def test_files_that_are_gone_are_missed_and_not_fetched_again(tmp_path: Path) -> None:
    meta = torrent(album(tmp_path / "src" / "album"))
    await _downloaded(meta, tmp_path)
    gone, kept = tmp_path / "dst" / "album" / "one.bin", tmp_path / "kept"
    gone.rename(kept)
    async with (
        Session(settings(tmp_path / "a")) as seed,
        Session(settings(tmp_path / "b", retry_seconds=0.05)) as leech,
    ):
        await (await seed.add(meta, tmp_path / "src")).completed()
        got = await leech.add(meta, tmp_path / "dst", peers=[f"127.0.0.1:{seed.port}"])
        with pytest.raises(StorageError, match=r"one\.bin: was there when progress was saved") as caught:
            await asyncio.wait_for(got.completed(), SECONDS)
        assert caught.value.kind is StorageError.Kind.GONE
        assert (got.status.state, got.status.peers) == (State.MISSING_FILES, 0)
        assert not gone.exists()
        kept.rename(gone)  # it comes back: that is noticed, and believed
        stream = got.events(events.CheckProgress)
        await eventually(lambda: got.status.complete)
        assert (stream.take(), got.status.downloaded) == ([], meta.info.total_length)


async def test_a_recheck_accepts_that_files_are_gone(tmp_path: Path) -> None:
    meta = torrent(album(tmp_path / "src" / "album"))
    await _downloaded(meta, tmp_path)
    (tmp_path / "dst" / "album" / "one.bin").unlink()
    async with Session(settings(tmp_path / "a")) as seed, Session(settings(tmp_path / "b")) as leech:
        await (await seed.add(meta, tmp_path / "src")).completed()
        got = await leech.add(meta, tmp_path / "dst", peers=[f"127.0.0.1:{seed.port}"])
        await eventually(lambda: got.status.state is State.MISSING_FILES)
        await got.recheck()
        await asyncio.wait_for(got.completed(), SECONDS)
        again = 4 * PIECE  # the pieces that one.bin has bytes in
        assert got.status.downloaded == meta.info.total_length + again
    async with Session(settings(tmp_path / "b")) as leech:
        (tmp_path / "dst" / "album" / "one.bin").unlink()
        got = await leech.add(meta, tmp_path / "dst", recheck=True)
        await asyncio.wait_for(got.checked(), SECONDS)
        assert got.status.state is State.DOWNLOADING


async def test_an_empty_mount_is_missed_as_a_whole(tmp_path: Path) -> None:
    meta = torrent(album(tmp_path / "src" / "album"))
    await _downloaded(meta, tmp_path)
    (tmp_path / "dst").rename(tmp_path / "unmounted")
    async with Session(settings(tmp_path / "b")) as leech:
        got = await leech.add(meta, tmp_path / "dst")
        with pytest.raises(StorageError, match="and 2 more files"):
            await asyncio.wait_for(got.checked(), SECONDS)
    assert not (tmp_path / "dst").exists()


async def test_a_first_check_that_is_cancelled_leaves_the_torrent_to_the_user(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "src" / "a.bin", 20 * PIECE))
    async with Session(settings(tmp_path / "a", check_bytes_per_second=500_000)) as session:
        there = await session.add(meta, tmp_path / "src")
        await eventually(lambda: there.status.check is not None)
        await there.pause_check()
        assert there.status.check_paused
        await there.cancel_check()
        with pytest.raises(CheckCancelledError):
            await asyncio.wait_for(there.checked(), SECONDS)
        assert (there.status.state, there.status.check) == (State.FAILED, None)
        await there.resume()
        await asyncio.wait_for(there.completed(), SECONDS)


async def test_a_recheck_that_is_cancelled_changes_nothing(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "src" / "a.bin", 20 * PIECE))
    async with Session(settings(tmp_path / "a")) as session:
        await (await session.add(meta, tmp_path / "src")).completed()
    async with Session(settings(tmp_path / "a", check_bytes_per_second=100_000)) as session:
        there = await session.add(meta, tmp_path / "src")
        await asyncio.wait_for(there.completed(), SECONDS)
        checking = asyncio.ensure_future(there.recheck())
        await eventually(lambda: there.status.check is not None)
        await there.cancel_check()
        await asyncio.wait_for(checking, SECONDS)
        assert (there.status.state, there.status.complete) == (State.SEEDING, True)


async def test_no_file_may_be_run_unless_it_is_asked_for(tmp_path: Path) -> None:
    source = fill(tmp_path / "src" / "tool", 2 * PIECE)
    source.chmod(0o755)
    meta = torrent(source)
    async with Session(settings(tmp_path / "a")) as seed:
        await (await seed.add(meta, tmp_path / "src")).completed()
        for asked in (False, True):
            folder = tmp_path / f"dst{asked}"
            async with Session(settings(tmp_path / f"b{asked}", executable=asked)) as leech:
                got = await leech.add(meta, folder, peers=[f"127.0.0.1:{seed.port}"])
                await asyncio.wait_for(got.completed(), SECONDS)
            assert bool((folder / "tool").stat().st_mode & 0o111) == asked


async def test_room_is_set_aside_before_a_download(tmp_path: Path) -> None:
    source = fill(tmp_path / "src" / "tool", 20 * PIECE)
    meta = torrent(source)
    async with Session(settings(tmp_path / "a")) as seed:
        await (await seed.add(meta, tmp_path / "src")).completed()
        async with Session(settings(tmp_path / "b", preallocate=True)) as leech:
            got = await leech.add(meta, tmp_path / "dst", paused=True)
            await asyncio.wait_for(got.checked(), SECONDS)
            copy = tmp_path / "dst" / "tool"
            assert copy.stat().st_size == 20 * PIECE
        async with Session(settings(tmp_path / "b")) as leech:
            got = await leech.add(meta, tmp_path / "dst", peers=[f"127.0.0.1:{seed.port}"])
            await asyncio.wait_for(got.completed(), SECONDS)
    assert copy.read_bytes() == source.read_bytes()
