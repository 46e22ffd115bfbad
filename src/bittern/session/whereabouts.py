"""Where others reach a session: its own port, or one of the router, and who is told when that changes."""

from collections.abc import Sequence
from functools import partial
from ipaddress import ip_address

from bittern.engine.nat.lease import Lease, Wish, wishes_for
from bittern.io.datagram_port import DatagramPort
from bittern.io.nat.gateways import default_gateway
from bittern.io.nat.mapper import CLOSE_SECONDS, Mapper
from bittern.io.route import Route
from bittern.io.runtime import Runtime
from bittern.wire.pcp import Carrier

from .settings import Settings

_ROUTER = "router"  # a name for its vote on our address: no host is called so


class Whereabouts:
    """Has routers let others in, where that is wanted, and tells the engine by which port they come.

    Args:
        settings: of the session.
        runtime: the engine and its world.
        route: how we get out.
        ports: ours for datagrams.
    """

    def __init__(self, settings: Settings, runtime: Runtime, route: Route, ports: Sequence[DatagramPort]) -> None:
        self._settings = settings
        self._runtime = runtime
        self._ports = ports
        self._mapper: Mapper | None = None
        if settings.port_mapping and not runtime.local:
            find = partial(default_gateway, interface=None)
            self._mapper = Mapper(self._wishes(), route.reaching, self._changed, gateway=find)

    @property
    def leases(self) -> tuple[Lease, ...]:
        """What the router lets in now."""
        return self._mapper.leases if self._mapper is not None else ()

    @property
    def refusal(self) -> str | None:
        """Why it lets nothing in, for people; None where it does, or nobody knows, or nobody asks."""
        return self._mapper.refusal if self._mapper is not None else None

    async def run(self) -> None:
        """Keep at it until cancelled; `close` is to follow."""
        if self._mapper is not None:
            await self._mapper.run()

    async def close(self, seconds: float) -> None:
        """Let nobody in any more, as far as the router hears it within so many seconds."""
        mapper, self._mapper = self._mapper, None
        if mapper is not None:
            await mapper.close(min(seconds, CLOSE_SECONDS))

    def _wishes(self) -> list[Wish]:
        return wishes_for(self._runtime.port if self._settings.tcp else 0, self._udp_port)

    @property
    def _udp_port(self) -> int:
        return self._ports[0].address.port if self._ports else 0

    def _changed(self) -> None:
        """Others come by other ports than before."""
        runtime = self._runtime
        outside = {lease.carrier: lease for lease in self.leases}
        tcp, udp = outside.get(Carrier.TCP), outside.get(Carrier.UDP)
        first = tcp or udp
        port = first.external_port if first is not None else runtime.port
        node_port = 0
        if self._settings.dht:
            node_port = udp.external_port if udp is not None else self._udp_port
        runtime.core.moved(runtime.port, port, node_port, runtime.now())
        for lease in outside.values():
            # Behind a second router, its own address is nothing to the world.
            if lease.external_host is not None and ip_address(lease.external_host).is_global:
                runtime.core.seen_as(lease.external_host, _ROUTER)
        runtime.turn.soon()
