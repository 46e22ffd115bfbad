import asyncio
from urllib.parse import quote

from bittern.base.address import Address
from bittern.cli.demo_tracker import DemoTracker
from bittern.io.http import HttpFetcher
from bittern.wire.tracker_http import parse_announce_reply

HASH = bytes(range(20))


async def announce(tracker: DemoTracker, port: int, more: str = "left=1", info_hash: bytes = HASH) -> list[Address]:
    http = HttpFetcher("test")
    try:
        _, body = await http.fetch(f"{tracker.url}?info_hash={quote(info_hash)}&port={port}&{more}", 10_000, 5)
    finally:
        await http.close()
    return list(parse_announce_reply(body).peers)


async def test_peers_of_a_swarm_hear_of_each_other_until_they_leave() -> None:
    async with DemoTracker.running() as tracker:
        assert await announce(tracker, 1) == []
        assert await announce(tracker, 2) == [Address("127.0.0.1", 1)]
        assert await announce(tracker, 3, info_hash=bytes(20)) == []
        assert await announce(tracker, 1, "left=1&event=stopped") == [Address("127.0.0.1", 2)]
        assert await announce(tracker, 2) == []


async def test_it_notices_the_first_seed() -> None:
    async with DemoTracker.running() as tracker:
        await announce(tracker, 1)
        assert not tracker.seed_announced.is_set()
        await announce(tracker, 2, "left=0")
        assert tracker.seed_announced.is_set()


async def test_nonsense_is_refused_and_silence_is_survived() -> None:
    async with DemoTracker.running() as tracker:
        host, port = tracker.url.removeprefix("http://").removesuffix("/announce").split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.close()
        await writer.wait_closed()
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /announce HTTP/1.1\r\n\r\n")
        assert (await reader.read()).endswith(b"d14:failure reason15:not an announcee")
        writer.close()
        await writer.wait_closed()
