import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from bittern.base.errors import SessionError
from bittern.codec.magnet import Magnet
from bittern.codec.metainfo import Metainfo
from bittern.session.identity import Identity
from bittern.session.options import AddOptions
from bittern.session.session import Session
from bittern.session.status import State
from bittern.tools.create import Version
from tests.session.rig import PIECE, album, fill, settings, torrent

SECONDS = 30


def test_a_link_becomes_the_torrent_that_it_names(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "a.bin", PIECE), "http://127.0.0.1:1/a")
    link = Magnet(info_hash_v1=meta.info.info_hash_v1, trackers=("http://127.0.0.1:1/a",))
    identity = Identity(link, AddOptions(save_path=tmp_path, trackers=(("http://127.0.0.1:2/b",),)))
    assert (identity.info, identity.name) == (None, str(meta.info.wire_hash))
    assert identity.tiers == (("http://127.0.0.1:2/b",), ("http://127.0.0.1:1/a",))
    identity.learn(meta.info)
    assert (identity.info, identity.name, identity.info_hash) == (meta.info, "a.bin", meta.info.wire_hash)


async def test_metadata_must_fit_both_hashes_of_a_link(tmp_path: Path) -> None:
    meta = torrent(album(tmp_path / "src" / "album"))
    link = Magnet.parse(f"{meta.to_magnet().to_uri()}&xt=urn:btmh:1220{'ab' * 32}")
    async with Session(settings(tmp_path / "a")) as seed, Session(settings(tmp_path / "b")) as leech:
        await (await seed.add(meta, tmp_path / "src")).completed()
        got = await leech.add(link, tmp_path / "dst", peers=[f"127.0.0.1:{seed.port}"])
        with pytest.raises(SessionError, match="different torrents"):
            await asyncio.wait_for(got.metadata(), SECONDS)
        assert got.status.state is State.FAILED


async def test_a_link_may_select_files(tmp_path: Path) -> None:
    meta = torrent(album(tmp_path / "src" / "album"))
    link = Magnet.parse(f"{meta.to_magnet().to_uri()}&so=0,77")
    async with Session(settings(tmp_path / "a")) as seed, Session(settings(tmp_path / "b")) as leech:
        await (await seed.add(meta, tmp_path / "src")).completed()
        got = await leech.add(link, tmp_path / "dst", peers=[f"127.0.0.1:{seed.port}"])
        await asyncio.wait_for(got.completed(), SECONDS)
        assert got.status.total_bytes == 4 * PIECE
        # without pads the last of these pieces holds the beginning of other files
        assert got.status.downloaded == 4 * PIECE


async def test_who_chose_files_is_not_overruled_by_the_link(tmp_path: Path) -> None:
    meta = torrent(album(tmp_path / "src" / "album"))
    for select, so, expected in (([2], "0", [2]), (None, "0,77", [0]), (None, "77", None), (None, "1-2", [1, 2])):
        options = AddOptions(save_path=tmp_path, select=select)
        Identity(Magnet.parse(f"{meta.to_magnet().to_uri()}&so={so}"), options).learn(meta.info)
        assert options.select == expected


def test_a_torrent_file_adds_to_what_the_link_says(tmp_path: Path) -> None:
    meta = torrent(album(tmp_path / "album"), "http://127.0.0.1:1/a", version=Version.V2, piece_size=16384)
    meta = replace(meta, web_seeds=("http://a/", "http://b/"))
    link = Magnet(info_hash_v2=meta.info.info_hash_v2, trackers=("udp://127.0.0.1:2",), web_seeds=("http://b/",))
    identity = Identity(link, AddOptions(save_path=tmp_path))
    assert (identity.metainfo, identity.lacks_layers) == (None, False)
    identity.learn(meta.info)
    assert identity.lacks_layers
    identity.enrich(meta)
    assert not identity.lacks_layers
    made = identity.metainfo
    assert made is not None
    assert made.trackers == (("udp://127.0.0.1:2",), ("http://127.0.0.1:1/a",))
    assert made.web_seeds == ("http://b/", "http://a/")
    assert Metainfo.from_bytes(made.to_bytes()).piece_layers == meta.piece_layers
    assert Identity(meta, AddOptions(save_path=tmp_path)).metainfo is meta


def test_web_seeds_are_those_of_the_torrent_or_link(tmp_path: Path) -> None:
    meta = replace(torrent(fill(tmp_path / "a.bin", PIECE)), web_seeds=("http://a/", "ftp://b/"))
    options = AddOptions(save_path=tmp_path)
    assert Identity(meta, options).web_seeds == ("http://a/", "ftp://b/")
    assert Identity(Magnet.parse(meta.to_magnet().to_uri()), options).web_seeds == ("http://a/", "ftp://b/")
