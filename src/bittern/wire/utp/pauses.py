"""Now and then a connection lets the queue that it keeps drain: how long the way is without it shows only then.

Without that, who comes later takes the delay of the others for none and leaves them nothing, and two clocks that drift
apart hide a queue that grows. The slowdowns of LEDBAT++ (draft-irtf-iccrg-ledbat-plus-plus), less often.
"""

from math import inf

LEAST_SECONDS = 10.0
"""Until the first pause, and from one to the next, at least."""
_SHARE = 20
"""A pause and the way back take one part of so many of the time."""


class Pauses:
    """When the pauses of one connection are.

    Attributes:
        under_way: whether there is one.
    """

    __slots__ = ("_began_at", "_due", "_returning", "under_way")

    def __init__(self) -> None:
        self.under_way = False
        self._due = inf
        self._began_at = 0.0
        self._returning = False

    def due(self, now: float) -> bool:
        """The window does not double any more: whether it is time for a pause."""
        if self._returning:
            self._returning = False
            self._due = now + max(LEAST_SECONDS, _SHARE * (now - self._began_at))
        elif self._due == inf:
            self._due = now + LEAST_SECONDS
        return now >= self._due

    def skip(self, now: float) -> None:
        """There is no queue to drain."""
        self._due = now + LEAST_SECONDS

    def begin(self, now: float) -> None:
        """A pause begins."""
        self._began_at = now
        self.under_way = True

    def end(self) -> None:
        """The pause is over; the next one is reckoned from when the window is back."""
        self.under_way = False
        self._returning = True
