"""Sockets of the real world: each speaks one family of addresses, does not block, and is closed where it can not be."""

import socket
from collections.abc import Iterator

from bittern.base.address import Address

LONGEST = 65535
"""Bytes of the longest datagram."""


def family_of(host: str) -> socket.AddressFamily:
    """Whose address a numeric host is."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def bound_to(
    host: str, port: int, kind: socket.SocketKind, *, receive_bytes: int = 0, shared: bool = False
) -> socket.socket:
    """A socket for who comes to us.

    Args:
        host: a numeric address of this machine, or that of all.
        port: 0 for any.
        kind: SOCK_STREAM or SOCK_DGRAM.
        receive_bytes: what the system is to keep until it is read; 0 for its own choice.
        shared: whether other sockets may share the port, if they say so, too.

    Raises:
        OSError: the port is taken, or the address is not ours.
    """
    sock = socket.socket(family_of(host), kind)
    try:
        sock.setblocking(False)
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if kind == socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if receive_bytes:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock


def reaching(host: str, kind: socket.SocketKind, source: str | None) -> socket.socket:
    """A socket to go to others with, not connected yet.

    Args:
        host: whom to reach, a numeric address.
        kind: SOCK_STREAM or SOCK_DGRAM.
        source: the local address to come from; None for the system's choice.

    Raises:
        OSError: there is no such socket, or `source` is not ours, or of the other family.
    """
    sock = socket.socket(family_of(host), kind)
    try:
        sock.setblocking(False)
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if source is not None:
            sock.bind((source, 0))
    except OSError:
        sock.close()
        raise
    return sock


def datagrams(sock: socket.socket, most: int, longest: int = LONGEST) -> Iterator[tuple[bytes, Address]]:
    """Those that have come and where from, at most so many: others of the loop want their turn.

    Args:
        sock: does not block.
        most: datagrams.
        longest: bytes of each that are looked at; what is longer is cut.
    """
    for _ in range(most):
        try:
            data, name = sock.recvfrom(longest)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            continue  # news about one that was sent before: its time will be over
        host, port = name[0], name[1]
        yield data, Address.of(host.partition("%")[0], port) if ":" in host else Address(host, port)
