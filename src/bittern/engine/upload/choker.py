"""Whom to serve: a ranking, and some by chance (BEP 3). Which ranking is a matter of taste, each is a function.

A ranking gives each contender a key: the lowest are served. Ties go to who came first.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import Enum, unique
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from random import Random

RECHOKE_SECONDS = 10.0
OPTIMISTIC_SECONDS = 30.0
OPTIMISTIC_SHARE = 5
"""One slot in so many is given by chance, and never less than one."""
NEW_PEER_SECONDS = 60.0
NEW_PEER_WEIGHT = 3  # Cohen, 2003: a newcomer has nothing to trade yet

LAGGING_SHARE = 0.8
"""Who has less than this part of what all have on average, lags behind."""
TRIAL_PIECES = 2
"""Who took so many pieces more than it gave, had its chance to give something for them..."""
DEBTOR_WEIGHT = 0.1
"""... and is seldom given another one."""


@unique
class SeedChoker(Enum):
    """Whom a seed serves: nobody can pay it back."""

    FASTEST = "fastest"
    """Who takes most: the copies are out soonest."""
    ROUND_ROBIN = "round-robin"
    """Everybody in turn, each until it got its share."""
    ANTI_LEECH = "anti-leech"
    """Who has just begun or has almost everything: the ones need something to trade, the others will be seeds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A peer as the choker sees it.

    Attributes:
        number: of the peer.
        interested: it wants something of ours.
        gives: bytes per second that it gives us.
        takes: bytes per second that it takes from us.
        snubbed: it owes us blocks and sends none.
        age: seconds since it joined.
        served: it is not choked.
        stint: how much of its stint is used up: 0 when it is not served, 1 and more when it is over.
        waited: rounds that it wanted to be served and was not, since it was last served.
        progress: the part of the torrent that it has, 0 to 1.
        debt: pieces that it took from us ever and gave nothing for; less than 0 where it gave more than it took.
    """

    number: int
    interested: bool = True
    gives: float = 0.0
    takes: float = 0.0
    snubbed: bool = False
    age: float = 0.0
    served: bool = False
    stint: float = 0.0
    waited: int = 0
    progress: float = 0.0
    debt: float = 0.0


Ranking: TypeAlias = Callable[[Contender], tuple[float, ...]]


def tit_for_tat(one: Contender) -> tuple[float, ...]:
    """For leechers: who gives most is served; of those who give nothing now, who owes least, then who waits longest."""
    return (-one.gives, max(0, int(one.debt)), -one.waited)


def fastest(one: Contender) -> tuple[float, ...]:
    """See SeedChoker.FASTEST."""
    return (-one.takes,)


def round_robin(one: Contender) -> tuple[float, ...]:
    """See SeedChoker.ROUND_ROBIN: a stint that was begun goes on, then come those who wait, the longest first."""
    if not one.served:
        return (1.0, -one.waited)
    return (0.0, 0.0) if one.stint < 1 else (2.0, one.stint)


def anti_leech(one: Contender) -> tuple[float, ...]:
    """See SeedChoker.ANTI_LEECH; among equals, who is served already."""
    return (-abs(one.progress - 0.5), not one.served)


SEED_RANKINGS: dict[SeedChoker, Ranking] = {
    SeedChoker.FASTEST: fastest,
    SeedChoker.ROUND_ROBIN: round_robin,
    SeedChoker.ANTI_LEECH: anti_leech,
}


def rechoke(contenders: Sequence[Contender], slots: int, lucky: Collection[int], ranking: Ranking) -> frozenset[int]:
    """The peers to leave unchoked this round, best first.

    Args:
        contenders: all peers.
        slots: peers to serve at a time, the lucky ones included.
        lucky: numbers of the peers that are served by chance.
        ranking: orders the others.
    """
    ranked = sorted(
        (one for one in contenders if one.interested and not one.snubbed and one.number not in lucky),
        key=lambda one: (ranking(one), one.number),
    )
    first = sorted(one.number for one in contenders if one.interested and one.number in lucky)
    return frozenset((first + [one.number for one in ranked])[: max(0, slots)])


def optimistic(contenders: Sequence[Contender], unchoked: Collection[int], rng: "Random") -> int | None:
    """A peer to serve by chance: interested and not served. None when there is none.

    Newcomers weigh more, and so does who lags behind the others: they want little of it, and so it gets little.
    Who was tried, and gave nothing for what it took, weighs less than all others.
    """
    waiting = [one for one in contenders if one.interested and one.number not in unchoked]
    if not waiting:
        return None
    little = LAGGING_SHARE * sum(one.progress for one in contenders) / len(contenders)
    weights = [_weight(one, little) for one in waiting]
    return rng.choices([one.number for one in waiting], weights)[0]


def _weight(one: Contender, little: float) -> float:
    if one.debt >= TRIAL_PIECES:
        return DEBTOR_WEIGHT
    return NEW_PEER_WEIGHT if one.age < NEW_PEER_SECONDS or one.progress < little else 1


def by_chance(
    contenders: Sequence[Contender], slots: int, lucky: Collection[int], ranking: Ranking, rng: "Random"
) -> list[int]:
    """Who is newly served by chance, beside the `lucky` ones whose time is not over.

    Slots that nobody deserves, because the others snub us, are given by chance too: so a leecher recovers sooner
    (BEP 3, anti-snubbing).
    """
    share = min(slots, max(1, slots // OPTIMISTIC_SHARE))
    deserving = rechoke(contenders, slots - share, (), ranking)
    drawn: list[int] = []
    while len(lucky) + len(drawn) < max(share, slots - len(deserving)):
        number = optimistic(contenders, {*deserving, *lucky, *drawn}, rng)
        if number is None:
            break
        drawn.append(number)
    return drawn
