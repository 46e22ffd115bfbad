import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

import bittern
from bittern.base.address import Address
from bittern.io.nat import mapper
from bittern.io.nat.gateways import Gateway
from bittern.session import whereabouts
from tests.engine.nat.router import Router
from tests.io.nat.toy import GATEWAY, HOST, datagram_router, ear

from .nodes import beginning_at, routers
from .rig import album, settings, torrent, tracking


@asynccontextmanager
async def behind(router: Router, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Sessions find this router, though they listen on loopback; its address outside is of the whole world."""
    async with datagram_router(router) as port, ear(lambda _: None) as deaf:
        asks = partial(mapper.Mapper, port=port, place=Address(HOST, deaf))
        monkeypatch.setattr(whereabouts, "Mapper", asks)
        monkeypatch.setattr(whereabouts, "default_gateway", lambda **_: GATEWAY)
        monkeypatch.setattr("bittern.io.doors.Doors.local", property(lambda _: False))
        yield


async def until_mapped(session: bittern.Session) -> None:
    async with asyncio.timeout(10):
        while len(session.port_mappings) < 2:  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.01)


async def test_trackers_and_nodes_hear_of_the_port_of_the_router(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = album(tmp_path / "album")
    router, found = Router("pcp", taken=range(1, 65000)), set[int]()
    async with routers() as tables, behind(router, monkeypatch):
        with tracking() as tracker:
            meta = torrent(content, tracker.url)
            name = bytes(meta.info.wire_hash)
            async with bittern.Session(beginning_at(tables[0], tmp_path / "state", port_mapping=True)) as session:
                await session.add(meta, content.parent)
                await until_mapped(session)
                assert {lease.external_port for lease in session.port_mappings} == {65000}
                await asyncio.to_thread(tracker.wait_for, lambda announce: announce.port == 65000)
                async with asyncio.timeout(20):
                    while 65000 not in found:
                        await tables[1].find_peers(name, lambda peers: found.update(peer.port for peer in peers))
                        await asyncio.sleep(0.1)
        assert router.held == {}


async def test_a_router_is_not_asked_where_only_this_machine_is_listened_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(**_: object) -> Gateway:
        raise AssertionError

    monkeypatch.setattr(whereabouts, "default_gateway", never)
    async with bittern.Session(settings(tmp_path, port_mapping=True)) as session:
        await asyncio.sleep(0.1)
        assert session.port_mappings == ()


async def test_the_end_waits_for_a_silent_router_no_longer_than_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    router = Router("pcp")
    loop = asyncio.get_running_loop()
    async with behind(router, monkeypatch):
        async with bittern.Session(settings(tmp_path, port_mapping=True)) as session:
            await until_mapped(session)
            monkeypatch.setattr(Router, "answer", lambda *_: None)
            began = loop.time()
        assert loop.time() - began < 10.0  # it would be asked for ever
