"""What carries the bytes of a connection between peers."""

from enum import Enum, unique


@unique
class Transport(Enum):
    """By which of two ways a connection with a peer is made."""

    TCP = "tcp"
    """A connection of the operating system."""
    UTP = "utp"
    """One of our own over datagrams, which gives way to other traffic (BEP 29)."""
