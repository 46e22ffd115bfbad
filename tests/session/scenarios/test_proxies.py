"""Whole sessions through a proxy in this process."""

import asyncio
from pathlib import Path

import pytest

from bittern.base.address import Address
from bittern.io import net
from bittern.session.session import Session
from bittern.wire.proxy.handshake import Endpoint
from bittern.wire.proxy.server import ProxyKind
from tests.io.proxies import Proxy, running
from tests.session.rig import fill, seeding, settings, torrent

SECONDS = 20


async def test_a_torrent_comes_through_each_kind_of_proxy(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "elsewhere" / "a.bin", 100_000))
    with seeding(meta, tmp_path / "elsewhere", tmp_path / "seed") as seed:
        for kind in ProxyKind:
            async with running(Proxy(kind, names={"seed.example": "127.0.0.1"})) as proxy:
                port = Address.parse(seed).port
                through = settings(tmp_path / kind.value, proxy=str(proxy.server), listen=(), port=None)
                async with Session(through) as session, asyncio.timeout(SECONDS):
                    there = await session.add(meta, tmp_path / kind.value, peers=[f"seed.example:{port}"])
                    await there.completed()
                assert Endpoint("seed.example", port) in proxy.asked
            assert (tmp_path / kind.value / "a.bin").read_bytes() == (tmp_path / "elsewhere" / "a.bin").read_bytes()


async def test_peers_are_dialed_as_soon_as_the_proxy_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That it was away is no fault of theirs: nobody waits as for a peer that failed."""
    monkeypatch.setattr(net, "PROXY_RETRY_SECONDS", 0.05)
    meta = torrent(fill(tmp_path / "elsewhere" / "a.bin", 100_000))
    with seeding(meta, tmp_path / "elsewhere", tmp_path / "seed") as seed:
        async with running(Proxy()) as proxy:
            place = proxy.server.place
        through = settings(tmp_path / "s", proxy=f"socks5://{place}", utp=False)
        async with Session(through) as session, asyncio.timeout(SECONDS):
            there = await session.add(meta, tmp_path, peers=[seed])
            await asyncio.sleep(0.3)
            assert not there.status.complete
            async with running(Proxy(), place.port):
                await there.completed()
