"""Congestion control by delay: how many bytes may be on their way (BEP 29, RFC 6817)."""

from math import inf

from .pauses import Pauses

_SLOW_START_ENDS = 0.4
"""Of the target, when the doubling ends: until that is known, as much again is added, and a round trip's worth."""
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

    __slots__ = ("_gain", "_pauses", "_resumed", "_slow_start", "_slow_start_ends", "_target", "_threshold", "window")

    def __init__(self, target: float, gain: int, packet: int) -> None:
        self._target = _KEPT * target * 1e6
        self._gain = gain
        self._slow_start = True
        self._threshold = inf
        self._pauses = Pauses()
        self._slow_start_ends = _SLOW_START_ENDS
        self._resumed = 0.0  # the window after a pause
        self.window = float(4 * packet)

    @property
    def slow_start(self) -> bool:
        """Whether the window doubles in a round trip."""
        return self._slow_start

    @property
    def resting(self) -> bool:
        """Whether there is a pause."""
        return self._pauses.under_way

    def acknowledged(
        self, count: int, queueing: int, packet: int, *, limited: bool, fresh: bool, trip: float, now: float
    ) -> bool:
        """`count` bytes arrived.

        Args:
            count: bytes that are known to have arrived only now.
            queueing: microseconds that packets wait on the way.
            packet: bytes of one.
            limited: whether it is this window that kept more from being sent: else it must not grow.
            fresh: whether they were sent after the window shrank last: what is older tells of a window that was.
            trip: microseconds of a round trip without waiting.
            now: the time.

        Returns:
            Whether the window shrank.
        """
        off = (self._target - queueing) / self._target
        if self._slow_start and (queueing > self._target * self._slow_start_ends or self.window >= self._threshold):
            self._slow_start = False
            if queueing > self._target:
                self._threshold = self.window / 2
        if self._rest(queueing, packet, now, trip, fresh=fresh):
            return fresh
        if off < 0:
            if fresh:
                # Once in a round trip, to what would have added a little less than the target.
                factor = max(0.5, (trip + _BELOW * self._target) / (trip + queueing))
                self.window = max(self.window * factor, float(_LEAST_PACKETS * packet))
            return fresh
        if limited and self._slow_start:
            self.window += count
        elif limited:
            self.window += self._gain * min(count, self.window) / self.window
        return False

    def _rest(self, queueing: int, packet: int, now: float, trip: float, *, fresh: bool) -> bool:
        """Whether a pause begins or goes on (see Pauses): until something was answered that was sent in it."""
        pauses = self._pauses
        if pauses.under_way:
            if fresh:
                pauses.end()
                self.window = max(self.window, self._resumed)
                self._slow_start, self._slow_start_ends = True, 1.0
            return not fresh
        if self._slow_start or not pauses.due(now):
            return False
        if queueing < self._target * _WORTH_A_PAUSE:
            pauses.skip(now)
            return False
        pauses.begin(now)
        self._threshold = self.window
        # Sent at once it adds the target at most, if there is no other queue.
        self._resumed = self.window * min(0.5, self._target / (trip + queueing))
        self.window = float(_LEAST_PACKETS * packet)
        return True

    def lost(self, packet: int) -> None:
        """Packets were lost, for the first time in this round trip (BEP 29: half the window)."""
        self._slow_start = False
        self.window = max(self.window / 2, float(_LEAST_PACKETS * packet))
        self._threshold = self.window

    def timed_out(self, packet: int) -> None:
        """Nothing came any more: start anew, up to half of what went before."""
        self._threshold = max(self.window / 2, float(_LEAST_PACKETS * packet))
        self._slow_start, self._slow_start_ends = True, _SLOW_START_ENDS
        self.window = float(packet)

    def idle(self, packet: int) -> None:
        """Nothing was to be sent for a while: what the window was says less by and by."""
        self.window = max(self.window * 2 / 3, float(_LEAST_PACKETS * packet))
