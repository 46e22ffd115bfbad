"""When the distributed hash table is asked for peers of torrents, and told of us: each in turn, never all at once."""

from collections.abc import Callable, Iterable
from itertools import islice
from math import inf
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from random import Random

T = TypeVar("T")

INTERVAL_SECONDS: Final = 15 * 60.0
"""Between two announces of a torrent; nodes remember for twice as long at least."""
LEAST_SECONDS: Final = 12 * 60.0
"""Never is one announced again sooner, unless others reach us elsewhere."""
RETRY_SECONDS: Final = 5.0
"""After a search that nobody answered; twice as long after each more."""
HUNGRY_SECONDS: Final = 15.0
"""After a search for a torrent that needs peers and has none; twice as long after each more. None announces it."""
AT_ONCE: Final = 8
"""Searches at once."""
ASLEEP_AT_ONCE: Final = 8
"""Announces of torrents that sleep at once, beside those."""
STEP_SECONDS: Final = 1.0
"""The longest time between two of them while some wait."""
LOOKED_AT: Final = 2000
"""Torrents that one call looks at."""


class DhtSchedule:
    """Decides whose turn it is among those that are awake.

    Args:
        rng: spreads them.
    """

    def __init__(self, rng: "Random") -> None:
        self._rng = rng
        self._due: dict[bytes, float] = {}
        self._vain: dict[bytes, int] = {}

    def take_due(
        self, torrents: Iterable[bytes], now: float, earliest: Callable[[bytes], float] = lambda _: -inf
    ) -> list[bytes]:
        """The torrents to look for now, those that waited longest first; `done` is to follow for each.

        Args:
            torrents: the info hashes of all that take part; others are forgotten.
            now: the time.
            earliest: of one that is new here, when it may be looked for.
        """
        known = self._due
        self._due = {key: known[key] if key in known else max(now, earliest(key)) for key in torrents}
        self._vain = {key: count for key, count in self._vain.items() if key in self._due}
        busy = sum(due == inf for due in self._due.values())
        ready = sorted((key for key, due in self._due.items() if due <= now), key=self._due.__getitem__)
        chosen = ready[: max(0, AT_ONCE - busy)]
        self._due.update(dict.fromkeys(chosen, inf))
        return chosen

    def again(self) -> None:
        """Something is new that all nodes should hear of: everybody's turn is now. Searches under way are given up."""
        self._due = dict.fromkeys(self._due, -inf)

    def done(self, torrent: bytes, now: float, *, answers: int, hungry: bool = False) -> None:
        """A search has come to its end.

        Args:
            torrent: its info hash.
            now: the time.
            answers: how many there were.
            hungry: whether it needs peers, and has none.
        """
        if torrent not in self._due:
            return
        wait = INTERVAL_SECONDS
        if hungry or not answers:
            times = self._vain[torrent] = self._vain.get(torrent, 0) + 1
            wait = min(wait, (HUNGRY_SECONDS if answers else RETRY_SECONDS) * 2.0 ** min(times - 1, 20))
        else:
            self._vain.pop(torrent, None)
        self._due[torrent] = now + wait * self._rng.uniform(0.9, 1.1)


class Rota(Generic[T]):
    """Decides whose turn it is among many that sleep, and knows none of them but those of the round that goes on.

    A round begins every 15 minutes and takes everybody who is there then, one after the other: the more there are the
    faster, as far as no more are under way at once than may be.
    """

    def __init__(self) -> None:
        self._round: list[T] = []
        self._at = 0
        self._step = STEP_SECONDS
        self._round_due = -inf
        self._next_due = -inf
        self._busy = 0

    def take(self, members: Iterable[T], is_due: Callable[[T], bool], now: float) -> list[T]:
        """Those whose turn is now; `done` is to follow for each.

        Args:
            members: everybody, in an order that stays; looked at when a round begins.
            is_due: whether one takes part, and was not announced lately.
            now: the time.
        """
        if self._at >= len(self._round):
            if now < self._round_due:
                return []
            self._round, self._at = list(members), 0
            self._round_due, self._next_due = now + INTERVAL_SECONDS, now
            self._step = min(STEP_SECONDS, INTERVAL_SECONDS / max(1, len(self._round)))
        chosen = []
        for member in islice(self._round, self._at, self._at + LOOKED_AT):
            if self._busy >= ASLEEP_AT_ONCE or self._next_due > now:
                break
            self._at += 1
            if is_due(member):
                chosen.append(member)
                self._busy += 1
                self._next_due = max(self._next_due, now - STEP_SECONDS) + self._step
        if self._at >= len(self._round):
            self._round = []
        return chosen

    def again(self) -> None:
        """Something is new that all nodes should hear of: the next round begins now."""
        self._round, self._at, self._round_due = [], 0, -inf

    def done(self) -> None:
        """An announce has come to its end."""
        self._busy -= 1
