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
