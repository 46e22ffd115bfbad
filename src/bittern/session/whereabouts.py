"""Where others reach a session: its own port, or one of the router, and who is told when that changes."""

import asyncio
import logging
import socket
from functools import partial
from ipaddress import ip_address

from bittern.engine.nat.lease import Lease, Wish, wishes_for
from bittern.io.nat.gateways import default_gateway
from bittern.io.nat.mapper import CLOSE_SECONDS, Mapper
from bittern.io.route import Route
from bittern.io.runtime import Runtime
from bittern.wire.pcp import Carrier

from .listening import sockets_again
from .settings import Settings

_log = logging.getLogger("bittern.network")
_ROUTER = "router"  # a name for its vote on our address: no host is called so


class Whereabouts:
    """Has routers let others in, where that is wanted, and tells the engine by which port they come.

    Args:
        settings: of the session.
        runtime: the engine and its world.
        route: how we get out.
    """

    def __init__(self, settings: Settings, runtime: Runtime, route: Route) -> None:
        self._settings = settings
        self._runtime = runtime
        self._route = route
        self._mapper: Mapper | None = None
        self._told: tuple[str | None, int, str] | None = None
        if settings.port_mapping and not runtime.doors.local:
            find = partial(default_gateway, interface=route.binding.device if route.binding is not None else None)
            six = partial(find, ipv6=True) if any(":" in host for host in runtime.doors.hosts) else None
            self._mapper = Mapper(self._wishes(), route.reaching, self._changed, gateway=find, gateway6=six)

    @property
    def leases(self) -> tuple[Lease, ...]:
        """What the router lets in now."""
        return self._mapper.leases if self._mapper is not None else ()

    async def run(self) -> None:
        """Keep at it until cancelled; `close` is to follow."""
        if self._mapper is not None:
            await self._mapper.run()

    def move(self, port: int) -> None:
        """Others come in at `port` from now on, if they do not already, or come in again.

        Raises:
            NetworkError: it is taken; nothing has changed.
        """
        doors = self._runtime.doors
        if port == doors.port and doors.are_open:
            return
        sockets = sockets_again(self._route, self._runtime, port)
        if doors.are_open:
            # Connections over uTP belong to the port: the others hear of their end before it is left, with this turn.
            self._runtime.core.presence.end_utp("our port is another one now", self._runtime.now())
            self._runtime.turn.soon()
            asyncio.get_running_loop().call_soon(self._reopen, *sockets)
        else:
            self._reopen(*sockets)

    def _reopen(self, sockets: list[socket.socket], datagrams: list[socket.socket]) -> None:
        self._runtime.doors.open(sockets, datagrams)
        if self._mapper is not None:
            self._mapper.want(self._wishes())
        self._changed()

    async def close(self, seconds: float) -> None:
        """Let nobody in any more, as far as the router hears it within so many seconds."""
        mapper, self._mapper = self._mapper, None
        if mapper is not None:
            await mapper.close(min(seconds, CLOSE_SECONDS))

    def _wishes(self) -> list[Wish]:
        doors = self._runtime.doors
        return wishes_for(doors.port if self._settings.tcp else 0, doors.datagram_port)

    def _changed(self) -> None:
        """Others come by other ports than before."""
        runtime = self._runtime
        outside = {lease.carrier: lease for lease in self.leases if ":" not in (lease.external_host or "")}
        tcp, udp = outside.get(Carrier.TCP), outside.get(Carrier.UDP)
        first = tcp or udp
        port = first.external_port if first is not None else runtime.port
        node_port = 0
        if self._settings.dht:
            node_port = udp.external_port if udp is not None else runtime.doors.datagram_port
        runtime.core.presence.moved(runtime.port, port, node_port, runtime.now())
        if first is not None and (first.external_host, port, first.by) != self._told:
            self._told = (first.external_host, port, first.by)
            where = f"{first.external_host}, port {port}" if first.external_host else f"port {port}"
            _log.info("the router lets others in: %s (%s)", where, first.by)
        for lease in self.leases:
            # Behind a second router, its own address is nothing to the world.
            if lease.external_host is not None and ip_address(lease.external_host).is_global:
                runtime.core.presence.seen_as(lease.external_host, _ROUTER)
        runtime.turn.soon()
