"""What sockets have in common: each speaks one family of addresses."""

import socket
from typing import Final

LONGEST: Final = 65535
"""Bytes of the longest datagram."""
SOL_UDP: Final = 17
UDP_SEGMENT: Final = 103
"""Of a message that is sent: bytes of each datagram that Linux is to cut it into (linux/udp.h)."""
UDP_GRO: Final = 104
"""Of one that came: bytes of each datagram that Linux has gathered in it (linux/udp.h)."""


def family_of(host: str) -> socket.AddressFamily:
    """Whose address a numeric host is."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def place_of(host: str, port: int) -> tuple[str, int] | tuple[str, int, int, int]:
    """How sockets name a port of a numeric host: the interface of an address of one link (`%eth0`) is a number to them.

    Raises:
        OSError: there is no such interface.
    """
    plain, _, interface = host.partition("%")
    if not interface:
        return plain, port
    return plain, port, 0, int(interface) if interface.isdecimal() else socket.if_nametoindex(interface)
