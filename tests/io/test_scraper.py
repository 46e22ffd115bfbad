"""How large swarms are, asked over real sockets of this machine."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from bittern.base.errors import TrackerError
from bittern.base.ids import InfoHashV1
from bittern.codec.bencode import encode
from bittern.io import scraper as module
from bittern.io.route import DIRECT
from bittern.io.scraper import Scraper
from bittern.io.udp_ports import Ports
from bittern.wire.announce import ScrapeEntry
from bittern.wire.tracker_udp import (
    Connected,
    Refused,
    Reply,
    Request,
    Scrape,
    Scraped,
    encode_reply,
    parse_request,
)

HASHES = [InfoHashV1(bytes([number]) * 20) for number in range(100)]


class UdpSide(asyncio.DatagramProtocol):
    """Counts for each swarm the first byte of its hash; `answer` may say otherwise."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.answer: Callable[[Request], Reply | None] | None = None
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        request = parse_request(data)
        reply: Reply | None = Connected(request.transaction, 5)
        if isinstance(request, Scrape):
            self.asked.append(len(request.info_hashes))
            entries = tuple(ScrapeEntry(info_hash[0], 1, 2) for info_hash in request.info_hashes)
            reply = self.answer(request) if self.answer else Scraped(request.transaction, entries)
        if reply is not None:
            self.transport.sendto(encode_reply(reply), addr)

    @property
    def url(self) -> str:
        return f"udp://127.0.0.1:{self.transport.get_extra_info('sockname')[1]}/announce"


@pytest.fixture
async def udp() -> AsyncIterator[UdpSide]:
    loop = asyncio.get_running_loop()
    transport, side = await loop.create_datagram_endpoint(UdpSide, ("127.0.0.1", 0))
    yield side
    transport.close()


@pytest.fixture
async def scraper() -> AsyncIterator[Scraper]:
    one = Scraper("bittern/test", Ports(DIRECT))
    yield one
    await one.close()


async def test_a_udp_tracker_is_asked_for_74_at_a_time(udp: UdpSide, scraper: Scraper) -> None:
    found = await scraper.scrape(udp.url, HASHES)
    assert found == {info_hash: ScrapeEntry(info_hash[0], 1, 2) for info_hash in HASHES}
    assert udp.asked == [74, 26]


async def test_a_family_that_leads_nowhere_holds_nobody_up(
    udp: UdpSide, scraper: Scraper, monkeypatch: pytest.MonkeyPatch
) -> None:

    def answers(_: str, port: int, family: int, *__: object) -> list[tuple[object, ...]]:
        return [(family, 0, 0, "", ("::1" if family == socket.AF_INET6 else "127.0.0.1", port))]

    monkeypatch.setattr(module, "SECONDS", 300.0)
    monkeypatch.setattr(socket, "getaddrinfo", answers)
    port = udp.transport.get_extra_info("sockname")[1]
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as silent:
        silent.bind(("::1", port))
        async with asyncio.timeout(60):
            assert len(await scraper.scrape(f"udp://both.example:{port}/announce", HASHES[:1])) == 1


async def test_what_is_lost_over_udp_is_asked_again(
    udp: UdpSide, scraper: Scraper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RESEND_SECONDS", 0.05)
    udp.answer = lambda request: Scraped(request.transaction, (ScrapeEntry(1, 2, 3),)) if len(udp.asked) > 1 else None
    assert len(await scraper.scrape(udp.url, HASHES[:1])) == 1


async def test_what_a_udp_tracker_leaves_out_is_not_known(udp: UdpSide, scraper: Scraper) -> None:
    udp.answer = lambda request: Scraped(request.transaction, (ScrapeEntry(1, 2, 3),))
    assert await scraper.scrape(udp.url, HASHES[:3]) == {HASHES[0]: ScrapeEntry(1, 2, 3)}


async def test_a_refusal_is_an_error_in_its_words(udp: UdpSide, scraper: Scraper) -> None:
    udp.answer = lambda request: Refused(request.transaction, "not for you")
    with pytest.raises(TrackerError, match="not for you"):
        await scraper.scrape(udp.url, HASHES[:1])


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("udp://127.0.0.1:1/x", "local network"),
        ("udp://127.0.0.1", "not the URL"),
        ("http://127.0.0.1:1/announce", "127.0.0.1:1"),
        ("http://127.0.0.1:1/other", "no place to ask"),
    ],
)
async def test_what_can_not_be_asked_is_an_error(scraper: Scraper, url: str, reason: str) -> None:
    with pytest.raises(TrackerError, match=reason):
        await scraper.scrape(url, HASHES[:1])


@pytest.mark.parametrize(("status", "works"), [("200 OK", True), ("404 Not Found", False)])
async def test_an_http_tracker_tells_of_the_swarms_that_it_knows(
    scraper: Scraper,
    status: str,
    works: bool,  # noqa: FBT001 - a parameter
) -> None:
    asked: list[bytes] = []
    counts = {"complete": 5, "downloaded": 50, "incomplete": 10}
    body = encode({"files": {HASHES[0]: counts, HASHES[99]: counts}}) if works else b"<html>"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/announce"
    try:
        if works:
            assert await scraper.scrape(url, HASHES[:2]) == {HASHES[0]: ScrapeEntry(5, 50, 10)}
        else:
            with pytest.raises(TrackerError, match="HTTP status 404"):
                await scraper.scrape(url, HASHES[:2])
    finally:
        server.close()
        await server.wait_closed()
    assert asked[0].startswith(b"GET /scrape?info_hash=%00%00")


async def test_a_tracker_that_the_user_named_may_be_anywhere(udp: UdpSide, scraper: Scraper) -> None:
    url = udp.url + "?passkey=1"
    with pytest.raises(TrackerError, match="local network"):
        await scraper.scrape(url, HASHES[:1])
    assert len(await scraper.scrape(url, HASHES[:1], trusted=True)) == 1
