"""How a session gets out, and where it can be reached, as its settings say."""

import socket
from contextlib import suppress
from dataclasses import replace

from bittern.base.errors import NetworkError
from bittern.io.binding import Binding
from bittern.io.proxying import Purpose
from bittern.io.relay import RelayPort
from bittern.io.route import Route, Way
from bittern.io.udp import UdpPort, bind
from bittern.io.udp_ports import Ports

from .listening import listening
from .privacy import proxied
from .settings import Settings

_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - as what listens


def route_of(settings: Settings) -> Route:
    """The way of everything that a session with these settings sends.

    Raises:
        NetworkError: the interface is not there.
    """
    binding = Binding.of(settings.interface) if settings.interface is not None else None
    source = binding.host if binding is not None and binding.host is not None else settings.source
    return Route(
        *([source] if source is not None else []),
        proxied=proxied(settings),
        binding=binding,
        servers=settings.dns_servers,
    )


def doors(route: Route, settings: Settings, port: int) -> tuple[list[socket.socket], Ports]:
    """Sockets for connections, and ports for datagrams.

    Nobody can connect to us where everything goes through a proxy; nor to who is anonymous, unless there are
    addresses to listen on.

    Args:
        route: how we get out.
        settings: say on which addresses, and what for.
        port: for connections; 0 for any free one.

    Raises:
        NetworkError: the port is taken, or an address is not this machine's.
    """
    if route.binding is not None and route.binding.host is not None and not settings.listen:
        settings = replace(settings, listen=(route.binding.host,))
    sockets, direct = list[socket.socket](), list[UdpPort]()
    if not route.strict:
        if settings.anonymous and not settings.listen:
            direct = _unknown(route) if settings.speaks_udp else []
        else:
            sockets, direct = listening(route, settings, port)
    wanted = [Purpose.TRACKERS] * settings.use_trackers + [Purpose.DHT] * settings.dht + [Purpose.PEERS] * settings.utp
    return sockets, Ports(route, tuple(direct), relay(route, *wanted))


def relay(route: Route, *purposes: Purpose) -> RelayPort | None:
    """A port at the proxy, where there is one that knows UDP, and any of these goes through it."""
    proxying, through = route.proxying, any(route.way(purpose) is Way.PROXY for purpose in purposes)
    return RelayPort(route, proxying) if through and proxying is not None and proxying.server.has_udp else None


def _unknown(route: Route) -> list[UdpPort]:
    """Ports that nobody is told of."""
    found = []
    for host in route.sources or _EVERYWHERE:
        with suppress(NetworkError):
            found.append(bind(host, 0, route))
    return found
