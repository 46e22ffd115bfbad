"""UPnP gateways of the real world (IGD 1 and 2): found by SSDP, asked by SOAP. Only the default router is believed."""

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Final, TypeAlias

from bittern.base.address import Address
from bittern.base.errors import GatewayError
from bittern.engine.nat import igd
from bittern.engine.nat.lease import Lease, Wish, renewal_seconds
from bittern.io.tcp import loss_of
from bittern.wire import ssdp
from bittern.wire.igd import Service, own_url, parse_description
from bittern.wire.pcp import Carrier
from bittern.wire.ssdp import Found

from .exchange import exchange
from .gateways import Gateway
from .soap import run

SEARCH_SECONDS: Final = 2.5
"""A router has so long to answer a search."""
CHECK_SECONDS: Final = 900.0
"""Mappings without an end are looked after so often: routers forget them when they are switched off."""

_HOPS = 2
_log = logging.getLogger("bittern.nat")

Reaching: TypeAlias = Callable[[str, int], socket.socket]
"""Makes a socket of a kind towards a numeric host, not connected yet; see Route.reaching."""


async def find(
    gateway: Gateway, ours: str, reaching: Reaching, place: Address = ssdp.GROUP, seconds: float = SEARCH_SECONDS
) -> Found:
    """The first answer of `gateway` to a search; those of other hosts, and those that lead to others, are ignored.

    Args:
        gateway: the router.
        ours: our address in its network.
        reaching: makes sockets.
        place: where all routers listen.
        seconds: that the router has; it is asked twice.

    Raises:
        GatewayError: it does not answer, or there is no network just now.
    """
    loop = asyncio.get_running_loop()
    with _speaking(gateway, ours, reaching) as sock:
        found = loop.create_task(_heard(sock, gateway))
        try:
            for _ in range(2):
                for target in ssdp.TARGETS:
                    for there in (place, Address(gateway.host, place.port)):
                        with suppress(OSError):  # no multicast here, or no room
                            sock.sendto(ssdp.search(target, there), there)
                await asyncio.wait([found], timeout=seconds / 2)
                if found.done():
                    return found.result()
        finally:
            found.cancel()
            await asyncio.wait([found])
    raise GatewayError(f"the router at {gateway.host} speaks no UPnP")


def _speaking(gateway: Gateway, ours: str, reaching: Reaching) -> socket.socket:
    try:
        sock = reaching(gateway.host, socket.SOCK_DGRAM)
        try:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(ours))
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, _HOPS)
        except OSError:
            sock.close()
            raise
    except OSError as error:
        raise GatewayError(f"the router at {gateway.host}: {loss_of(error)}") from None
    return sock


async def services_of(gateway: Gateway, ours: str, reaching: Reaching, place: Address) -> tuple[Service, ...]:
    """What `gateway` can be asked to do, as it says itself; arguments as for `find`.

    Raises:
        GatewayError: it does not answer, or what it says is no description.
    """
    found = await find(gateway, ours, reaching, place)
    status, body = await exchange(found.location, partial(_dial, reaching))
    if status != 200:
        raise GatewayError(f"the description of the router: HTTP status {status}")
    return parse_description(body, found.location, gateway.host)


def _dial(reaching: Reaching, host: str) -> socket.socket:
    return reaching(host, socket.SOCK_STREAM)


async def _heard(sock: socket.socket, gateway: Gateway) -> Found:
    loop = asyncio.get_running_loop()
    while True:
        try:
            data, source = await loop.sock_recvfrom(sock, ssdp.MAX_DATAGRAM)
        except OSError:
            continue  # news of a question: nobody listens at that port
        if source[0] == gateway.host:
            with suppress(GatewayError):
                found = Found.parse(data)
                own_url(found.location, gateway.host)
                return found


@dataclass(slots=True, eq=False)
class Upnp:
    """The ports that one router is asked for by UPnP.

    Attributes:
        gateway: the router.
        ours: our address in its network.
        wishes: what is asked for.
        reaching: makes sockets.
        changed: is called when other ports are let in than before.
        rng: draws external ports where those that are wished are taken.
        leases: what is let in.
        refusal: why nothing is, for people.
        place: where all routers listen.
    """

    gateway: Gateway
    ours: str
    wishes: Sequence[Wish]
    reaching: Reaching
    changed: Callable[[], None]
    rng: Random
    leases: tuple[Lease, ...] = ()
    refusal: str | None = None
    place: Address = ssdp.GROUP
    _service: Service | None = field(default=None, init=False)
    _doubtful: bool = field(default=False, init=False)  # whether the service is to be found anew
    # What the router may still have, whatever it answered last: mappings without an end stay until they are taken back.
    _given: dict[tuple[Carrier, int], Lease] = field(default_factory=dict, init=False)

    async def hold(self) -> float:
        """Have all mapped, for the first time or again; seconds until it is to be called again.

        Raises:
            GatewayError: the router knows no UPnP, or refuses.
        """
        try:
            if self._service is None or self._doubtful:
                self._service, self._doubtful = await self._find(), False
            host = None
            with suppress(GatewayError):
                host = await run(igd.external_host(self._service), self._dial)
            return await self._map(self._service, host)
        except GatewayError as error:
            self._doubtful, self.refusal = True, str(error)
            self._now_have(())
            raise

    async def close(self, seconds: float) -> None:
        """Take everything back, as far as it is done within so many seconds."""
        service, given = self._service, tuple(self._given.values())
        self.leases = ()
        self._given.clear()
        if service is None:
            return
        try:
            async with asyncio.timeout(seconds):
                for lease in given:
                    with suppress(GatewayError):
                        await run(igd.take_back(service, lease), self._dial)
        except TimeoutError:
            _log.info("the router at %s does not take the mappings back", self.gateway.host)

    async def _find(self) -> Service:
        service = igd.connection(await services_of(self.gateway, self.ours, self.reaching, self.place))
        if service is None:
            raise GatewayError(f"the router at {self.gateway.host} maps no ports")
        return service

    async def _map(self, service: Service, host: str | None) -> float:
        leases: list[Lease] = []
        renewals: list[float] = []
        refusal: GatewayError | None = None
        external = 0
        for wish in self.wishes:
            key = wish.carrier, wish.port
            wanted = self._given[key].external_port if key in self._given else external or wish.external_port
            course = igd.map_port(service, Wish(wish.carrier, wish.port, wanted), self.ours, host, self.rng)
            try:
                lease, lifetime = await run(course, self._dial)
            except GatewayError as error:
                refusal = error
                continue
            except asyncio.CancelledError:
                self._given[key] = Lease(wish.carrier, wish.port, wanted, host, "UPnP")  # perhaps: to be taken back
                raise
            leases.append(lease)
            self._given[key] = lease
            external = lease.external_port
            renewals.append(renewal_seconds(int(lifetime)) if lifetime else CHECK_SECONDS)
        if not leases and refusal is not None:
            raise refusal
        self.refusal = None
        self._now_have(tuple(leases))
        return min(renewals, default=CHECK_SECONDS)

    def _now_have(self, leases: tuple[Lease, ...]) -> None:
        if leases != self.leases:
            self.leases = leases
            self.changed()

    def _dial(self, host: str) -> socket.socket:
        return _dial(self.reaching, host)
