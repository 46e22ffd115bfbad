"""How a candidate is tried: over which transport, and whether the stream is encrypted."""

from typing import NamedTuple

from bittern.base.transport import Transport


class Approach(NamedTuple):
    """One way to reach a candidate.

    Attributes:
        transport: what carries the connection.
        encrypted: whether message stream encryption is tried on it.
    """

    transport: Transport = Transport.TCP
    encrypted: bool = False


PLAIN_TCP = Approach()
"""What every client that ever was can do."""
