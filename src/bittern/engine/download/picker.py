"""Which piece next: of the highest priority, and of those the rarest, by sets of pieces instead of sorted lists.

Nothing is kept in order. The best pieces of all are looked up a batch at a time (`_Batch`), and a peer that has one of
them is asked for it; for a peer that has none, what it has is cut down to its own best. Seeds are not counted: they
shift nothing.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bittern.base.bitfield import Bitfield, members

from .availability import Availability
from .in_order import InOrder
from .priorities import NORMAL

if TYPE_CHECKING:
    from random import Random

RANDOM_FIRST = 4
"""Pieces picked at random before the rarest come: something to trade at once (Cohen, 2003)."""

_NOWHERE = -1
_BATCH = 64  # equally good pieces looked up together


class _Batch:
    """Some of the best pieces of a pool, the best last: no piece of the pool is better, whoever comes.

    Attributes:
        pieces: those not yet found stale.
        level: peers that had each of them; who has more by now is no longer among the best. -1 before there are any.
    """

    __slots__ = ("level", "pieces")

    def __init__(self) -> None:
        self.pieces: list[int] = []
        self.level = _NOWHERE


class Picker:
    """The pieces of one torrent that are wanted and not begun.

    Args:
        size: pieces of the torrent.
        missing: those wanted and not there.
        rng: draws from pieces that are equally good.
        group: neighbouring pieces that are fetched one after the other when equally rare; 1 for none.
        sequential: lowest piece first instead.
    """

    def __init__(
        self, size: int, missing: Bitfield, rng: "Random", *, group: int = 1, sequential: bool = False
    ) -> None:
        self._group = group
        self._size = size
        self._availability = Availability(size)
        self._free = missing.copy()
        self._priorities: Sequence[int] = ()
        self._ranks: list[int] = []  # sets of pieces of one priority each, highest first; none where all are equal
        self._rng = rng
        self._in_order = InOrder(missing) if sequential else None
        self._picked = 0
        self._of_all = _Batch()  # the best of what is free: for seeds
        self._of_counted = _Batch()  # the best of what counted peers have

    def __len__(self) -> int:
        return len(self._free)

    def __contains__(self, piece: int) -> bool:
        return piece in self._free

    def availability(self, piece: int) -> int:
        """Peers that have `piece`, seeds left out."""
        return self._availability.of(piece)

    def priority(self, piece: int) -> int:
        """How much `piece` is wanted, 0 to 7."""
        return self._priorities[piece] if self._priorities else NORMAL

    def prioritize(self, priorities: Sequence[int], free: Bitfield) -> None:
        """From now on each piece has its own priority.

        Args:
            priorities: 0 to 7 for each piece.
            free: pieces with a priority above 0 that are not there and not begun.
        """
        self._free = free.copy()
        self._priorities = bytes(priorities)
        kinds = sorted({*self._priorities} - {0}, reverse=True)
        spare = -self._size % 8
        self._ranks = [
            int(self._priorities.translate(b"0" * kind + b"1" + b"0" * (255 - kind)), 2) << spare for kind in kinds
        ]
        if len(self._ranks) < 2:
            self._ranks = []
        if self._in_order is not None:
            self._in_order = InOrder(free, self._priorities)
        self._forget()

    def peer_gained(self, piece: int) -> None:
        """A peer that is no seed has `piece` now."""
        self._availability.gain(piece)
        if (self._of_counted.level > 1 or self._ranks) and self._availability.of(piece) == 1:
            self._of_counted.pieces.clear()  # none had it before, so it was not in that pool

    def peer_lost(self, piece: int) -> None:
        """A peer that is no seed and had `piece` has it no more."""
        self._availability.lose(piece)
        self._forget()

    def peer_joined(self, has: Bitfield) -> None:
        """A peer that is no seed came, with the pieces `has`."""
        self._availability.gain_all(has.as_int())
        self._of_counted.pieces.clear()

    def peer_left(self, has: Bitfield) -> None:
        """A peer that is no seed is gone, and the pieces `has` with it."""
        self._availability.lose_all(has.as_int())
        self._forget()

    def begun(self, piece: int) -> None:
        """`piece` was opened: it is no longer the picker's."""
        self._free.discard(piece)
        self._picked += 1
        if self._in_order is not None:
            self._in_order.begun(piece)

    def returned(self, piece: int) -> None:
        """`piece` must be asked for again from the start."""
        self._free.add(piece)
        self._forget()
        if self._in_order is not None:
            self._in_order.returned(piece)

    def pick(self, has: Bitfield, after: int = _NOWHERE, *, common: bool = False) -> int | None:
        """The piece to begin with a peer that has the pieces `has`; None when it has none of ours.

        Args:
            has: what the peer has.
            after: what it was asked for last: disks like neighbours.
            common: the commonest piece instead of the rarest: for a peer that may never finish it.
        """
        if not self._free.count:
            return None
        if self._in_order is not None:
            return self._in_order.pick(has)
        if common:
            return self._draw_one(self._availability.commonest(self._wanted_most(self._of(has))))
        if self._picked < RANDOM_FIRST and self._availability.planes:
            return self._draw_one(self._wanted_most(self._of(has)))
        complete = has.complete
        batch = self._of_all if complete else self._of_counted
        self._refill(batch)
        following = after + 1
        if following % self._group and following in has and self._is_among(following, batch):
            return following
        if complete:
            return batch.pieces[-1]
        for piece in reversed(batch.pieces):
            if piece in has and self._is_fresh(piece, batch):
                return piece
        return self._draw_one(self._best(self._of(has)))

    def for_long_runs(self, among: int) -> int:
        """Those of the set `among` that are free and wanted most, the rarest left out: peers keep those.

        What no counted peer has comes first.
        """
        if not self._free.count:
            return 0
        pool = self._wanted_most(self._free.as_int() & among)
        held = pool & self._availability.counted()
        if held != pool:
            return pool ^ held
        rarest = self._availability.rarest(pool)
        return pool ^ rarest or pool

    def _of(self, has: Bitfield) -> int:
        """The set of what is free and may be had."""
        return self._free.as_int() if has.complete else self._free.as_int() & has.as_int()

    def _wanted_most(self, pieces: int) -> int:
        """Those of the set `pieces` that have the highest priority."""
        for rank in self._ranks:
            if pieces & rank:
                return pieces & rank
        return pieces

    def _best(self, pieces: int) -> int:
        return self._availability.rarest(self._wanted_most(pieces))

    def _draw_one(self, pieces: int) -> int | None:
        drawn = self._draw(pieces)
        return drawn[-1] if drawn else None

    def _draw(self, pieces: int) -> list[int]:
        """Some of a set: a neighbourhood at random, shuffled."""
        drawn = members(pieces, self._size, self._rng.randrange(self._size), _BATCH)
        self._rng.shuffle(drawn)
        return drawn

    def _refill(self, batch: _Batch) -> None:
        """Take stale pieces off the end of a batch; look up new ones when none are left."""
        pieces, level, free, availability = batch.pieces, batch.level, self._free, self._availability
        while pieces and (
            pieces[-1] not in free or (level >= 0 and availability.planes and availability.of(pieces[-1]) != level)
        ):
            pieces.pop()
        if pieces:
            return
        pool = free.as_int()
        if batch is self._of_counted:
            pool &= availability.counted()
        batch.pieces = self._draw(self._best(pool))
        batch.level = _NOWHERE if not batch.pieces else availability.of(batch.pieces[0])

    def _is_fresh(self, piece: int, batch: _Batch) -> bool:
        """Whether a piece of a batch is still among the best."""
        return piece in self._free and (batch.level < 0 or self._availability.of(piece) == batch.level)

    def _is_among(self, piece: int, batch: _Batch) -> bool:
        """Whether a piece is as good as those of a batch, though perhaps it was not drawn."""
        if not batch.pieces or not self._is_fresh(piece, batch):
            return False
        return not self._ranks or self._priorities[piece] == self._priorities[batch.pieces[-1]]

    def _forget(self) -> None:
        self._of_all.pieces.clear()
        self._of_counted.pieces.clear()

    def check_invariants(self) -> None:
        """Raise AssertionError where a batch claims what is not so (tests and sim)."""
        self._free.check_invariants()
        if self._in_order is not None:
            self._in_order.check_invariants(self._free)
        counted = self._free.as_int() & self._availability.counted()
        for batch, pool in ((self._of_all, self._free.as_int()), (self._of_counted, counted)):
            best = {*members(self._best(pool), self._size)}
            assert all(piece in best for piece in batch.pieces if self._is_fresh(piece, batch))
