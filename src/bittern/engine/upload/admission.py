"""Which requests no honest client makes. All others are served or refused, never dropped in silence."""

from bittern.base.geometry import BLOCK, Geometry

PLAIN_SHARE = 4
"""A peer that cannot be sent a reject may queue so many times what others may. To choke it for asking too much would
void all of it (BEP 3), it would ask the same again, and get nothing, for ever."""
CHOKED_MOST = 300
"""Requests of a choked peer, beyond those it may ask ahead, that are refused before the peer is dropped."""


def is_honest(geometry: Geometry, piece: int, begin: int, length: int, count: int) -> bool:
    """Whether `count` requests for neighbouring blocks, `length` bytes together, can be meant.

    BEP 3: everyone asks for at most 2**14 bytes, and closes on who asks for more.
    """
    return length <= count * BLOCK and geometry.contains(piece, begin, length)
