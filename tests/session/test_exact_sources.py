"""The .torrent file where a link says it is: fetched, bounded, and believed only if it is the link's."""

import asyncio
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from math import inf
from pathlib import Path

import pytest

from bittern.codec.magnet import Magnet
from bittern.codec.metainfo import Metainfo
from bittern.io.http import HttpFetcher
from bittern.io.route import DIRECT
from bittern.session import exact_sources, sources
from bittern.session.events import TorrentFileFailed
from bittern.session.exact_sources import MOST_URLS, ExactSources
from bittern.session.session import Session
from bittern.session.status import State
from bittern.tools.create import Version
from tests.session.rig import PIECE, album, eventually, fill, settings, torrent
from tests.session.test_sources import serving

SECONDS = 20


class Asked:
    """Exact sources, and what they said of URLs that failed."""

    def __init__(self, link: Magnet | None) -> None:
        self.failures: list[tuple[str, str, float]] = []
        self._http = HttpFetcher("test", DIRECT)
        self._threads = ThreadPoolExecutor(1)
        self.sources = ExactSources(link, self._http, self._threads, lambda *said: self.failures.append(said))

    async def find(self, *, lasting: bool = False) -> Metainfo | None:
        try:
            return await asyncio.wait_for(self.sources.find(lambda: lasting), SECONDS)
        finally:
            await self._http.close()
            self._threads.shutdown()


@pytest.fixture
def meta(tmp_path: Path) -> Metainfo:
    return replace(torrent(fill(tmp_path / "a.bin", 3 * PIECE), "http://127.0.0.1:1/announce"), created_by=None)


def link_to(meta: Metainfo, *urls: str) -> Magnet:
    return Magnet(meta.info.info_hash_v1, meta.info.info_hash_v2, exact_sources=urls)


async def test_the_first_that_has_it_gives_it_once(meta: Metainfo) -> None:
    with serving({"/a.torrent": (200, meta.to_bytes())}) as url:
        asked = Asked(link_to(meta, "urn:sha1:abc", f"{url}/none.torrent", f"{url}/a.torrent", f"{url}/never.torrent"))
        assert asked.sources.urls[0] == f"{url}/none.torrent"
        assert await asked.find() == meta
        assert asked.failures == [(f"{url}/none.torrent", "the server answered with HTTP status 404", inf)]
        assert asked.sources.urls  # until what came is understood: there is a way to the metadata
        asked.sources.enough()
        assert asked.sources.urls == ()
        assert await asked.find() is None


async def test_the_file_of_another_torrent_is_never_asked_for_again(meta: Metainfo, tmp_path: Path) -> None:
    other = torrent(fill(tmp_path / "b.bin", PIECE, seed=2))
    with serving({"/b.torrent": (200, other.to_bytes())}) as url:
        asked = Asked(link_to(meta, f"{url}/b.torrent"))
        assert await asked.find(lasting=True) is None
        assert asked.failures == [(f"{url}/b.torrent", "it is the file of another torrent", inf)]


async def test_every_hash_of_the_link_must_be_the_files(tmp_path: Path) -> None:
    hybrid = torrent(album(tmp_path / "album"), version=Version.HYBRID)
    with serving({"/a.torrent": (200, hybrid.to_bytes())}) as url:
        good = link_to(hybrid, f"{url}/a.torrent")
        assert await Asked(good).find() is not None
        assert await Asked(replace(good, info_hash_v1=None)).find() is not None
        false = Magnet.parse(f"magnet:?xt=urn:btmh:1220{'ab' * 32}").info_hash_v2
        assert await Asked(replace(good, info_hash_v2=false)).find() is None


async def test_what_is_there_may_be_anything(meta: Metainfo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_TORRENT_BYTES", 1000)
    pages = {"/page.torrent": (200, b"\n <html>"), "/junk.torrent": (200, b"de"), "/long.torrent": (200, bytes(2000))}
    with serving(pages) as url:
        asked = Asked(link_to(meta, *[f"{url}{path}" for path in pages]))
        assert await asked.find() is None
    assert [reason for _, reason, _ in asked.failures] == [
        "there is a web page, not a .torrent file",
        "info: missing",
        "the answer is longer than 1000 bytes",
    ]


@pytest.mark.parametrize("path", ["/admin", "/a.torrent?reboot=1", "/"])
async def test_the_local_network_is_asked_for_torrent_files_only(meta: Metainfo, path: str) -> None:
    with serving({path: (200, meta.to_bytes())}) as url:
        asked = Asked(link_to(meta, f"{url}{path}"))
        assert await asked.find() is None
    assert "in the local network" in asked.failures[0][1]


async def test_those_that_failed_are_asked_again_each_time_twice_as_late(
    meta: Metainfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exact_sources, "FIRST_RETRY_SECONDS", 0.01)
    pages = {"/a.torrent": (503, b"")}
    with serving(pages) as url:
        asked = Asked(link_to(meta, f"{url}/a.torrent"))
        finding = asyncio.create_task(asked.find(lasting=True))
        await eventually(lambda: len(asked.failures) >= 3)
        pages["/a.torrent"] = (200, meta.to_bytes())
        assert await finding == meta
    assert [again for *_, again in asked.failures[:3]] == [0.01, 0.02, 0.04]


async def test_few_urls_count_and_a_torrent_has_none(meta: Metainfo, tmp_path: Path) -> None:
    assert len(Asked(link_to(meta, *[f"http://a/{n}.torrent" for n in range(9)])).sources.urls) == MOST_URLS
    assert Asked(None).sources.urls == ()
    async with Session(settings(tmp_path / "s")) as session:
        assert (await session.add(meta, tmp_path)).torrent_urls == ()
    async with Session(settings(tmp_path / "t", web_connections=0)) as session:
        assert (await session.add(link_to(meta, "http://127.0.0.1:1/a.torrent"), tmp_path / "x")).torrent_urls == ()


@pytest.mark.parametrize("version", [Version.V1, Version.V2, Version.HYBRID])
async def test_a_link_with_nothing_but_a_torrent_file_and_a_web_seed_completes(
    tmp_path: Path, version: Version
) -> None:
    content = album(tmp_path / "src" / "album")
    meta = torrent(content, version=version)
    files = {
        f"/{path.relative_to(tmp_path / 'src')}": path.read_bytes() for path in content.rglob("*") if path.is_file()
    }
    pages = {path: (200, body) for path, body in files.items()}
    with serving({**pages, "/album.torrent": (200, meta.to_bytes())}) as url:
        link = replace(link_to(meta, f"{url}/album.torrent"), web_seeds=(f"{url}/",))
        async with Session(settings(tmp_path / "s")) as session:
            got = await session.add(link.to_uri(), tmp_path / "dst")
            assert got.torrent_urls == (f"{url}/album.torrent",)
            await asyncio.wait_for(got.completed(), SECONDS)
            assert got.metainfo is not None
            assert Metainfo.from_bytes(got.metainfo.to_bytes()).info == meta.info
    for path, body in files.items():
        assert (tmp_path / "dst" / path[1:]).read_bytes() == body


async def test_trackers_and_web_seeds_of_the_file_are_used_too_also_in_the_next_run(tmp_path: Path) -> None:
    content = fill(tmp_path / "src" / "a.bin", 30 * PIECE)
    meta = torrent(content, "http://127.0.0.1:1/announce")
    pages = {"/src/a.bin": (200, content.read_bytes())}
    with serving(pages) as url:
        pages["/a.torrent"] = (200, replace(meta, web_seeds=(f"{url}/src/",)).to_bytes())
        link = link_to(meta, f"{url}/a.torrent").to_uri()
        async with Session(settings(tmp_path / "s", down_bytes_per_second=1e5)) as session:
            got = await session.add(link, tmp_path / "dst")
            await asyncio.wait_for(got.metadata(), SECONDS)
            await asyncio.wait_for(got.checked(), SECONDS)
            assert [tracker.url for tracker in got.trackers] == ["http://127.0.0.1:1/announce"]
            assert [seed.url for seed in got.web_seeds] == [f"{url}/src/"]
        async with Session(settings(tmp_path / "s")) as session:
            got = await session.add(link, tmp_path / "dst")
            await asyncio.wait_for(got.completed(), SECONDS)
    assert (tmp_path / "dst" / "a.bin").read_bytes() == content.read_bytes()


async def test_a_server_that_hangs_holds_up_neither_peers_nor_the_end(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "src" / "a.bin", 3 * PIECE))
    with socket.create_server(("127.0.0.1", 0)) as server:
        link = link_to(meta, f"http://127.0.0.1:{server.getsockname()[1]}/a.torrent")
        async with Session(settings(tmp_path / "a")) as seed:
            await (await seed.add(meta, tmp_path / "src")).completed()
            async with Session(settings(tmp_path / "b")) as leech:
                got = await leech.add(link, tmp_path / "dst", peers=[f"127.0.0.1:{seed.port}"])
                await asyncio.wait_for(got.completed(), SECONDS)
        began = time.monotonic()
        async with Session(settings(tmp_path / "c")) as alone:
            got = await alone.add(link, tmp_path / "none")
            await eventually(lambda: got.status.state is State.METADATA)
        assert time.monotonic() - began < 20


async def test_what_fails_is_an_event(meta: Metainfo, tmp_path: Path) -> None:
    with serving({}) as url:
        async with Session(settings(tmp_path / "s")) as session:
            got = await session.add(link_to(meta, f"{url}/a.torrent"), tmp_path / "dst")
            told = await asyncio.wait_for(anext(got.events(TorrentFileFailed)), SECONDS)
    assert told == TorrentFileFailed(f"{url}/a.torrent", "the server answered with HTTP status 404", 60.0)
