"""Which piece next: rarest first, by an order that is kept up to date instead of sorted.

`_order` holds the pieces that nobody was asked for yet, grouped by availability; `_bounds[n]` is where the
group of availability `n` ends. A piece that becomes one copy more or less common moves across one bound with
one swap. Seeds are not counted piece by piece: they shift nothing.
"""

from typing import TYPE_CHECKING

from bittern.base.bitfield import Bitfield

if TYPE_CHECKING:
    from random import Random

RANDOM_FIRST = 4
"""Pieces picked at random before the rarest come: something to trade at once (Cohen, 2003)."""

_NOWHERE = -1
_LOOK = 64  # pieces that are looked at one by one before the whole sets are compared


class Picker:
    """The pieces of one torrent that are wanted and not begun.

    Args:
        size: pieces of the torrent.
        missing: those wanted and not there.
        rng: shuffles pieces of equal availability.
        group: neighbouring pieces that are fetched one after the other when equally rare; 1 for none.
        sequential: lowest piece first instead.
    """

    def __init__(
        self, size: int, missing: Bitfield, rng: "Random", *, group: int = 1, sequential: bool = False
    ) -> None:
        self._group = group
        self._availability = [0] * size
        self._order = list(missing)
        if not sequential:
            rng.shuffle(self._order)
        self._free = missing.copy()
        self._where = [_NOWHERE] * size
        for at, piece in enumerate(self._order):
            self._where[piece] = at
        self._bounds = [len(self._order)]
        self._rng = rng
        self._sequential = sequential
        self._picked = 0

    def __len__(self) -> int:
        return len(self._order)

    def __contains__(self, piece: int) -> bool:
        return self._where[piece] != _NOWHERE

    def availability(self, piece: int) -> int:
        """Peers that have `piece`, seeds left out."""
        return self._availability[piece]

    def peer_gained(self, piece: int) -> None:
        """A peer that is no seed has `piece` now."""
        level = self._availability[piece]
        self._availability[piece] = level + 1
        if self._where[piece] == _NOWHERE or self._sequential:
            return
        self._bounds.extend([self._bounds[-1]] * (level + 2 - len(self._bounds)))
        self._bounds[level] -= 1
        self._swap(self._where[piece], self._bounds[level])

    def peer_lost(self, piece: int) -> None:
        """A peer that had `piece` is gone."""
        level = self._availability[piece]
        self._availability[piece] = level - 1
        if self._where[piece] == _NOWHERE or self._sequential:
            return
        self._swap(self._where[piece], self._bounds[level - 1])
        self._bounds[level - 1] += 1

    def begun(self, piece: int) -> None:
        """`piece` was opened: it is no longer the picker's."""
        at = self._where[piece]
        if self._sequential:
            self._order.remove(piece)
        else:
            # Bubble the hole up to the end: one swap for each level of availability above.
            for level in range(self._availability[piece], len(self._bounds)):
                self._bounds[level] -= 1
                self._swap(at, self._bounds[level])
                at = self._bounds[level]
            self._order.pop()
        self._where[piece] = _NOWHERE
        self._free.discard(piece)
        self._picked += 1

    def returned(self, piece: int) -> None:
        """`piece` must be asked for again from the start."""
        self._free.add(piece)
        if self._sequential:
            self._order.append(piece)
            self._order.sort()
            self._where[piece] = 0
            return
        self._order.append(piece)
        at = len(self._order) - 1
        self._where[piece] = at
        level = self._availability[piece]
        self._bounds.extend([self._bounds[-1]] * (level + 1 - len(self._bounds)))
        for above in range(len(self._bounds) - 1, level - 1, -1):
            self._bounds[above] += 1
            if above > level:
                self._swap(at, self._bounds[above - 1])
                at = self._bounds[above - 1]

    def pick(self, has: Bitfield, after: int = _NOWHERE) -> int | None:
        """The piece to begin with a peer that has the pieces `has`; None when it has none of ours.

        `after` is what it was asked for last: disks like neighbours.
        """
        order = self._order
        if not order:
            return None
        following = after + 1
        if following % self._group and following in has and self._where[following] != _NOWHERE:
            rarest = self._availability[order[0]]
            if self._availability[following] == rarest or self._sequential:
                return following
        if self._sequential:
            return self._first(has, 0)
        if self._picked < RANDOM_FIRST:
            return self._first(has, self._rng.randrange(len(order)))
        # What no counted peer has can only be had from a seed.
        return order[0] if has.complete else self._first(has, self._bounds[0])

    def _first(self, has: Bitfield, start: int) -> int | None:
        """The first piece of `has` from `start` on in the order, then round from its beginning."""
        order, where = self._order, self._where
        for at in range(start, min(start + _LOOK, len(order))):
            if order[at] in has:
                return order[at]
        common = self._free.common(has)
        if self._sequential:
            return min(common, default=None)
        return min(common, key=lambda piece: (where[piece] - start) % len(order), default=None)

    def check_invariants(self) -> None:
        """Raise AssertionError where the order is not by availability (tests and sim)."""
        for at, piece in enumerate(self._order):
            assert self._sequential or self._where[piece] == at
        assert sum(place != _NOWHERE for place in self._where) == len(self._order) == len(self._free)
        assert all(piece in self._free for piece in self._order)
        if self._sequential:
            assert self._order == sorted(self._order)
            return
        assert self._bounds[-1] == len(self._order)
        start = 0
        for level, stop in enumerate(self._bounds):
            assert all(self._availability[piece] == level for piece in self._order[start:stop])
            start = stop

    def _swap(self, one: int, other: int) -> None:
        if one != other:
            order, where = self._order, self._where
            order[one], order[other] = order[other], order[one]
            where[order[one]] = one
            where[order[other]] = other
