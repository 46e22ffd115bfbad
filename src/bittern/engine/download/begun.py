"""Which of the begun pieces a peer is asked for: what is begun is finished before more is begun.

A peer that is fast enough for whole pieces begins its own, and they are left to it: one that waits for a block of a
slow peer is held up by it, and of a bad piece that came from one peer the liar is known. Slow peers share. Both ends
where too much is begun, or where nothing is left to begin: then whoever can helps with whatever it can.
"""

from collections.abc import Mapping
from enum import Enum, unique

from bittern.base.bitfield import Bitfield

from .open_pieces import OpenPiece

_PEERS, _PIECES = 2, 3  # of these peers so many pieces may wait for more requests


@unique
class Reach(Enum):
    """What of that which is begun a peer is asked for."""

    OWN = "what was left to it"
    SHARED = "that, and what is left to nobody"
    ALL = "those first, then also what was left to others"


def too_many(partial: int, peers: int) -> bool:
    """Whether so many pieces that are not all asked for are too many to begin one beside them."""
    return partial * _PEERS >= max(1, peers) * _PIECES


def choose(askable: Mapping[int, OpenPiece], peer: int, has: Bitfield, reach: Reach, *, exhausted: bool) -> int | None:
    """The begun piece to ask a peer for; None where there is none for it.

    Args:
        askable: pieces of which not all is asked for, the first ones first.
        peer: its number.
        has: its pieces.
        reach: what it is asked for.
        exhausted: whether there is no memory for more of a piece than has some.
    """
    own, shared, other = reach is Reach.OWN, reach is Reach.SHARED, None
    for piece, opened in askable.items():
        left_to = opened.left_to
        if left_to != peer and (own or (left_to is not None and (shared or other is not None))):
            continue
        if (opened.owner is not None and opened.owner != peer) or (exhausted and not opened.free) or piece not in has:
            continue
        if left_to is None or left_to == peer:
            return piece
        other = piece
    return other
