"""Whole sessions through a proxy in this process."""

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest

from bittern.base.address import Address
from bittern.base.errors import NetworkError
from bittern.io import net
from bittern.session.session import Session
from bittern.wire.proxy.handshake import Endpoint
from bittern.wire.proxy.server import ProxyKind
from tests.io.proxies import Proxy, running
from tests.session.nodes import announced, routers
from tests.session.rig import fill, seeding, settings, torrent, tracking

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


async def test_who_seeds_through_a_proxy_is_found_in_the_table_and_reached_over_utp(tmp_path: Path) -> None:
    """Who downloads listens nowhere: it is the one who calls, at the port that the proxy has for the seed."""
    meta = torrent(fill(tmp_path / "elsewhere" / "a.bin", 100_000))
    async with running(Proxy()) as proxy, routers() as tables, asyncio.timeout(SECONDS):
        router = f"127.0.0.1:{tables[0].ports[False]}"
        through = settings(
            tmp_path / "s",
            proxy=f"socks5://{proxy.server.place}",
            listen=(),
            port=None,
            dht=True,
            dht_routers=(router,),
        )
        alone = settings(
            tmp_path / "l",
            anonymous=True,
            listen=(),
            source="127.0.0.1",
            dht=True,
            dht_routers=(router,),
            use_lsd=False,
        )
        async with Session(through) as seed, Session(alone) as other:
            await seed.add(meta, content=tmp_path / "elsewhere" / "a.bin", trust=True)
            await announced(tables)
            there = await other.add(meta, tmp_path / "copy")
            await there.completed()
            assert (seed.port, other.port) == (0, 0)


@pytest.mark.parametrize("anonymous", [True, False])
async def test_nothing_that_an_anonymous_session_says_tells_which_client_it_is(
    anonymous: bool,  # noqa: FBT001 - a parameter
    tmp_path: Path,
) -> None:
    """Heard at the proxy: all that goes to peers over TCP and uTP, a tracker, a web server and nodes of the table."""
    content = fill(tmp_path / "elsewhere" / "a.bin", 100_000)
    with tracking() as tracker, seeding(torrent(content), content.parent, tmp_path / "seed") as seed:
        meta = torrent(content, tracker.url)
        async with running(Proxy()) as proxy, routers() as tables, asyncio.timeout(SECONDS):
            shown = settings(
                tmp_path / "s",
                proxy=f"socks5://{proxy.server.place}",
                dht=True,
                dht_routers=(f"127.0.0.1:{tables[0].ports[False]}",),
                anonymous=anonymous,
                encryption_out="off",
                listen=(),
                port=None,
            )
            async with Session(shown) as session:
                with suppress(NetworkError):
                    await session.find(tracker.url.replace("announce", "a.torrent"))
                there = await session.add(meta, tmp_path / "copy", peers=[seed])
                await there.completed()
                await announced(tables)
            said = bytes(proxy.said)
    for word, part in ((b"GET /announce?info_hash", "tracker"), (b"BitTorrent protocol", "peer"), (b"1:q", "node")):
        assert word in said, f"the {part} was not heard"
    assert (b"ut_metadata" in said, b"yourip" in said) == (True, not anonymous)
    found = [word for word in (b"bittern", b"-BZ", b"1:v4:BZ", b"User-Agent", b"aiohttp") if word in said]
    assert found == ([] if anonymous else [b"bittern", b"-BZ", b"1:v4:BZ", b"User-Agent"])
