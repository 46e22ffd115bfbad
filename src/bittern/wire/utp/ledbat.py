"""Congestion control by delay: how many bytes may be on their way (BEP 29, RFC 6817)."""

_SLOW_START_ENDS = 0.4
"""Of the target, when the doubling ends: until that is known, as much again is added, and a round trip's worth."""
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

    __slots__ = ("_gain", "_slow_start", "_target", "_threshold", "window")

    def __init__(self, target: float, gain: int, packet: int) -> None:
        self._target = target * 1e6
        self._gain = gain
        self._slow_start = True
        self._threshold = float("inf")
        self.window = float(4 * packet)

    @property
    def slow_start(self) -> bool:
        """Whether the window doubles in a round trip."""
        return self._slow_start

    def acknowledged(self, count: int, queueing: int, packet: int, *, limited: bool, fresh: bool, trip: float) -> bool:
        """`count` bytes arrived.

        Args:
            count: bytes that are known to have arrived only now.
            queueing: microseconds that packets wait on the way.
            packet: bytes of one.
            limited: whether it is this window that kept more from being sent: else it must not grow.
            fresh: whether they were sent after the window shrank last: what is older tells of a window that was.
            trip: microseconds of a round trip without waiting.

        Returns:
            Whether the window shrank.
        """
        off = (self._target - queueing) / self._target
        if self._slow_start and (queueing > self._target * _SLOW_START_ENDS or self.window >= self._threshold):
            self._slow_start = False
            if queueing > self._target:
                self._threshold = self.window / 2
        if off < 0:
            if fresh:
                # To what would have added the target, once in a round trip. In proportion to the window, not by a
                # constant: whoever has much gives much, which is what makes several of us equal (as in LEDBAT++).
                factor = max(0.5, (trip + self._target) / (trip + queueing))
                self.window = max(self.window * factor, float(_LEAST_PACKETS * packet))
            return fresh
        if limited and self._slow_start:
            self.window += count
        elif limited:
            self.window += self._gain * off * min(count, self.window) / self.window
        return False

    def lost(self, packet: int) -> None:
        """Packets were lost, for the first time in this round trip (BEP 29: half the window)."""
        self._slow_start = False
        self.window = max(self.window / 2, float(_LEAST_PACKETS * packet))
        self._threshold = self.window

    def timed_out(self, packet: int) -> None:
        """Nothing came any more: start anew, up to half of what went before."""
        self._threshold = max(self.window / 2, float(_LEAST_PACKETS * packet))
        self._slow_start = True
        self.window = float(packet)

    def idle(self, packet: int) -> None:
        """Nothing was to be sent for a while: what the window was says less by and by."""
        self.window = max(self.window * 2 / 3, float(_LEAST_PACKETS * packet))
