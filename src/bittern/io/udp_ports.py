"""All UDP ports of a process: which of them leads where, and the engine's datagrams."""

import asyncio
import socket
from collections.abc import Sequence
from typing import Protocol

from bittern.base.address import Address
from bittern.engine.effects import SendDatagram
from bittern.wire.datagrams import Kind

from .route import Route
from .sockets import family_of
from .sorter import Single
from .turn import Turn
from .udp import UdpPort


class Mailbox(Protocol):
    """Who is told of datagrams; a Core is one."""

    def datagram(self, data: bytes, source: Address, now: float) -> None:
        """One came."""
        ...

    def datagram_refused(self, address: Address, reason: str, now: float) -> None:
        """The system can not send to `address`."""
        ...


class UdpPorts:
    """Sends and receives (see ports.Udp); where no port of those leads, one is made when it is needed.

    Args:
        loop: that watches the ports.
        turn: of that loop.
        core: is told what comes from trackers.
        route: how we get out.
        ports: those that others know; owned from now on.

    Attributes:
        ports: likewise.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        turn: Turn,
        core: Mailbox,
        route: Route,
        ports: Sequence[UdpPort] = (),
    ) -> None:
        self._loop = loop
        self._turn = turn
        self._core = core
        self._route = route
        self._receiver = Single(core.datagram, lambda _: turn.soon())
        self._spare: dict[socket.AddressFamily, UdpPort] = {}  # that nobody knows
        self.ports = tuple(ports)
        for port in ports:
            self._take_over(port)

    def towards(self, address: Address) -> UdpPort:
        """The port that leads to `address`.

        Raises:
            OSError: none does.
        """
        for port in self.ports:
            if port.reaches(address):
                return port
        family = family_of(address.host)
        if family not in self._spare:
            self._spare[family] = UdpPort(self._route.reaching(address.host, socket.SOCK_DGRAM))
            self._take_over(self._spare[family])
        return self._spare[family]

    def send(self, wish: SendDatagram) -> None:
        """See ports.Udp."""
        try:
            self.towards(wish.address).send(wish.data, wish.address)
        except OSError as error:
            reason = f"{wish.address}: {error.strerror or error}"
            self._loop.call_soon(self._refused, wish.address, reason)

    def close(self) -> None:
        """Send and receive no more."""
        for port in (*self.ports, *self._spare.values()):
            port.close()

    def _take_over(self, port: UdpPort) -> None:
        port.clock = self._turn.now
        port.join(Kind.TRACKER, self._receiver)

    def _refused(self, address: Address, reason: str) -> None:
        self._core.datagram_refused(address, reason, self._turn.now())
        self._turn.soon()
