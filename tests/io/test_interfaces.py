import asyncio
import socket
import struct

from hypothesis import given
from hypothesis import strategies as st

from bittern.io.interfaces import Interface, InterfaceWatch, interfaces, parse

UP, DOWN = 0x41, 0x1  # up and running; up, and connected to nothing


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", len(value) + 4, kind) + value + bytes(-len(value) % 4)


def message(kind: int, body: bytes) -> bytes:
    return struct.pack("=LHHLL", len(body) + 16, kind, 0, 0, 0) + body + bytes(-len(body) % 4)


def link(index: int, name: str, flags: int) -> bytes:
    return message(16, struct.pack("=BxHiII", 0, 0, index, flags, 0) + attribute(3, name.encode() + b"\0"))


def held(index: int, host: str, *, other: str | None = None, flags: int = 0) -> bytes:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    body = struct.pack("=BBBBI", family, 24, flags, 0, index)
    if other is not None:
        body += attribute(1, socket.inet_pton(family, other)) + attribute(2, socket.inet_pton(family, host))
    else:
        body += attribute(1, socket.inet_pton(family, host))
    return message(20, body)


def test_links_and_their_addresses_are_read() -> None:
    links = link(1, "lo", UP) + link(7, "tun0", UP) + link(8, "eth0", DOWN) + message(3, b"")
    addresses = (
        held(1, "127.0.0.1")
        + held(7, "10.8.0.2", other="10.8.0.1")  # a tunnel's two ends
        + held(7, "fe80::1")  # of the link alone
        + held(7, "fd00::2")
        + held(8, "2001:db8::1", flags=0x40)  # not ours yet, if it ever is
    )
    assert parse(links, addresses) == [
        Interface(1, "lo", True, ("127.0.0.1",)),
        Interface(7, "tun0", True, ("10.8.0.2", "fd00::2")),
        Interface(8, "eth0", False, ()),
    ]


@given(st.binary(max_size=120), st.binary(max_size=120))
def test_junk_is_read_as_far_as_it_goes(links: bytes, addresses: bytes) -> None:
    parse(links, addresses)
    parse(link(1, "lo", UP)[: len(links)], addresses)


def test_this_machine_has_loopback() -> None:
    [loopback] = [each for each in interfaces() if "127.0.0.1" in each.hosts]
    assert loopback.up
    assert loopback.index == socket.if_nametoindex(loopback.name)


async def test_a_watch_waits_no_longer_than_it_is_told() -> None:
    watch = InterfaceWatch()
    async with asyncio.timeout(5):
        await watch.changed(0.01)
    watch.close()
    watch.close()
