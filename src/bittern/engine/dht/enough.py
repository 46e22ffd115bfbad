"""When a lookup has asked enough nodes: a crowd that stands round the target does not count for all of its nodes."""

from typing import Final

WIDTH: Final = 8
"""So many of the closest nodes must have answered; so many stand within the radius, as a rule."""
DENSE: Final = 1.5
"""Where nodes stand so many times closer together than elsewhere, all of them count; of more, not all do."""


class Enough:
    """Counts nodes with bound ids, closest first, until there are enough of them.

    Everybody within the radius is to be counted, up to `most`. And a crowd does not count for more than the nodes that
    would stand there without it: the k-th that counts is no nearer than that one may well be.

    Args:
        least: nodes that must count.
        most: nodes that are enough, whether they count or not.
        radius: as for a lookup.
    """

    __slots__ = ("_count", "_least", "_most", "_radius", "all")

    def __init__(self, least: int, most: int, radius: int) -> None:
        self._least = least
        self._most = most
        self._radius = radius
        self._count = 0
        self.all = 0
        """Nodes, whether they count or not."""

    def add(self, distance: int) -> None:
        """The next one is at this distance."""
        self.all += 1
        self._count += distance * WIDTH * DENSE >= (self._count + 1) * self._radius

    def reached(self, distance: int) -> bool:
        """Whether nobody at this distance, or beyond, is needed any more."""
        return self.all >= self._most or (self._count >= self._least and distance >= self._radius)
