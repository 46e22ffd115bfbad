"""Limits of flows in a tree: what passes a leaf passes everything above it too, and who waits takes turns.

A tree has one place for the whole process, below it places for groups, torrents and peers. Each may have a limit of
its own. Nothing sleeps: a place says how much may pass now, or when to ask again.
"""

from math import inf
from typing import Self

from .geometry import BLOCK
from .rate import BURST_SECONDS, QUANTUM_SECONDS, TokenBucket

_MEMORY_UNITS = 16
"""So much more than others a place may have got that it is made good later."""

_NOBODY: "dict[Throttle, float]" = {}  # never written to: most places have nobody waiting


class Throttle:
    """One place in a tree of limits.

    Places below it that were refused stand in a line. When something may pass again, those in the line share it in
    equal parts, in the order they came; where there is not a whole unit for each, the first ones get one and the
    others keep their places. So none of the limits is exceeded by more than a unit, and nobody gets ahead by asking
    more often.

    Args:
        above: the place that all of this passes too; None for the top of a tree.
        limit: bytes per second; `math.inf` for none.
        unit: the least that passes at a time.
        burst_seconds: so much of the limit may be saved up.

    Attributes:
        beside: a place in another tree that all of this passes, too, such as one of a class of peers; or None.

    Attributes, for the other places of the tree:
        above: the next place of the way.
        bucket: its own limit, or None.
        passed: bytes, and what passed while nothing was wanted.
        due: when to ask again, set when nothing may pass.
        shares: what places below may take in this instant.
    """

    __slots__ = (
        "_burst_seconds",
        "_level",
        "_line",
        "_next_at",
        "_shared_at",
        "_unit",
        "above",
        "beside",
        "bucket",
        "due",
        "passed",
        "shares",
    )

    def __init__(
        self, above: Self | None = None, limit: float = inf, unit: int = BLOCK, burst_seconds: float = BURST_SECONDS
    ) -> None:
        self.above = above
        self.beside: Throttle | None = None
        self.bucket = TokenBucket(limit, burst_seconds) if limit != inf else None
        self._burst_seconds = burst_seconds
        self._unit = unit
        self.due = inf
        self._line: dict[Throttle, None] = {}
        self.shares: dict[Throttle, float] = _NOBODY  # what each may still take in this instant
        self._shared_at = -inf
        self._level = 0.0  # what the place that was served least had passed when it was shared out last
        self.passed = 0.0
        self._next_at = -inf  # when something that is left over is shared out

    @property
    def limit(self) -> float:
        """Bytes per second of this place alone; `math.inf` for none."""
        return self.bucket.limit if self.bucket is not None else inf

    def set_limit(self, limit: float) -> None:
        """Bytes per second from now on; `math.inf` for none. Who waits should ask again."""
        self._next_at = -inf
        if self.bucket is not None:
            self.bucket.set_limit(limit)
        elif limit != inf:
            self.bucket = TokenBucket(limit, self._burst_seconds)

    def move(self, above: Self) -> None:
        """From now on all of this passes `above`, and no more what it passed before."""
        self.above = above

    def available(self, now: float) -> float:
        """How much may pass now, everything above included; zero means wait until `ready_at`.

        Who may pass something may pass a whole unit: what is too much is owed.
        """
        beside, place = self.beside, self
        while place.bucket is None:
            if place.above is None:
                return inf if beside is None else self._room_beside(beside, now)
            place = place.above
        room = self._room(now)
        return room if beside is None or room <= 0 else min(room, self._room_beside(beside, now))

    def take(self, count: int) -> None:
        """`count` bytes passed."""
        place: Throttle | None = self
        while place is not None:
            if place.bucket is not None:
                place.bucket.take(count)
            above = place.above
            if above is not None and above.shares and place in above.shares:
                above.shares[place] -= count
            place.passed += count
            place = above
        if self.beside is not None:
            self.beside.take(count)

    def give_back(self, count: int) -> None:
        """`count` bytes that were taken did not pass after all."""
        place: Throttle | None = self
        while place is not None:
            if place.bucket is not None:
                place.bucket.give_back(count)
            place = place.above
        if self.beside is not None:
            self.beside.give_back(count)

    def ready_at(self, now: float) -> float:
        """When to ask again; `now` when something may pass, `math.inf` where it is forbidden for good."""
        return now if self.available(now) > 0 else self.due

    def _room_beside(self, beside: "Throttle", now: float) -> float:
        """What may pass there; sets `due` when it is nothing."""
        room = beside.available(now)
        if room <= 0:
            self.due = beside.due
        return room

    def _room(self, now: float) -> float:
        """As `available`; sets `due` when it is nothing."""
        own = inf
        if self.bucket is not None:
            own = self.bucket.available(now)
            if own <= 0:
                self.due = self.bucket.ready_at(now)
                return 0.0
        return own if self.above is None else min(own, self.above.share_of(self, now))

    def share_of(self, below: "Throttle", now: float) -> float:
        """What `below` may take of what may pass here; sets its `due` when it is nothing."""
        room = self._room(now)
        if room == inf:
            return inf
        if self._shared_at != now:
            self.shares = _NOBODY  # what was not taken is for all again
            if self._line and room > 0 and now >= self._next_at:
                self._share_out(room, now)
        if room > 0:
            if self._shared_at != now and not self._line:
                self._level = below.passed = max(below.passed, self._level)
                return room
            if self.shares.get(below, 0.0) >= self._unit:
                return min(room, self.shares[below])
            below.due = self.next_round(now)
        else:
            self._next_at = -inf
            below.due = self.due
        self.stand_in_line(below)
        return 0.0

    def stand_in_line(self, below: "Throttle") -> None:
        """`below` wants more than it may take now. Who did not want before has no claim to what passed without it."""
        if below not in self._line:
            below.passed = max(below.passed, self._level)
            self._line[below] = None

    def next_round(self, now: float) -> float:
        """When what is left is shared out: all who wait are told the same moment, so that all are there then."""
        above = self.above
        if above is not None and (room := above.available(now)) != inf:
            above.stand_in_line(self)
            self._next_at = above.next_round(now) if room > 0 else above.due
        elif self._next_at <= now:
            self._next_at = now + QUANTUM_SECONDS
        return self._next_at

    def _share_out(self, room: float, now: float) -> None:
        """Divide `room` among those who wait, so that all have passed the same; none gets less than a unit."""
        waiting = sorted(self._line, key=lambda place: place.passed)
        self._level = waiting[0].passed
        for place in waiting:  # what passed while there was no limit is not held against anybody for long
            place.passed = min(place.passed, self._level + room + _MEMORY_UNITS * self._unit)
        self.shares, self._shared_at = {}, now
        total, level = 0.0, 0.0
        for count, place in enumerate(waiting, start=1):
            total += place.passed
            level = (room + total) / count
            if count == len(waiting) or waiting[count].passed >= level:
                break
        for place in waiting:
            if level - place.passed < self._unit:
                break
            self.shares[place] = level - place.passed
        if not self.shares:
            self.shares[waiting[0]] = self._unit
        for place in self.shares:
            del self._line[place]
