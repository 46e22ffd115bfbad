"""What sockets have in common: each speaks one family of addresses, and datagrams are read in batches."""

import socket
from collections.abc import Iterator

from bittern.base.address import Address

LONGEST = 65535
"""Bytes of the longest datagram."""


def family_of(host: str) -> socket.AddressFamily:
    """Whose address a numeric host is."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


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
