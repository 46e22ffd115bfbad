"""Datagrams and names without sockets: services by address, and the ports that ask them."""

from collections.abc import Callable
from functools import partial
from typing import Protocol

from bittern.base.address import Address
from bittern.engine.effects import Resolve, SendDatagram
from bittern.wire.proxy.handshake import Endpoint

from .host import Host
from .http import ROUND_TRIP_SECONDS

Service = Callable[[Host, bytes], "bytes | None"]
"""Answers one datagram of a host; None leaves it without an answer."""


class UdpAnswers(Protocol):
    """Who is told what comes; a Core is one."""

    def resolved(self, ticket: int, hosts: tuple[str, ...], now: float) -> None:
        """A name was looked up."""
        ...

    def datagram(self, data: bytes, source: Address, now: float) -> None:
        """A datagram came."""
        ...


class Services:
    """What answers datagrams in a world. Every host reaches all of it.

    Attributes:
        at: the services by their addresses.
        names: addresses of each name.
        loss: the share of datagrams that never arrive, each way.
    """

    def __init__(self) -> None:
        self.at: dict[Address, Service] = {}
        self.names: dict[str, tuple[str, ...]] = {}
        self.loss = 0.0


class SimUdp:
    """Datagrams and look-ups of one process (`engine.ports.Udp` and `Resolver`)."""

    def __init__(self, services: Services, host: Host, answers: UdpAnswers) -> None:
        self._services = services
        self._host = host
        self._answers = answers

    def send(self, wish: SendDatagram) -> None:
        """Send a datagram; what answers it comes a round trip later."""
        self._host.network.world.after(ROUND_TRIP_SECONDS / 2, partial(self._arrive, wish))

    def resolve(self, wish: Resolve) -> None:
        """Look a name up; a numeric host is its own address, and nobody knows the other names."""
        hosts = self._services.names.get(wish.host, (wish.host,) if Endpoint(wish.host, 0).is_numeric else ())
        found = tuple(host for host in hosts if (":" in host) == wish.ipv6)
        self._host.network.world.after(ROUND_TRIP_SECONDS, partial(self._resolved, wish.ticket, found))

    def _arrive(self, wish: SendDatagram) -> None:
        host, world = self._host, self._host.network.world
        service = self._services.at.get(wish.address)
        if not host.alive or service is None or self._lost():
            return
        answer = service(host, wish.data)
        world.trace.note(world.now, f"{host.name} UDP {wish.address} {'answered' if answer else 'unanswered'}")
        if answer is not None and not self._lost():
            world.after(ROUND_TRIP_SECONDS / 2, partial(self._come, answer, wish.address))

    def _come(self, data: bytes, source: Address) -> None:
        if self._host.alive:
            self._answers.datagram(data, source, self._host.network.world.now)
            self._host.touch()

    def _resolved(self, ticket: int, hosts: tuple[str, ...]) -> None:
        if self._host.alive:
            self._answers.resolved(ticket, hosts, self._host.network.world.now)
            self._host.touch()

    def _lost(self) -> bool:
        loss = self._services.loss
        return loss > 0 and self._host.network.rng.random() < loss
