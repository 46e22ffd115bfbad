"""How many peers are served at a time: as many as one says, or as many as it takes to fill the line."""

from enum import Enum, unique
from typing import Protocol

GROWTH_SHARE = 0.5
"""A further slot pays if it brings this part of what the others bring each."""
REST_ROUNDS = 6
"""After a slot that did not pay, so many rounds pass before another is tried: lines change."""
LOSS = 0.5
"""Where the rate falls to this part of what it was, the slots are counted anew from the least."""


@unique
class SlotCount(Enum):
    """Who says how many peers of a torrent are served at a time."""

    FIXED = "fixed"
    """`upload_slots` are."""
    AUTOMATIC = "automatic"
    """From `upload_slots` on, one more as long as more goes out by that."""


class Slots(Protocol):
    """The number of slots, settled once a round."""

    count: int

    def next_round(self, used: int, rate: float) -> None:
        """A round is over.

        Args:
            used: peers that are served and want something.
            rate: bytes per second that went out in all.
        """
        ...


class FixedSlots:
    """Always the same number."""

    def __init__(self, count: int) -> None:
        self.count = count

    def next_round(self, used: int, rate: float) -> None:
        """See Slots."""


class AutomaticSlots:
    """Climbs: a slot is added when all are in use, and taken back when no more goes out by it.

    A line that is not full sends more when one more peer is served; one that is full only sends each of them less,
    and a peer that gets little from each of many is worse off than one that gets much from a few.

    Args:
        least: never less.
        most: never more.
    """

    def __init__(self, least: int, most: int) -> None:
        self.count = self._least = least
        self._most = most
        self._before: float | None = None  # the rate before the last slot was added, while that is being tried
        self._rest = 0
        self._best = 0.0

    def next_round(self, used: int, rate: float) -> None:
        """See Slots."""
        if rate < LOSS * self._best:
            self.count, self._before, self._rest, self._best = self._least, None, 0, rate
        self._best = max(self._best, rate)
        if self._before is not None and used >= self.count:
            paid = rate >= self._before * (1 + GROWTH_SHARE / max(1, self.count - 1))
            self._before = None
            if not paid:
                self.count -= 1
                self._rest = REST_ROUNDS
                return
        if self._rest:
            self._rest -= 1
        elif used >= self.count and self.count < self._most and self._before is None:
            self._before = rate
            self.count += 1


def slots_for(kind: SlotCount, count: int, most: int) -> Slots:
    """What counts the slots of a torrent that may have `most` peers."""
    return FixedSlots(count) if kind is SlotCount.FIXED else AutomaticSlots(count, max(count, most))
