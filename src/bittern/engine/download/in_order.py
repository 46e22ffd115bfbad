"""Pieces from the first to the last, the more wanted ones before: what to fetch to play it while it comes.

The lowest that is free is remembered, so that a pick costs the same however much is there already.
"""

from collections.abc import Sequence

from bittern.base.bitfield import Bitfield


class _Level:
    """Free pieces that are wanted equally.

    Attributes:
        free: those pieces.
        lowest: the first of them; one beyond the last piece where there is none.
    """

    __slots__ = ("free", "lowest")

    def __init__(self, free: Bitfield) -> None:
        self.free = free
        self.lowest = 0
        self.look()

    def look(self) -> None:
        """Find the lowest, from the one before on."""
        lowest = self.free.first_common(self.free, self.lowest)
        self.lowest = lowest if lowest is not None else self.free.size


class InOrder:
    """The free pieces of one torrent.

    Args:
        free: those that may be begun.
        priorities: 1 to 7 for each of those; none where they are equal.
    """

    def __init__(self, free: Bitfield, priorities: Sequence[int] = ()) -> None:
        kinds = sorted({*priorities} - {0}, reverse=True)
        self._level_of = {kind: at for at, kind in enumerate(kinds)}
        self._priorities = priorities if len(kinds) > 1 else ()
        if not self._priorities:
            self._levels = [_Level(free.copy())]
            return
        sets = [Bitfield(free.size) for _ in kinds]
        for piece in free:
            sets[self._level_of[priorities[piece]]].add(piece)
        self._levels = [_Level(each) for each in sets]

    def pick(self, has: Bitfield) -> int | None:
        """The first piece of the most wanted in `has`; None when it has none that is free."""
        for level in self._levels:
            if level.lowest in has:
                return level.lowest
            if level.free.count:
                piece = level.free.first_common(has, level.lowest)
                if piece is not None:
                    return piece
        return None

    def begun(self, piece: int) -> None:
        """`piece` is no longer free."""
        level = self._level(piece)
        level.free.discard(piece)
        if level.lowest == piece:
            level.look()

    def returned(self, piece: int) -> None:
        """`piece` is free again."""
        level = self._level(piece)
        level.free.add(piece)
        level.lowest = min(level.lowest, piece)

    def _level(self, piece: int) -> _Level:
        return self._levels[self._level_of[self._priorities[piece]] if self._priorities else 0]

    def check_invariants(self, free: Bitfield) -> None:
        """Raise AssertionError when not exactly `free` is free, or the lowest is not the first (tests and sim)."""
        assert sum(level.free.as_int() for level in self._levels) == free.as_int()
        assert all(level.lowest == next(iter(level.free), level.free.size) for level in self._levels)
