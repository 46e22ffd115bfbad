"""Add, look at the files, choose, and only then let data flow."""

import asyncio
from pathlib import Path

import pytest

from bittern.base.errors import SessionError
from bittern.codec.magnet import Magnet
from bittern.codec.metainfo import Metainfo
from bittern.session.session import Session
from bittern.session.status import State
from bittern.session.torrent import Torrent
from bittern.tools.create import Version
from tests.session.rig import album, eventually, settings, torrent

SECONDS = 30
VERSIONS = [Version.V1, Version.V2, Version.HYBRID]


def link_to(meta: Metainfo) -> Magnet:
    return Magnet(meta.info.info_hash_v1, meta.info.info_hash_v2)


async def ready(got: Torrent) -> None:
    """Until the metadata is there, and all that belongs to it."""
    await asyncio.wait_for(got.metadata(), SECONDS)
    await eventually(lambda: got.status.state is State.PAUSED)


@pytest.mark.parametrize("version", VERSIONS)
async def test_files_of_a_link_are_chosen_before_data_flows(tmp_path: Path, version: Version) -> None:
    meta = torrent(album(tmp_path / "src" / "album"), version=version, piece_size=16384)
    async with Session(settings(tmp_path / "a")) as seed, Session(settings(tmp_path / "b")) as leech:
        there = await seed.add(meta, tmp_path / "src")
        await there.completed()
        address = f"127.0.0.1:{seed.port}"
        got = await leech.add(link_to(meta), tmp_path / "dst", peers=[address], metadata_only=True)
        assert got.metainfo is None
        await ready(got)
        names = [file.path[-1] for file in got.files]
        assert (there.status.uploaded, got.status.downloaded) == (0, 0)
        assert not (tmp_path / "dst").exists()
        assert got.metainfo is not None
        assert Metainfo.from_bytes(got.metainfo.to_bytes()).info == meta.info
        assert got.metainfo.piece_layers == meta.piece_layers
        assert got.status.total_bytes == sum(file.length for file in got.files)
        got.select_files([names.index("c.bin")])
        assert got.status.total_bytes == 70_001
        await got.resume()
        await asyncio.wait_for(got.completed(), SECONDS)
        assert got.status.total_bytes >= 70_001
        found = {path.name: path.read_bytes() for path in (tmp_path / "dst").rglob("*.bin")}
        assert found == {"c.bin": (tmp_path / "src" / "album" / "two" / "c.bin").read_bytes()}
        got.select_files(None)
        await eventually(lambda: not got.status.complete)
        await asyncio.wait_for(got.completed(), SECONDS)
        await eventually(lambda: len(list((tmp_path / "dst").rglob("*.bin"))) == 3)


async def test_of_a_torrent_the_files_are_known_at_once(tmp_path: Path) -> None:
    meta = torrent(album(tmp_path / "src" / "album"))
    async with Session(settings(tmp_path / "s")) as session:
        got = await session.add(meta, tmp_path / "dst", metadata_only=True)
        await ready(got)
        assert not (tmp_path / "dst").exists()
        with pytest.raises(SessionError, match="cannot be moved now"):
            await got.move_to(tmp_path / "elsewhere")
        with pytest.raises(SessionError, match="there are 4 files"):
            got.select_files([4])
        got.select_files([])
        await got.resume()
        await asyncio.wait_for(got.completed(), SECONDS)
        assert (got.status.state, got.status.total_bytes) == (State.SEEDING, 0)


async def test_what_is_there_counts_when_it_is_resumed(tmp_path: Path) -> None:
    meta = torrent(album(tmp_path / "src" / "album"))
    async with Session(settings(tmp_path / "s")) as session:
        got = await session.add(meta, tmp_path / "src", metadata_only=True)
        await ready(got)
        assert got.status.done_bytes == 0
        await got.resume()
        await asyncio.wait_for(got.completed(), SECONDS)


async def test_a_link_that_is_resumed_early_waits_for_nobody(tmp_path: Path) -> None:
    """Also while piece layers are on their way: who has the metadata may begin."""
    meta = torrent(album(tmp_path / "src" / "album"), version=Version.V2, piece_size=16384)
    for pause in (0, 0.05, 0.1, 0.2):
        async with Session(settings(tmp_path / "a")) as seed, Session(settings(tmp_path / f"b{pause}")) as leech:
            await (await seed.add(meta, tmp_path / "src")).completed()
            into = tmp_path / f"dst{pause}"
            peers = [f"127.0.0.1:{seed.port}"]
            got = await leech.add(link_to(meta), into, peers=peers, metadata_only=True)
            if pause:
                await asyncio.sleep(pause)
            await got.resume()
            await asyncio.wait_for(got.completed(), SECONDS)
            assert (into / "album" / "one.bin").read_bytes() == (tmp_path / "src" / "album" / "one.bin").read_bytes()


async def test_a_pause_meanwhile_is_a_pause(tmp_path: Path) -> None:
    meta = torrent(album(tmp_path / "src" / "album"))
    async with Session(settings(tmp_path / "s")) as session:
        got = await session.add(link_to(meta), tmp_path / "dst", metadata_only=True)
        await eventually(lambda: got.status.state is State.METADATA)
        await got.pause()
        assert got.status.state is State.PAUSED
        await got.resume()
        await eventually(lambda: got.status.state is State.METADATA)
