"""Which sockets a session listens on."""

import secrets
import socket
from collections.abc import Sequence

from bittern.base.errors import NetworkError
from bittern.io.route import Route

_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - a peer is there to be connected to
_LOWEST, _HIGHEST = 10240, 32767  # below the ports that systems lend to outgoing connections
_BACKLOG = 128


def draw_port() -> int:
    """A port to keep. Never 6881 to 6889, which networks like to block."""
    return _LOWEST + secrets.randbelow(_HIGHEST - _LOWEST + 1)


def listening_sockets(route: Route, hosts: Sequence[str], port: int, *, fallback: bool) -> list[socket.socket]:
    """Bound sockets for `hosts`, all with the same port; for every address of the machine when there are none.

    Args:
        route: how we get out.
        hosts: numeric IP addresses.
        port: 0 for any free one.
        fallback: whether any free port will do when this one is taken.

    Raises:
        NetworkError: the port is taken, or an address is not this machine's.
    """
    sockets: list[socket.socket] = []
    try:
        for host in hosts or _EVERYWHERE:
            try:
                sock = route.bound(host, sockets[0].getsockname()[1] if sockets else port, socket.SOCK_STREAM)
                sockets.append(sock)
                sock.listen(_BACKLOG)  # two sockets may be bound to one port, but not listen there
            except OSError as error:
                if not hosts and sockets and host == "::":
                    sockets = [s for s in sockets if s.family == socket.AF_INET]
                    continue  # a machine without IPv6
                if fallback and port:
                    _close(sockets)
                    return listening_sockets(route, hosts, 0, fallback=False)
                raise NetworkError(f"can not listen on {host} port {port}: {error.strerror or error}") from error
    except BaseException:
        _close(sockets)
        raise
    return sockets


def _close(sockets: list[socket.socket]) -> None:
    for sock in sockets:
        sock.close()
