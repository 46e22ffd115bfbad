"""The interfaces of this machine and their addresses, as Linux tells them (rtnetlink), and when they change."""

import asyncio
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

WATCHED: Final = sys.platform == "linux"
"""Whether the system tells of changes; else it has to be asked."""

_GET_LINKS, _GET_ADDRESSES = 18, 22  # linux/rtnetlink.h
_NEW_LINK, _NEW_ADDRESS, _DONE, _ERROR = 16, 20, 3, 2
_REQUEST_DUMP = 0x301
_UP, _RUNNING = 0x1, 0x40  # linux/if.h
_ADDRESS, _LOCAL, _NAME = 1, 2, 3
_TENTATIVE = 0x40
_GROUPS = 0x1 | 0x10 | 0x100  # links, IPv4 addresses, IPv6 addresses
_HEAD = struct.Struct("=LHHLL")
_LINK = struct.Struct("=BxHiII")
_HELD = struct.Struct("=BBBBI")
_ATTRIBUTE = struct.Struct("=HH")
_ROOM = 1 << 16


@dataclass(frozen=True, slots=True)
class Interface:
    """One of them.

    Attributes:
        index: its number, another one when it comes back.
        name: as `ip link` shows it.
        up: whether it is switched on, and connected to something.
        hosts: its own addresses, but for those of the link alone (fe80::).
    """

    index: int
    name: str
    up: bool
    hosts: tuple[str, ...]


def interfaces() -> list[Interface]:
    """All of them.

    Raises:
        OSError: the system does not tell.
    """
    if not WATCHED:
        raise OSError("this system does not tell of its interfaces")
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as sock:
        links, held = b"".join(_dump(sock, _GET_LINKS)), b"".join(_dump(sock, _GET_ADDRESSES))
    return parse(links, held)


def parse(links: bytes, held: bytes) -> list[Interface]:
    """Read what the system says of links and of addresses."""
    hosts: dict[int, list[str]] = {}
    for kind, body in _messages(held):
        if kind == _NEW_ADDRESS and len(body) >= _HELD.size:
            family, _, flags, _, index = _HELD.unpack_from(body)
            found = dict(_attributes(body[_HELD.size :]))
            # Of a tunnel's two ends the address is the other one (linux/if_addr.h).
            packed = found.get(_LOCAL, found.get(_ADDRESS, b""))
            tentative = family == socket.AF_INET6 and flags & _TENTATIVE
            if len(packed) in (4, 16) and not tentative:
                ip = ip_address(packed)
                if not ip.is_link_local:
                    hosts.setdefault(index, []).append(str(ip))
    made = []
    for kind, body in _messages(links):
        if kind == _NEW_LINK and len(body) >= _LINK.size:
            _, _, index, flags, _ = _LINK.unpack_from(body)
            name = dict(_attributes(body[_LINK.size :])).get(_NAME, b"").rstrip(b"\0").decode(errors="replace")
            up = flags & (_UP | _RUNNING) == _UP | _RUNNING
            made.append(Interface(index, name, up, tuple(hosts.get(index, ()))))
    return made


class InterfaceWatch:
    """Tells of changes, as far as the system does."""

    def __init__(self) -> None:
        self._sock: socket.socket | None = None
        if WATCHED:
            with suppress(OSError):
                sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
                sock.bind((0, _GROUPS))
                self._sock = sock

    async def changed(self, seconds: float) -> None:
        """Wait for a change, at most so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                if self._sock is None:
                    await asyncio.sleep(seconds)
                    return
                with suppress(OSError):  # more than it had room for: something changed
                    await asyncio.get_running_loop().sock_recv(self._sock, _ROOM)

    def close(self) -> None:
        """Watch no more."""
        if self._sock is not None:
            self._sock.close()


def _dump(sock: socket.socket, kind: int) -> Iterator[bytes]:
    """The answer to a question for all of a kind."""
    sock.send(_HEAD.pack(_HEAD.size + _LINK.size, kind, _REQUEST_DUMP, 1, 0) + bytes(_LINK.size))
    while True:
        data = sock.recv(_ROOM)
        yield data
        if any(kind in (_DONE, _ERROR) for kind, _ in _messages(data)):
            return


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _HEAD.size <= len(data):
        length, kind, _, _, _ = _HEAD.unpack_from(data, at)
        if length < _HEAD.size:
            return
        yield kind, data[at + _HEAD.size : at + length]
        at += length + -length % 4


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < _ATTRIBUTE.size:
            return
        yield kind, data[at + _ATTRIBUTE.size : at + length]
        at += length + -length % 4
