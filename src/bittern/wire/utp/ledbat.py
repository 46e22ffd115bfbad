"""Congestion control by delay: how many bytes may be on their way (BEP 29, RFC 6817)."""

from math import inf

from .pauses import Pauses

_SLOW_START_ENDS = 0.75
"""Of the target, when the fast growth of slow start ends."""
_HEADROOM = 0.45
"""Of what is left of the target, that slow start adds at most until it is known what it added before: less than half,
or it would go beyond the target before it hears of it."""
_ROUNDS = 4
"""The window takes so many times the longest wait that was seen in slow start: it doubled since those packets left, and
half of what a doubled window holds waits."""
_CROWDED = 0.1
"""Of the target, by which others may exceed it before that is held against them."""
_OWN_STEPS = 4
"""Of growth, by which our own window may exceed it before we hear of it."""
_FOOLED = 0.1
"""Of the target: what was taken for the way was somebody's queue, if the way is shorter by so much."""
_YIELDED = 0.5
"""Of the window, to those that have come: they take what is left at once, where we would give it step by step."""
_KEPT = 0.95
"""Of the target that is asked for: more is added before it is noticed, a round trip later."""
_BELOW = 0.9
"""Of the target, to which the window shrinks when it was exceeded. The way back up is what makes several of us equal:
all gain the same on it, and each gives in proportion to what it has."""
_WORTH_A_PAUSE = 0.5
"""Of the target: a queue that hides how long the way is."""
_LEAST_PACKETS = 2


class Ledbat:
    """The congestion window of one connection.

    Args:
        target: delay to add at most, in seconds.
        gain: bytes that the window grows in a round trip without delay.
        packet: bytes of one.

    Attributes:
        window: bytes.
    """

    __slots__ = (
        "_gain", "_longest", "_pauses", "_resumed", "_returns", "_slow_start", "_target", "_threshold", "window",
    )  # fmt: skip

    def __init__(self, target: float, gain: int, packet: int) -> None:
        self._target = _KEPT * target * 1e6
        self._gain = gain
        self._slow_start = True
        self._threshold = inf
        self._pauses = Pauses()
        self._returns = False  # slow start leads back to a window that was
        self._longest = 0  # that a packet waited in slow start
        self._resumed = 0.0  # the window after a pause
        self.window = float(4 * packet)

    @property
    def slow_start(self) -> bool:
        """Whether the window may double in a round trip."""
        return self._slow_start

    @property
    def resting(self) -> bool:
        """Whether there is a pause."""
        return self._pauses.under_way

    def acknowledged(
        self,
        count: int,
        queueing: int,
        packet: int,
        *,
        limited: bool,
        fresh: bool,
        trip: float,
        base: int,
        now: float,
    ) -> bool:
        """`count` bytes arrived.

        Args:
            count: bytes that are known to have arrived only now.
            queueing: microseconds that packets wait on the way.
            packet: bytes of one.
            limited: whether it is this window that kept more from being sent: else it must not grow.
            fresh: whether they were sent after the window shrank last: what is older tells of a window that was.
            trip: microseconds of a round trip without waiting.
            base: microseconds of the way there without waiting, from any zero.
            now: the time.

        Returns:
            Whether the window shrank.
        """
        off = (self._target - queueing) / self._target
        if self._slow_start:
            self._end_slow_start(queueing)
        if self._pauses.under_way:
            if not fresh:
                return False
            self._go_on(base)
        elif self._wants_pause(queueing, trip, base, now):
            self._rest(queueing, packet, trip, now)
            return True
        if off < 0:
            if fresh:
                # Once in a round trip, to what would have added a little less than the target.
                factor = max(0.5, (trip + _BELOW * self._target) / (trip + queueing))
                self.window = max(self.window * factor, float(_LEAST_PACKETS * packet))
            return fresh
        if limited and self._slow_start:
            self.window += count * self._growth(queueing, trip)
        elif limited:
            self.window += self._gain * min(count, self.window) / self.window
        return False

    def _end_slow_start(self, queueing: int) -> None:
        """End it where it is time."""
        self._longest = max(self._longest, queueing)
        ends = self._target if self._returns else _SLOW_START_ENDS * self._target
        if queueing > ends or self.window >= self._threshold:
            self._slow_start = False
            if queueing > self._target:
                self._threshold = self.window / 2

    def _growth(self, queueing: int, trip: float) -> float:
        """Bytes by which slow start lets the window grow for each that arrived: 1 doubles it in a round trip.

        What is added waits, once the line is full, and nobody hears of it for a round trip.
        """
        if self._returns:
            return 1.0
        window_takes = min(trip, _ROUNDS * self._longest) + queueing
        headroom = _HEADROOM * (self._target - queueing)
        return 1.0 if headroom >= window_takes else max(0.0, headroom / window_takes)

    def _wants_pause(self, queueing: int, trip: float, base: int, now: float) -> bool:
        """Whether it is time for a pause (see Pauses)."""
        pauses = self._pauses
        if pauses.fooled(base, _FOOLED * self._target, now):
            return True
        if self._slow_start:
            return False
        due = pauses.due(now)
        if queueing > self._target and self._crowded(queueing, trip) and pauses.early(now):
            return True
        if due and queueing < self._target * _WORTH_A_PAUSE:
            pauses.skip(now)
            return False
        return due

    def _crowded(self, queueing: int, trip: float) -> bool:
        """Whether others add to the queue, and by more than those do that know of the target."""
        own = _OWN_STEPS * self._gain * (trip + queueing) / self.window
        return queueing > self._target + max(own, _CROWDED * self._target)

    def _rest(self, queueing: int, packet: int, trip: float, now: float) -> None:
        """A pause begins: it lasts until something is answered that was sent in it."""
        self._pauses.begin(now)
        # Who has just come, and was fooled, goes on with its slow start.
        self._returns = not self._slow_start
        if self._returns:
            self._threshold = self.window * (_YIELDED if self._crowded(queueing, trip) else 1.0)
        self._slow_start = False
        # Sent at once it adds the target at most, if there is no other queue.
        self._resumed = self.window * self._target / max(trip + queueing, 2 * self._target)
        self.window = float(_LEAST_PACKETS * packet)

    def _go_on(self, base: int) -> None:
        """A pause is over."""
        self._pauses.end(base)
        self.window = max(self.window, self._resumed)
        self._slow_start, self._longest = True, 0

    def lost(self, packet: int) -> None:
        """Packets were lost, for the first time in this round trip (BEP 29: half the window)."""
        self._slow_start = False
        self.window = max(self.window / 2, float(_LEAST_PACKETS * packet))
        self._threshold = self.window

    def timed_out(self, packet: int) -> None:
        """Nothing came any more: start anew, up to half of what went before."""
        self._threshold = max(self.window / 2, float(_LEAST_PACKETS * packet))
        self._slow_start, self._returns, self._longest = True, False, 0
        self.window = float(packet)

    def idle(self, packet: int) -> None:
        """Nothing was to be sent for a while: what the window was says less by and by."""
        self.window = max(self.window * 2 / 3, float(_LEAST_PACKETS * packet))
