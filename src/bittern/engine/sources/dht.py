"""When the distributed hash table is asked for peers of torrents, and told of us: each in turn, never all at once."""

from collections.abc import Iterable
from math import inf
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from random import Random

INTERVAL_SECONDS: Final = 15 * 60.0
"""Between two announces of a torrent; nodes remember for twice as long at least."""
RETRY_SECONDS: Final = 5.0
"""After a search that nobody answered; twice as long after each more."""
AT_ONCE: Final = 8
"""Searches at once."""


class DhtSchedule:
    """Decides whose turn it is.

    Args:
        rng: spreads them.
    """

    def __init__(self, rng: "Random") -> None:
        self._rng = rng
        self._due: dict[bytes, float] = {}
        self._failures: dict[bytes, int] = {}

    def take_due(self, torrents: Iterable[bytes], now: float) -> list[bytes]:
        """The torrents to look for now, those that waited longest first; `done` is to follow for each.

        Args:
            torrents: the info hashes of all that take part; others are forgotten.
            now: the time.
        """
        self._due = {key: self._due.get(key, now) for key in torrents}
        self._failures = {key: count for key, count in self._failures.items() if key in self._due}
        busy = sum(due == inf for due in self._due.values())
        ready = sorted((key for key, due in self._due.items() if due <= now), key=self._due.__getitem__)
        chosen = ready[: max(0, AT_ONCE - busy)]
        self._due.update(dict.fromkeys(chosen, inf))
        return chosen

    def done(self, torrent: bytes, now: float, *, answers: int) -> None:
        """A search has come to its end, with so many answers."""
        if torrent not in self._due:
            return
        self._failures[torrent] = 0 if answers else self._failures.get(torrent, 0) + 1
        wait = INTERVAL_SECONDS
        if not answers:
            wait = min(wait, RETRY_SECONDS * 2.0 ** min(self._failures[torrent] - 1, 20))
        self._due[torrent] = now + wait * self._rng.uniform(0.9, 1.1)
