"""Datagrams of the real world: one socket for each family of addresses, shared by all that speak over UDP."""

import asyncio
import socket
from typing import Protocol

from bittern.base.address import Address
from bittern.engine.effects import SendDatagram

from .route import Route
from .sockets import datagrams, family_of
from .turn import Turn

AT_ONCE = 64
"""Datagrams read before others of the loop have their turn."""


class Mailbox(Protocol):
    """Who is told of datagrams; a Core is one."""

    def datagram(self, data: bytes, source: Address, now: float) -> None:
        """One came."""
        ...

    def datagram_refused(self, address: Address, reason: str, now: float) -> None:
        """The system can not send to `address`."""
        ...


class UdpSockets:
    """Sends and receives (see ports.Udp); a socket is made when the first datagram of its family goes out.

    Args:
        loop: that watches the sockets.
        turn: of that loop.
        core: is told what comes.
        route: how we get out.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, turn: Turn, core: Mailbox, route: Route) -> None:
        self._loop = loop
        self._turn = turn
        self._core = core
        self._route = route
        self._sockets: dict[socket.AddressFamily, socket.socket] = {}

    def send(self, wish: SendDatagram) -> None:
        """See ports.Udp."""
        try:
            self._socket(wish.address).sendto(wish.data, wish.address)
        except (BlockingIOError, InterruptedError):
            return  # the system has no room: as if it was lost on the way
        except OSError as error:
            reason = f"{wish.address}: {error.strerror or error}"
            self._loop.call_soon(self._refused, wish.address, reason)

    def close(self) -> None:
        """Send and receive no more."""
        for sock in self._sockets.values():
            self._loop.remove_reader(sock.fileno())
            sock.close()
        self._sockets.clear()

    def _socket(self, address: Address) -> socket.socket:
        family = family_of(address.host)
        if family not in self._sockets:
            sock = self._sockets[family] = self._route.reaching(address.host, socket.SOCK_DGRAM)
            self._loop.add_reader(sock.fileno(), self._readable, sock)
        return self._sockets[family]

    def _readable(self, sock: socket.socket) -> None:
        for data, address in datagrams(sock, AT_ONCE):
            self._core.datagram(data, address, self._turn.now())
        self._turn.soon()

    def _refused(self, address: Address, reason: str) -> None:
        self._core.datagram_refused(address, reason, self._turn.now())
        self._turn.soon()
