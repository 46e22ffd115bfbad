"""Measuring and limiting flows of bytes; time comes in as an argument."""

from math import exp, inf

QUANTUM_SECONDS = 0.02
"""Who waits for a limit is woken when so much of it has come together."""

BURST_SECONDS = 0.08
"""So much of a limit may be saved up: below 2 % of five seconds, and enough for a loop that comes late."""


class Meter:
    """Bytes per second, smoothed exponentially over about `window` seconds.

    Time counts from the first sample, so a young meter shows the mean of what it saw.
    """

    __slots__ = ("_at", "_first_at", "_rate", "_since", "_window", "total")

    def __init__(self, window: float = 5.0) -> None:
        self._window = window
        self._rate = 0.0
        self._since = 0
        self._at: float | None = None
        self._first_at = 0.0
        self.total = 0
        """Bytes ever counted."""

    def add(self, count: int, now: float) -> None:
        """`count` bytes passed at `now`."""
        if self._at is None:
            self._at = self._first_at = now
        self.total += count
        self._since += count
        if now - self._at >= 0.25:
            self._fold(now)

    def count_up_to(self, total: int, now: float) -> None:
        """All that ever passed is `total` bytes at `now`: the difference to before passed since.

        The first call starts the clock, also with nothing to count.
        """
        self.add(max(0, total - self.total), now)

    def rate(self, now: float) -> float:
        """Bytes per second at `now`."""
        if self._at is None:
            return 0.0
        if now - self._at >= 0.25:
            self._fold(now)
        return self._rate

    def _fold(self, now: float) -> None:
        assert self._at is not None
        elapsed = now - self._at
        age = max(now - self._first_at, elapsed)
        # Early on the exponential window would claim a past of silence: weigh by the age instead.
        weight = 1 - exp(-elapsed / self._window)
        weight = max(weight, elapsed / age if age < self._window else 0.0)
        self._rate += (self._since / elapsed - self._rate) * weight
        self._since = 0
        self._at = now


class TokenBucket:
    """A limit in bytes per second with a burst of `burst_seconds`; may go into debt by one grant.

    Once it is empty it stays shut until a little has come together (`QUANTUM_SECONDS` worth of the limit): all who
    wait are told the same moment, and nobody is woken for single bytes.
    """

    __slots__ = ("_at", "_burst_seconds", "_due", "_limit", "_tokens")

    def __init__(self, limit: float = inf, burst_seconds: float = BURST_SECONDS) -> None:
        self._limit = limit
        self._burst_seconds = burst_seconds
        self._tokens = limit * burst_seconds if limit != inf else inf
        self._at: float | None = None
        self._due: float | None = None  # shut until then

    @property
    def limit(self) -> float:
        """Bytes per second; `math.inf` for none."""
        return self._limit

    @property
    def unlimited(self) -> bool:
        """Whether there is no limit."""
        return self._limit == inf

    def set_limit(self, limit: float) -> None:
        """Bytes per second from now on; `math.inf` for none. A debt is kept, a burst is cut to the new limit's."""
        self._limit = limit
        self._tokens = inf if limit == inf else min(self._tokens, limit * self._burst_seconds)
        self._due = None

    def available(self, now: float) -> float:
        """Bytes that may pass now; zero or below means wait until `ready_at`."""
        limit = self._limit
        if limit == inf:
            return inf
        if self._at is None:
            self._at = now
        elif now > self._at:
            self._tokens = min(self._tokens + (now - self._at) * limit, limit * self._burst_seconds)
            self._at = now
        if self._due is not None:
            if now < self._due:
                return min(self._tokens, 0.0)
            self._due = None
        if self._tokens <= 0:
            self._due = now + (limit * QUANTUM_SECONDS - self._tokens) / limit if limit else inf
        return self._tokens

    def take(self, count: int) -> None:
        """`count` bytes passed."""
        if self._limit != inf:
            self._tokens -= count

    def give_back(self, count: int) -> None:
        """`count` bytes that were taken did not pass after all."""
        if self._limit != inf:
            self._tokens += count

    def ready_at(self, now: float) -> float:
        """When `available` becomes positive; `now` when it is, `math.inf` at a limit of zero."""
        if self.available(now) > 0:
            return now
        assert self._due is not None
        return self._due
