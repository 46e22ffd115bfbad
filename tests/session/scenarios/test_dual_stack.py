"""A tracker with addresses of both families hears of us by both, and its peers of both are known (BEP 7, BEP 15)."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from bittern.base.address import Address
from bittern.session.session import Session
from bittern.wire.announce import AnnounceReply, Event
from bittern.wire.tracker_udp import Announce, Announced, Connect, Connected, encode_reply, parse_request
from tests.session.rig import eventually, fill, settings, torrent


class Side(asyncio.DatagramProtocol):
    """One family of a UDP tracker; it names one peer."""

    def __init__(self, peer: Address) -> None:
        self.peer = peer
        self.announces: list[Announce] = []
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        request = parse_request(data)
        if isinstance(request, Connect):
            self.transport.sendto(encode_reply(Connected(request.transaction, 9)), addr)
        elif isinstance(request, Announce):
            self.announces.append(request)
            reply = Announced(request.transaction, AnnounceReply(1800, None, (self.peer,), 1, 1))
            self.transport.sendto(encode_reply(reply), addr)


def bound(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        pytest.skip(f"{host}: {error}")
    return sock


async def test_both_families_are_announced_to_at_once_with_one_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    look_up = socket.getaddrinfo

    def both(host: str, port: Any, family: int = 0, *more: Any, **kwargs: Any) -> Any:
        here = "::1" if family == socket.AF_INET6 else "127.0.0.1"
        return look_up(here if host == "tracker.example" else host, port, family, *more, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", both)
    four_sock = bound(socket.AF_INET, "127.0.0.1", 0)
    port = four_sock.getsockname()[1]
    six_sock = bound(socket.AF_INET6, "::1", port)
    _, four = await loop.create_datagram_endpoint(lambda: Side(Address("10.255.0.1", 7)), sock=four_sock)
    _, six = await loop.create_datagram_endpoint(lambda: Side(Address("2001:db8::7", 7)), sock=six_sock)
    meta = torrent(fill(tmp_path / "elsewhere" / "a.bin", 1000), f"udp://tracker.example:{port}/announce?passkey=1")
    tracker = meta.trackers[0][0]
    async with Session(settings(tmp_path / "s", listen=("127.0.0.1", "::1"))) as session:
        there = await session.add(meta, tmp_path, trackers=[[tracker]])
        await eventually(lambda: there.status.known_peers == 2)
        assert [told.failures for told in there.trackers][:1] == [0]
    for side in (four, six):
        assert [announce.request.event for announce in side.announces] == [Event.STARTED, Event.STOPPED]
        assert {announce.url_data for announce in side.announces} == {b"/announce?passkey=1"}
    assert len({announce.request.key for side in (four, six) for announce in side.announces}) == 1
    four.transport.close()
    six.transport.close()
