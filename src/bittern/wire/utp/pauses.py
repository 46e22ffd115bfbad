"""Now and then a connection lets the queue that it keeps drain: how long the way is without it shows only then.

Without that, who comes later takes the delay of the others for none and leaves them nothing, and two clocks that drift
apart hide a queue that grows. The slowdowns of LEDBAT++ (draft-irtf-iccrg-ledbat-plus-plus), less often, and besides at
two moments when they tell most: who is there sees that somebody came, and makes way for a look at the empty line; who
came sees a line shorter than any that it knew, and makes way, too, so that it is empty.
"""

from math import inf

LEAST_SECONDS = 10.0
"""Until the first pause, and from one to the next, at least."""
EARLY_SECONDS = 3.0
"""Until a pause for those that have come, likewise."""
_SHARE = 20
"""A pause and the way back take one part of so many of the time."""


class Pauses:
    """When the pauses of one connection are.

    Attributes:
        under_way: whether there is one.
    """

    __slots__ = ("_began_at", "_believed", "_due", "_early_due", "_returning", "under_way")

    def __init__(self) -> None:
        self.under_way = False
        self._due = self._early_due = inf
        self._began_at = -inf
        self._believed: int | None = None  # what the way took after the last pause, or at the beginning
        self._returning = False

    def due(self, now: float) -> bool:
        """The window does not double any more: whether it is time for a pause."""
        if self._returning or self._due == inf:
            lasted = now - self._began_at if self._returning else 0.0
            self._returning = False
            self._due = now + max(LEAST_SECONDS, _SHARE * lasted)
            self._early_due = now + max(EARLY_SECONDS, _SHARE * lasted)
        return now >= self._due

    def early(self, now: float) -> bool:
        """Whether one may begin before it is due, because others have come."""
        return now >= self._early_due

    def fooled(self, base: int, margin: float, now: float) -> bool:
        """Whether the way takes `margin` less than was believed, so that it is time to look how short it is.

        Args:
            base: that it takes at least, as far as is known, from any zero; of the unit of `margin`.
            margin: that matters.
            now: the time.
        """
        if self._believed is None:
            self._believed = base
        return base < self._believed - margin and now >= self._began_at + EARLY_SECONDS

    def skip(self, now: float) -> None:
        """There is no queue to drain."""
        self._due = now + LEAST_SECONDS

    def begin(self, now: float) -> None:
        """A pause begins."""
        self._began_at = now
        self.under_way = True

    def end(self, base: int) -> None:
        """The pause is over; the next one is reckoned from when the window is back. `base` as in `fooled`."""
        self.under_way = False
        self._believed = base
        self._returning = True
