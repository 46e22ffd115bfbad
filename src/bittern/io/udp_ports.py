"""All UDP ports of a process: which of them leads where, and the engine's datagrams."""

import asyncio
import errno
import socket
from dataclasses import dataclass
from typing import Protocol

from bittern.base.address import Address, is_alias
from bittern.engine.effects import SendDatagram
from bittern.wire.datagrams import Kind

from .datagram_port import DatagramPort
from .proxying import Purpose
from .route import Route, Way
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
        """The system cannot send to `address`."""
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """Which port is for what.

    Attributes:
        route: says which way what goes.
        direct: those that others know.
        relay: at the proxy; None where it knows no UDP, or nothing needs it.
    """

    route: Route
    direct: tuple[DatagramPort, ...] = ()
    relay: DatagramPort | None = None

    def of(self, purpose: Purpose) -> tuple[DatagramPort, ...]:
        """Those for one purpose, by the one way that it may go."""
        way = self.route.way(purpose)
        if way is Way.DIRECT:
            return self.direct
        return (self.relay,) if way is Way.PROXY and self.relay is not None else ()

    def close(self) -> None:
        """Send and receive no more. May be called again."""
        for port in (*self.direct, *([self.relay] if self.relay is not None else ())):
            port.close()


class UdpPorts:
    """Sends and receives (see ports.Udp); where no port leads somewhere, one is made when it is needed.

    Args:
        loop: that watches the ports.
        turn: of that loop.
        core: is told what comes from trackers.
        ports: owned from now on.

    Attributes:
        ports: those that peers know.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        turn: Turn,
        core: Mailbox,
        ports: Ports,
    ) -> None:
        self._loop = loop
        self._turn = turn
        self._core = core
        self._receiver = Single(core.datagram, lambda _: turn.soon())
        self._spare: dict[socket.AddressFamily, UdpPort] = {}  # that nobody knows
        self._ports = ports
        self.ports = ports.of(Purpose.PEERS)
        for port in ports.of(Purpose.TRACKERS):
            self._take_over(port)

    def towards(self, address: Address, purpose: Purpose = Purpose.PEERS) -> DatagramPort:
        """The port that leads to `address`, for a purpose.

        Raises:
            OSError: none does.
        """
        for port in self._ports.of(purpose):
            if port.reaches(address):
                return port
        route = self._ports.route
        if route.way(purpose) is not Way.DIRECT:
            raise PermissionError(errno.EACCES, "no datagrams go through the proxy, and nothing goes another way")
        family = family_of(address.host)
        if family not in self._spare:
            self._spare[family] = UdpPort(route.reaching(address.host, socket.SOCK_DGRAM))
            self._take_over(self._spare[family])
        return self._spare[family]

    def send(self, wish: SendDatagram) -> None:
        """See ports.Udp."""
        try:
            self.towards(wish.address, Purpose.TRACKERS).send(wish.data, wish.address)
        except OSError as error:
            reason = error.strerror or str(error)
            if not is_alias(wish.address.host):  # an address that stands for a name says nothing to people
                reason = f"{wish.address}: {reason}"
            self._loop.call_soon(self._refused, wish.address, reason)

    def cut(self) -> None:
        """Close what nobody knows; what is sent later has new ports."""
        for port in self._spare.values():
            port.close()
        self._spare.clear()

    def close(self) -> None:
        """Send and receive no more."""
        self._ports.close()
        self.cut()

    def _take_over(self, port: DatagramPort) -> None:
        port.clock = self._turn.now
        port.join(Kind.TRACKER, self._receiver)

    def _refused(self, address: Address, reason: str) -> None:
        self._core.datagram_refused(address, reason, self._turn.now())
        self._turn.soon()
