"""Which requests no honest client makes. All others are served or refused, never dropped in silence."""

from bittern.base.geometry import BLOCK, Geometry

CHOKED_MOST = 300
"""Requests of a choked peer, beyond those it may ask ahead, that are refused before the peer is dropped."""


def is_honest(geometry: Geometry, piece: int, begin: int, length: int, count: int) -> bool:
    """Whether `count` requests for neighbouring blocks, `length` bytes together, can be meant.

    BEP 3: everyone asks for at most 2**14 bytes, and closes on who asks for more.
    """
    return length <= count * BLOCK and geometry.contains(piece, begin, length)
