"""Whom to serve: the best givers while we download, the best takers while we seed, and one by chance (BEP 3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

RECHOKE_SECONDS = 10.0
OPTIMISTIC_SECONDS = 30.0
NEW_PEER_SECONDS = 60.0
NEW_PEER_WEIGHT = 3  # Cohen, 2003: a newcomer has nothing to trade yet


@dataclass(frozen=True, slots=True)
class Contender:
    """A peer as the choker sees it.

    Attributes:
        number: of the peer.
        interested: it wants something of ours.
        rate: bytes per second it gives us, or takes from us while we seed.
        snubbed: it owes us blocks and sends none.
        age: seconds since it joined.
    """

    number: int
    interested: bool
    rate: float
    snubbed: bool
    age: float


def rechoke(contenders: Sequence[Contender], slots: int, optimistic: int | None) -> frozenset[int]:
    """The peers to leave unchoked this round, best first; ties go to who came first.

    Args:
        contenders: all peers.
        slots: peers to serve at a time, the optimistic one included.
        optimistic: the number of the peer that has a turn by chance, or None.
    """
    ranked = sorted(
        (c for c in contenders if c.interested and not c.snubbed and c.number != optimistic),
        key=lambda c: (-c.rate, c.number),
    )
    turn = [c.number for c in contenders if c.number == optimistic and c.interested]
    return frozenset((turn + [c.number for c in ranked])[: max(0, slots)])


def optimistic(contenders: Sequence[Contender], unchoked: frozenset[int], rng: "Random") -> int | None:
    """A peer to serve by chance: interested and not served; newcomers weigh more. None when there is none."""
    waiting = [c for c in contenders if c.interested and c.number not in unchoked]
    if not waiting:
        return None
    weights = [NEW_PEER_WEIGHT if c.age < NEW_PEER_SECONDS else 1 for c in waiting]
    return rng.choices([c.number for c in waiting], weights)[0]
