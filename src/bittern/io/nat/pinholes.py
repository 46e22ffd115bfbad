"""Pinholes in the router's firewall for IPv6, asked for by UPnP.

The router is found by IPv4, as for mappings. It lets nobody speak for others: what is for our IPv6 address is asked
from there, at the same port and path of the router's IPv6 address.
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from bittern.base.address import Address
from bittern.base.errors import GatewayError
from bittern.engine.nat.lease import LIFETIME_SECONDS, Lease, Wish, renewal_seconds
from bittern.engine.nat.pinholes import Pinhole, close_pinhole, firewall, keep_pinhole, open_pinhole
from bittern.wire import ssdp
from bittern.wire.igd import Service

from .gateways import Gateway
from .soap import run
from .upnp import Reaching, services_of

_log = logging.getLogger("bittern.nat")


@dataclass(slots=True, eq=False)
class Pinholes:
    """The ports that one router's firewall is asked to open.

    Attributes:
        gateway: the router, by IPv4.
        ours: our address in its network.
        gateway6: the same router, by IPv6.
        ours6: our address of the whole world.
        wishes: what is asked for.
        reaching: makes sockets.
        changed: is called when other ports are let in than before.
        place: where all routers listen.
        refusal: why nothing is let in, for people.
    """

    gateway: Gateway
    ours: str
    gateway6: Gateway
    ours6: str
    wishes: Sequence[Wish]
    reaching: Reaching
    changed: Callable[[], None]
    place: Address = ssdp.GROUP
    refusal: str | None = None
    _service: Service | None = field(default=None, init=False)
    _open: tuple[Pinhole, ...] = field(default=(), init=False)

    @property
    def leases(self) -> tuple[Lease, ...]:
        """What is let in."""
        return tuple(pinhole.lease for pinhole in self._open)

    async def hold(self) -> float:
        """Have all opened, for the first time or again; seconds until it is to be called again.

        Raises:
            GatewayError: the router knows no UPnP, has no such firewall, or refuses all of them.
        """
        refusal: GatewayError | None = None
        try:
            if self._service is None:
                self._service = await self._find()
            for pinhole in self._open:  # before others are opened: a router that forgot them gives their numbers anew
                await self._renew(self._service, pinhole)
            there = {(lease.carrier, lease.port) for lease in self.leases}
            for wish in self.wishes:
                if (wish.carrier, wish.port) in there:
                    continue
                try:
                    opened = await run(open_pinhole(self._service, wish, self.ours6), self._dial)
                    self._now_have((*self._open, opened))
                except GatewayError as error:
                    refusal = error
            if refusal is not None and not self._open:
                raise refusal
        except GatewayError as error:
            self._service, self.refusal = None, str(error)
            raise
        self.refusal = None
        return renewal_seconds(LIFETIME_SECONDS)

    async def close(self, seconds: float) -> None:
        """Take everything back, as far as it is done within so many seconds."""
        service, pinholes = self._service, self._open
        self._open = ()
        if service is None:
            return
        try:
            async with asyncio.timeout(seconds):
                for pinhole in pinholes:
                    with suppress(GatewayError):
                        await run(close_pinhole(service, pinhole), self._dial)
        except TimeoutError:
            _log.info("the router at %s does not close its pinholes", self.gateway6.host)

    async def _find(self) -> Service:
        service = firewall(await services_of(self.gateway, self.ours, self.reaching, self.place))
        if service is None:
            raise GatewayError(f"the router at {self.gateway.host} has no firewall for IPv6 that can be asked")
        parts = urlsplit(service.url)
        return replace(service, url=parts._replace(netloc=f"[{self.gateway6.host}]:{parts.port or 80}").geturl())

    async def _renew(self, service: Service, pinhole: Pinhole) -> None:
        """Keep one open, or know it no more."""
        with suppress(GatewayError):  # whatever that is: it is asked for anew
            if await run(keep_pinhole(service, pinhole), self._dial):
                return
        self._now_have(tuple(it for it in self._open if it is not pinhole))

    def _now_have(self, pinholes: tuple[Pinhole, ...]) -> None:
        before, self._open = self.leases, pinholes
        if self.leases != before:
            self.changed()

    def _dial(self, host: str) -> socket.socket:
        sock = self.reaching(host, socket.SOCK_STREAM)
        with suppress(OSError):  # the route has bound it
            sock.bind((self.ours6, 0))
        return sock
