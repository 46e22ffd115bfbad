"""What sockets have in common: each speaks one family of addresses."""

import socket

LONGEST = 65535
"""Bytes of the longest datagram."""


def family_of(host: str) -> socket.AddressFamily:
    """Whose address a numeric host is."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET
