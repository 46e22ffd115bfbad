"""Which sockets a session listens on: TCP and UDP have the same number, wherever that is free."""

import logging
import secrets
import socket
from collections.abc import Iterable, Sequence

from bittern.base.errors import NetworkError
from bittern.io.route import Route
from bittern.io.runtime import Runtime
from bittern.io.udp import UdpPort, bind, bound_socket

from .settings import Settings

_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - a peer is there to be connected to
_LOWEST, _HIGHEST = 10240, 32767  # below the ports that systems lend to outgoing connections
_BACKLOG = 128
_ATTEMPTS = 8

_log = logging.getLogger("bittern.session")


def draw_port() -> int:
    """A port to keep. Never 6881 to 6889, which networks like to block."""
    return _LOWEST + secrets.randbelow(_HIGHEST - _LOWEST + 1)


def listening_sockets(
    route: Route, hosts: Sequence[str], port: int, *, fallback: bool, tcp: bool = True
) -> list[socket.socket]:
    """Bound sockets for `hosts`, all with the same port; for every address of the machine when there are none.

    Args:
        route: how we get out.
        hosts: numeric IP addresses.
        port: 0 for any free one.
        fallback: whether any free port will do when this one is taken.
        tcp: whether anybody may connect; else the port is kept from others, and connections are refused.

    Raises:
        NetworkError: the port is taken, or an address is not this machine's.
    """
    sockets: list[socket.socket] = []
    try:
        for host in hosts or _EVERYWHERE:
            try:
                sock = route.bound(host, sockets[0].getsockname()[1] if sockets else port, socket.SOCK_STREAM)
                sockets.append(sock)
                if tcp:
                    sock.listen(_BACKLOG)  # two sockets may be bound to one port, but not listen there
            except OSError as error:
                if not hosts and sockets and host == "::":
                    sockets = [s for s in sockets if s.family == socket.AF_INET]
                    continue  # a machine without IPv6
                if fallback and port:
                    close_all(sockets, ())
                    return listening_sockets(route, hosts, 0, fallback=False, tcp=tcp)
                raise NetworkError(f"cannot listen on {host} port {port}: {error.strerror or error}") from error
    except BaseException:
        close_all(sockets, ())
        raise
    return sockets


def listening(route: Route, settings: Settings, port: int) -> tuple[list[socket.socket], list[UdpPort]]:
    """Sockets for connections, and ports for datagrams where anybody needs them.

    Peers know one number. Where the user gave none, one is taken that is free in both; else datagrams get another one
    where it must be.

    Args:
        route: how we get out.
        settings: say on which addresses, and what for.
        port: for connections; 0 for any free one.

    Raises:
        NetworkError: the port is taken, or an address is not this machine's.
    """
    for attempts_left in reversed(range(_ATTEMPTS)):
        sockets = listening_sockets(route, settings.listen, port, fallback=settings.port is None, tcp=settings.tcp)
        try:
            number = sockets[0].getsockname()[1]
            ports = datagram_ports(route, sockets) if settings.speaks_udp else []
        except BaseException:
            close_all(sockets, ())
            raise
        if all(each.address.port == number for each in ports):
            return sockets, ports
        if settings.tcp and (settings.port or not attempts_left):
            return sockets, ports
        close_all(sockets, ports)
        if settings.port:
            break
        port = 0
    raise NetworkError(f"cannot use UDP port {port}: it is in use")


def datagram_ports(route: Route, sockets: Sequence[socket.socket]) -> list[UdpPort]:
    """A port for each address that is listened on (BEP 45), or for that which we come from; all have one number.

    Args:
        route: how we get out.
        sockets: that are listened on, whose number it is; another one where that is taken.
    """
    listened = [str(sock.getsockname()[0]) for sock in sockets]
    hosts = route.sources or tuple(dict.fromkeys(listened))
    for wanted in (int(sockets[0].getsockname()[1]), 0):
        ports: list[UdpPort] = []
        for host in hosts:
            try:
                ports.append(bind(host, ports[0].address.port if ports else wanted, route))
            except NetworkError as error:
                _log.info("%s", error)
        if len(ports) == len(hosts) or not wanted:
            return ports
        close_all((), ports)
    raise AssertionError


def sockets_again(route: Route, runtime: Runtime, port: int) -> tuple[list[socket.socket], list[socket.socket]]:
    """Sockets for the doors of a runtime, at the same addresses: for connections, and for datagrams.

    Args:
        route: how we get out.
        runtime: whose doors.
        port: of both.

    Raises:
        NetworkError: it is taken, or an address is not there.
    """
    doors, made = runtime.doors, list[socket.socket]()
    sockets = listening_sockets(route, doors.hosts, port, fallback=False, tcp=doors.tcp) if doors.hosts else []
    try:
        for host in doors.datagram_hosts:
            made.append(bound_socket(host, port, route))
    except NetworkError:
        close_all((*sockets, *made), ())
        raise
    return sockets, made


def close_all(sockets: Iterable[socket.socket], ports: Iterable[UdpPort]) -> None:
    """Listen no more."""
    for sock in sockets:
        sock.close()
    for port in ports:
        port.close()
