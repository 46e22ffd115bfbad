"""Ports of ours that the router lets others in to: asked for by PCP, NAT-PMP or UPnP, kept up, and taken back."""

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from ipaddress import ip_address
from math import inf
from random import Random
from typing import Final, TypeAlias

from bittern.base.address import Address
from bittern.base.errors import GatewayError
from bittern.engine.nat.lease import Lease, Wish
from bittern.wire import pcp, ssdp

from .gateways import Gateway, default_gateway, own_address, own_address6
from .pinholes import Pinholes
from .talking import Talking
from .upnp import Reaching, Upnp

LOOK_SECONDS: Final = 15.0
"""The default route is looked at so often: networks change."""
UPNP_AFTER_SECONDS: Final = 2.0
"""A router that has answered neither PCP nor NAT-PMP until then is asked by UPnP."""
RETRY_SECONDS: Final = 60.0
"""UPnP that led to nothing is tried again after so long; twice as long after each more."""
MOST_RETRY_SECONDS: Final = 1800.0
CLOSE_SECONDS: Final = 1.0
"""A router has so long to take mappings back; else it forgets them when their time is over."""

_log = logging.getLogger("bittern.nat")


_Place: TypeAlias = tuple[Gateway, str]  # and our own address


class _Attempts:
    """When a router is asked by UPnP: where it knows nothing else, and less often if that leads to nothing."""

    def __init__(self, part: Upnp | Pinholes, now: float) -> None:
        self.part = part
        self.due = now + UPNP_AFTER_SECONDS
        self._retry = RETRY_SECONDS

    async def ask(self, talking: Talking | None, now: float) -> str | None:
        """Ask, if it is time; why that led to nothing, or None."""
        if _holds(talking):
            return None
        hopeless = talking is None or talking.unreachable or talking.control.refusal is not None
        if now < self.due and not (hopeless and self.part.refusal is None and not self.part.leases):
            return None
        try:
            self.due = now + await self.part.hold()
        except GatewayError as error:
            self.due = now + self._retry
            self._retry = min(2 * self._retry, MOST_RETRY_SECONDS)
            return str(error)
        self._retry = RETRY_SECONDS
        return None

    def wait(self, talking: Talking | None, now: float) -> float:
        """Seconds until it may be time to ask; infinity as long as nobody is to."""
        return inf if _holds(talking) else max(0.05, self.due - now)


class Mapper:
    """Has the default router let others in, as long as it runs.

    Where our own address is one of the whole world there is nothing to ask for.

    Args:
        wishes: what is asked for.
        reaching: makes sockets towards others; see Route.reaching.
        changed: is called when other ports are let in than before.
        gateway: finds the default router.
        gateway6: finds that for IPv6, which is asked to let others in, too; None for nobody.
        port: where it is asked by datagram.
        place: where all routers are sought.
        rng: draws external ports where those that are wished are taken.
    """

    def __init__(
        self,
        wishes: Sequence[Wish],
        reaching: Reaching,
        changed: Callable[[], None],
        *,
        gateway: Callable[[], Gateway | None] = default_gateway,
        gateway6: Callable[[], Gateway | None] | None = None,
        port: int = pcp.PORT,
        place: Address = ssdp.GROUP,
        rng: Random | None = None,
    ) -> None:
        self._wishes = tuple(wishes)
        self._reaching = reaching
        self._changed = changed
        self._gateway = gateway
        self._gateway6 = gateway6
        self._port = port
        self._search_at = place
        self._rng = rng or Random()  # noqa: S311 - a port is no secret
        self._at: tuple[_Place | None, _Place | None, tuple[Wish, ...]] | None = None
        self._talking: Talking | None = None
        self._talking6: Talking | None = None
        self._upnp: _Attempts | None = None
        self._upnp6: _Attempts | None = None
        self._leaving: asyncio.Task[None] | None = None
        self._stirred = asyncio.Event()
        self._told = set[str]()

    @property
    def leases(self) -> tuple[Lease, ...]:
        """What the router lets in now."""
        return _held(self._talking, self._upnp) + _held(self._talking6, self._upnp6)

    async def run(self) -> None:
        """Keep at it until cancelled; `close` is to follow."""
        loop = asyncio.get_running_loop()
        while True:
            self._stirred.clear()
            at = (self._look(), self._look6(), self._wishes)
            if at != self._at:
                await self._move(*at, loop.time())
            await self._ask_by_upnp(loop.time())
            waits = [attempts.wait(talking, loop.time()) for attempts, talking in self._attempts()]
            try:
                async with asyncio.timeout(min([LOOK_SECONDS, *waits])):
                    await self._stirred.wait()
            except TimeoutError:
                continue

    def want(self, wishes: Sequence[Wish]) -> None:
        """Ask for other ports from now on; those that were let in are taken back soon."""
        self._wishes = tuple(wishes)
        self._stirred.set()

    async def close(self, seconds: float) -> None:
        """Take everything back, as far as it is done within so many seconds."""
        await asyncio.gather(self._let_go(seconds), self._left(seconds))

    async def _left(self, seconds: float) -> None:
        """A router that we were leaving has taken everything back."""
        if self._leaving is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._leaving, seconds)

    async def _let_go(self, seconds: float) -> None:
        talking = [part for part in (self._talking, self._talking6) if part is not None]
        by_upnp = [attempts.part for attempts in (self._upnp, self._upnp6) if attempts is not None]
        self._talking = self._talking6 = self._upnp = self._upnp6 = self._at = None
        closing = [part.close(seconds) for part in (*talking, *by_upnp)]
        try:
            await asyncio.gather(*closing)
        finally:
            for part in talking:
                part.stop()  # who is cancelled before it began ends nothing by itself

    def _look(self) -> _Place | None:
        gateway = self._gateway() if self._wishes else None
        ours = own_address(gateway, self._reaching) if gateway is not None else None
        if gateway is None or ours is None or ip_address(ours.partition("%")[0]).is_global:
            return None
        return gateway, ours

    def _look6(self) -> _Place | None:
        gateway = self._gateway6() if self._wishes and self._gateway6 is not None else None
        ours = own_address6(gateway, self._reaching) if gateway is not None else None
        return (gateway, ours) if gateway is not None and ours is not None else None

    async def _move(self, place: _Place | None, place6: _Place | None, wishes: tuple[Wish, ...], now: float) -> None:
        """Another router, or other ports: what the one before let in is over by itself."""
        self._leaving = asyncio.create_task(self._let_go(CLOSE_SECONDS))
        await asyncio.shield(self._leaving)  # who cancels us waits for it: see `close`
        self._changed()
        self._at, self._told = (place, place6, wishes), set()
        if place6 is not None:
            self._talking6 = self._talk(*place6, wishes)
        if place is None:
            return
        gateway, ours = place
        reaching, changed, at = self._reaching, self._on_change, self._search_at
        self._upnp = _Attempts(Upnp(gateway, ours, wishes, reaching, changed, self._rng, place=at), now)
        if place6 is not None:
            pinholes = Pinholes(gateway, ours, place6[0], place6[1], wishes, reaching, changed, at)
            self._upnp6 = _Attempts(pinholes, now)
        self._talking = self._talk(gateway, ours, wishes)

    def _talk(self, gateway: Gateway, ours: str, wishes: Sequence[Wish]) -> Talking | None:
        try:
            sock = self._reaching(gateway.host, socket.SOCK_DGRAM)
            with suppress(OSError):  # the route has bound it
                sock.bind((ours, 0))  # RFC 6887 8.1: what is asked for must come from there
            return Talking(sock, gateway, ours, wishes, self._on_change, self._port)
        except OSError as error:
            _log.info("the router at %s: %s", gateway.host, error)
            return None

    def _attempts(self) -> list[tuple[_Attempts, Talking | None]]:
        """Who may ask by UPnP, and who asks the same router by datagram."""
        both = (self._upnp, self._talking), (self._upnp6, self._talking6)
        return [(attempts, talking) for attempts, talking in both if attempts is not None]

    async def _ask_by_upnp(self, now: float) -> None:
        for attempts, talking in self._attempts():
            failure = await attempts.ask(talking, now)
            by_datagram = talking.control.refusal if talking is not None else None
            for reason in (by_datagram, failure):
                if reason is not None:
                    self._say(reason)

    def _on_change(self) -> None:
        for lease in self.leases:
            where = f"{lease.external_host or 'the router'} port {lease.external_port}"
            _log.info("%s: %s leads to our %s port %d", lease.by, where, lease.carrier.name, lease.port)
        self._stirred.set()
        self._changed()

    def _say(self, reason: str) -> None:
        if reason not in self._told:  # once, not each time that it is tried
            self._told.add(reason)
            _log.info("%s", reason)


def _holds(talking: Talking | None) -> bool:
    """Whether the router lets us in by what it was asked by datagram."""
    return talking is not None and bool(talking.leases)


def _held(talking: Talking | None, upnp: _Attempts | None) -> tuple[Lease, ...]:
    by_datagram = talking.leases if talking is not None else ()
    return by_datagram or (upnp.part.leases if upnp is not None else ())
