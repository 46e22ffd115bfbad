"""Downloads whose files are called `.part` until they are complete: begun, moved, found again, removed."""

import asyncio
from pathlib import Path

import pytest

from bittern.base.errors import StorageError
from bittern.session.session import Session
from bittern.session.status import State
from tests.session.rig import PIECE, album, eventually, fill, settings, torrent

SECONDS = 30


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def same(one: Path, other: Path) -> bool:
    return names(one) == names(other) and all((one / n).read_bytes() == (other / n).read_bytes() for n in names(one))


async def test_what_is_announced_as_complete_has_its_name(tmp_path: Path) -> None:
    meta = torrent(album(tmp_path / "src" / "album"))
    async with Session(settings(tmp_path / "a", up_bytes_per_second=200_000)) as seed:
        await (await seed.add(meta, tmp_path / "src")).completed()
        async with Session(settings(tmp_path / "b", part_suffix=True)) as leech:
            got = await leech.add(meta, tmp_path / "dst", peers=[f"127.0.0.1:{seed.port}"])
            await eventually(lambda: got.status.done_bytes > 0)
            assert "album/two/empty.txt" in names(tmp_path / "dst")
            half = [name for name in names(tmp_path / "dst") if name.endswith(".part")]
            assert half
            assert all(not (tmp_path / "dst" / name.removesuffix(".part")).exists() for name in half)
            await asyncio.wait_for(got.completed(), SECONDS)
            assert same(tmp_path / "src", tmp_path / "dst")


async def test_half_a_download_is_found_moved_and_completed_with_or_without_the_setting(tmp_path: Path) -> None:
    meta = torrent(album(tmp_path / "src" / "album"))
    async with Session(settings(tmp_path / "a", up_bytes_per_second=100_000)) as seed:
        await (await seed.add(meta, tmp_path / "src")).completed()
        peers = [f"127.0.0.1:{seed.port}"]
        async with Session(settings(tmp_path / "b", part_suffix=True)) as leech:
            got = await leech.add(meta, tmp_path / "dst", peers=peers)
            await eventually(lambda: got.status.done_bytes > PIECE)
        assert "album/one.bin.part" in names(tmp_path / "dst")
        async with Session(settings(tmp_path / "b")) as leech:
            got = await leech.add(meta, tmp_path / "dst", paused=True)
            await asyncio.wait_for(got.checked(), SECONDS)
            before = got.status.done_bytes
            assert before > PIECE
            await got.move_to(tmp_path / "new")
            assert "album/one.bin.part" in names(tmp_path / "new")
            assert not (tmp_path / "dst" / "album").exists()
            await got.rename_file(0, "uno.bin")
            assert "album/uno.bin.part" in names(tmp_path / "new")
            await got.rename_file(0, "one.bin")
            await got.recheck()
            assert got.status.done_bytes >= before
        async with Session(settings(tmp_path / "b")) as leech:
            got = await leech.add(meta, tmp_path / "new", peers=peers)
            await asyncio.wait_for(got.completed(), SECONDS)
            assert got.status.downloaded < meta.info.total_size + 4 * PIECE
    assert same(tmp_path / "src", tmp_path / "new")


async def test_removing_with_data_takes_half_a_file_and_no_other(tmp_path: Path) -> None:
    meta = torrent(album(tmp_path / "src" / "album"))
    async with Session(settings(tmp_path / "a", up_bytes_per_second=100_000)) as seed:
        await (await seed.add(meta, tmp_path / "src")).completed()
        for asleep in (False, True):
            changes = {"keep_torrents": True, "sleep_seconds": 0.0 if asleep else None}
            async with Session(settings(tmp_path / f"b{asleep}", part_suffix=True, **changes)) as leech:
                got = await leech.add(meta, tmp_path / "dst", peers=[f"127.0.0.1:{seed.port}"])
                await eventually(lambda: got.status.done_bytes > 0)  # noqa: B023 - called in this round
                await got.pause()
                if asleep:
                    await eventually(lambda: leech._entries[got.info_hash].life is None)  # noqa: B023 - likewise
                foreign = fill(tmp_path / "dst" / "album" / "two" / "empty.txt.part", 10)
                await leech.remove(got, delete_data=True)
            assert names(tmp_path / "dst") == ["album/two/empty.txt.part"]
            foreign.unlink()


async def test_a_file_that_takes_the_name_meanwhile_is_kept_and_so_is_the_download(tmp_path: Path) -> None:
    source = fill(tmp_path / "src" / "one.bin", 6 * PIECE)
    meta = torrent(source)
    async with Session(settings(tmp_path / "a", up_bytes_per_second=100_000)) as seed:
        await (await seed.add(meta, tmp_path / "src")).completed()
        async with Session(settings(tmp_path / "b", part_suffix=True)) as leech:
            got = await leech.add(meta, tmp_path / "dst", peers=[f"127.0.0.1:{seed.port}"])
            await eventually((tmp_path / "dst" / "one.bin.part").exists)
            mine = tmp_path / "dst" / "one.bin"
            mine.write_bytes(b"mine")
            with pytest.raises(StorageError) as failed:
                await asyncio.wait_for(got.completed(), SECONDS)
            assert failed.value.path == str(mine)
            assert got.status.state is State.FAILED
            assert mine.read_bytes() == b"mine"
            mine.unlink()
            await got.resume()
            await asyncio.wait_for(got.completed(), SECONDS)
    assert same(tmp_path / "src", tmp_path / "dst")


async def test_a_foreign_file_with_the_suffix_is_not_overwritten(tmp_path: Path) -> None:
    source = fill(tmp_path / "src" / "one.bin", 6 * PIECE)
    foreign = fill(tmp_path / "dst" / "one.bin.part", 2 * PIECE, seed=9)
    before = foreign.read_bytes()
    async with Session(settings(tmp_path / "b", part_suffix=True)) as leech:
        got = await leech.add(torrent(source), tmp_path / "dst")
        with pytest.raises(StorageError) as failed:
            await asyncio.wait_for(got.completed(), SECONDS)
    assert failed.value.kind is StorageError.Kind.EXISTS
    assert failed.value.path == str(foreign)
    assert foreign.read_bytes() == before
