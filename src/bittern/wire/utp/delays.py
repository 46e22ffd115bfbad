"""How long packets take: the round trip, and how much of the way there is waiting in queues (RFC 6817)."""

_WRAP = 1 << 32
_HALF = 1 << 31
MINUTE = 60.0
_MINUTES = 10
"""Of history of the least delay: what was before may have been another path."""
_RECENT = 4
"""Samples of which the least counts (RFC 6817, CURRENT_FILTER): noise only adds."""

LEAST_TIMEOUT = 0.5
MOST_TIMEOUT = 60.0
FIRST_TIMEOUT = 1.0
_DOUBLINGS = 3
"""Of the time-out: a packet in four seconds harms nobody, and finds a way that is back, or nobody there, sooner."""


class DelayHistory:
    """The least delay of the last minutes, and how far the present is above it.

    Samples are differences of two clocks that have nothing in common: only their changes mean anything.
    """

    __slots__ = ("_base", "_minutes", "_origin", "_recent", "_turned_at")

    def __init__(self) -> None:
        self._origin: int | None = None  # the first sample: others count from it, so that they do not wrap
        self._minutes: list[int] = []  # the least of each
        self._recent: list[int] = []
        self._base = 0
        self._turned_at = 0.0

    @property
    def known(self) -> bool:
        """Whether there was a sample."""
        return self._origin is not None

    @property
    def base(self) -> int:
        """The least delay, in microseconds after the first sample."""
        return self._base

    @property
    def queueing(self) -> int:
        """Microseconds above the base: the least of the last samples."""
        return max(0, min(self._recent) - self._base) if self._recent else 0

    def add(self, sample: int, now: float) -> None:
        """A delay was measured: microseconds modulo 2**32."""
        if self._origin is None:
            self._origin = sample
            self._turned_at = now
            self._minutes.append(0)
        delay = (sample - self._origin + _HALF) % _WRAP - _HALF
        if now - self._turned_at >= MINUTE:
            self._turned_at = now
            self._minutes.append(delay)
            del self._minutes[:-_MINUTES]
            self._base = min(self._minutes)
        if delay < self._minutes[-1]:
            self._minutes[-1] = delay
            self._base = min(self._base, delay)
        self._recent.append(delay)
        del self._recent[:-_RECENT]

    def drift(self, by: int) -> None:
        """The clocks drifted apart by so many microseconds: the base with them."""
        self._minutes = [least + by for least in self._minutes]
        self._base += by


class RoundTrips:
    """The smoothed round trip, and how long to wait for an answer (BEP 29, RFC 6298).

    Attributes:
        mean: seconds; 0 before the first sample.
        least: the shortest ever, in seconds.
    """

    __slots__ = ("_deviation", "_timeouts", "least", "mean")

    def __init__(self) -> None:
        self.mean = 0.0
        self.least = MOST_TIMEOUT
        self._deviation = 0.0
        self._timeouts = 0

    def add(self, seconds: float) -> None:
        """An answer took so long."""
        self.least = min(self.least, seconds)
        if not self.mean:
            self.mean = seconds
            self._deviation = seconds / 2
        else:
            self._deviation += (abs(self.mean - seconds) - self._deviation) / 4
            self.mean += (seconds - self.mean) / 8

    def answered(self) -> None:
        """Something new was acknowledged."""
        self._timeouts = 0

    def timed_out(self) -> None:
        """Nothing came in time: the next wait is twice as long."""
        self._timeouts += 1

    @property
    def patience(self) -> float:
        """Seconds after which it is odd that nothing came."""
        return max(2 * self.mean, self.mean + 4 * self._deviation)

    @property
    def timeout(self) -> float:
        """Seconds to wait for an acknowledgement."""
        first = max(LEAST_TIMEOUT, self.mean + 4 * self._deviation) if self.mean else FIRST_TIMEOUT
        return float(min(first * (1 << min(self._timeouts, _DOUBLINGS)), MOST_TIMEOUT))
