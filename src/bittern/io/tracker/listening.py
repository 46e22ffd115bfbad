"""The sockets of a tracker: bound for one process, or for several that share each port.

The kernel shares a port out (SO_REUSEPORT): connections by chance, and datagrams by a program of its own (classic BPF)
that reads the info hash, so that an announce comes to the worker that is home to its swarm. No worker has to hand one
on. Whoever made the sockets keeps them open: so the kernel counts the same workers while one is started again, and what
comes for that one waits.
"""

import ctypes
import errno
import socket
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from bittern.base.address import Address
from bittern.base.errors import NetworkError
from bittern.io.route import Route

EVERYWHERE: Final = ("0.0.0.0", "::")  # noqa: S104 - a tracker is there for everybody
PORT: Final = 6969
_RECEIVE_BUFFER = 4 << 20
_NO_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
_SO_ATTACH_REUSEPORT_CBPF = 51  # asm-generic/socket.h; Python has no name for it
_FIRST_HASH = 16  # where an announce, and a scrape, has it (BEP 15)


@dataclass(frozen=True, slots=True)
class Places:
    """Where a tracker is asked.

    Attributes:
        hosts: numeric addresses to listen at; empty for all of the machine.
        http_port: 0 for a free one, None for no HTTP.
        udp_port: the same for UDP.
    """

    hosts: Sequence[str] = ()
    http_port: int | None = PORT
    udp_port: int | None = PORT


@contextmanager
def bound(places: Places, workers: int = 1) -> Iterator[list[list[socket.socket]]]:
    """The sockets of each worker, bound and not listening yet; closed when the block ends.

    Raises:
        NetworkError: an address cannot be had; or the ports cannot be shared out on this system.
    """
    made: list[list[socket.socket]] = [[] for _ in range(workers)]
    try:
        http_port, udp_port = places.http_port, places.udp_port
        for host in places.hosts or EVERYWHERE:
            if http_port is not None:
                http_port = _bind_all(made, host, http_port, socket.SOCK_STREAM, needed=bool(places.hosts))
            if udp_port is not None:
                udp_port = _bind_all(made, host, udp_port, socket.SOCK_DGRAM, needed=bool(places.hosts))
        yield made
    finally:
        for sock in (sock for each in made for sock in each):
            sock.close()


def announce_urls(sockets: Sequence[socket.socket]) -> list[str]:
    """Where a tracker on these sockets is asked: announce URLs, HTTP before UDP."""
    return [
        f"{scheme}://{Address(*sock.getsockname()[:2])}/announce"
        for scheme, kind in (("http", socket.SOCK_STREAM), ("udp", socket.SOCK_DGRAM))
        for sock in sockets
        if sock.type == kind
    ]


def _bind_all(made: list[list[socket.socket]], host: str, port: int, kind: socket.SocketKind, *, needed: bool) -> int:
    """Add a socket for each worker, in their order; the port, which the first has drawn where it was 0."""
    kept = _RECEIVE_BUFFER if kind == socket.SOCK_DGRAM else 0
    name = "UDP" if kind == socket.SOCK_DGRAM else "TCP"
    shared, route = len(made) > 1, Route()
    try:
        if shared:
            # Who shares a port shares it with whoever else does: another tracker would get half of the clients.
            with route.bound(host, port, kind) as alone:
                port = int(alone.getsockname()[1])
        for sockets in made:
            sock = route.bound(host, port, kind, receive_bytes=kept, shared=shared)
            sockets.append(sock)
            port = int(sock.getsockname()[1])
    except OSError as error:
        if not needed and ":" in host and error.errno in _NO_IPV6:
            return port
        raise NetworkError(f"{name} {Address(host, port)}: {error.strerror}") from error
    if kind == socket.SOCK_DGRAM and shared:
        try:
            _share_out(made[0][-1], len(made))
        except OSError as error:
            raise NetworkError(f"this system cannot share a UDP port out among workers: {error.strerror}") from error
    return port


def _share_out(sock: socket.socket, workers: int) -> None:
    """Tell the kernel which of the sockets on the port of `sock` a datagram is for; see `home_of`.

    Raises:
        OSError: the kernel has no such thing.
    """
    program = [
        (0x80, 0, 0, 0),  # A = length of the datagram
        (0x35, 2, 0, _FIRST_HASH + 20),  # no shorter than the first hash: go on two further
        (0x20, 0, 0, 0xFFFFF038),  # A = a random number: anybody answers a request for a connection id
        (0x05, 0, 0, 1),
        (0x20, 0, 0, _FIRST_HASH),  # A = the first four bytes of the hash
        (0x94, 0, 0, workers),  # A = A modulo workers
        (0x16, 0, 0, 0),  # the socket that was bound as the A-th
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *each) for each in program))
    sock.setsockopt(
        socket.SOL_SOCKET, _SO_ATTACH_REUSEPORT_CBPF, struct.pack("HP", len(program), ctypes.addressof(code))
    )
