"""What came: put in order, and kept until the stream takes it."""

from collections import deque
from collections.abc import Sequence

from .bursts import payload
from .packet import HEAD, MASK, ahead
from .slab import Slab

LONG_ROW = 1 << 18
"""Bytes of a row that is worth a delivery of its own."""
_FARTHEST = 8000
"""Packets ahead of a missing one that are kept."""


class Allowance:
    """Bytes that all connections of a port together may keep beyond the end of a turn.

    Attributes:
        left: bytes; below zero for moments, when a gap is closed.
    """

    __slots__ = ("left",)

    def __init__(self, most: int) -> None:
        self.left = most


class Inbox:
    """The receiving half of a connection.

    Args:
        last: number of the packet before the first, 0..65535.
        capacity: bytes to keep; twice as many for a moment, when a gap is closed.
        slab: where they lie until the end of the turn.
        allowance: of what is kept longer.

    Attributes:
        ack: the last number that came in order, 0..65535.
        selective: what came behind a gap, as in `Packet.selective`.
    """

    __slots__ = (
        "_allowance", "_aside", "_aside_bytes", "_borrowed", "_capacity", "_charged", "_end", "_ready", "_ready_bytes",
        "_slab", "_tail", "ack", "selective",
    )  # fmt: skip

    def __init__(self, last: int, capacity: int, slab: Slab, allowance: Allowance) -> None:
        self.ack = last
        self.selective = 0
        self._allowance = allowance
        self._charged = 0  # to the allowance
        self._capacity = capacity
        self._aside: dict[int, bytes] = {}  # by number: there is a gap before them
        self._aside_bytes = 0
        self._ready: deque[memoryview] = deque()
        self._ready_bytes = 0
        self._slab = slab
        self._borrowed = False  # some of what is ready lies in the slab
        self._tail = -1  # where the last that is ready ends in the slab, if it lies there
        self._end: int | None = None

    @property
    def window(self) -> int:
        """Bytes that there is room for."""
        return max(0, self._capacity - self._ready_bytes - self._aside_bytes)

    @property
    def ready(self) -> int:
        """Bytes that the stream may have."""
        return self._ready_bytes

    @property
    def ended(self) -> bool:
        """Whether all came, the end too."""
        return self._end == self.ack

    @property
    def gaps(self) -> bool:
        """Whether something is missing."""
        return bool(self._aside)

    def expects(self, number: int) -> bool:
        """Whether a row that begins with packet `number` may be taken in at once."""
        return not self._aside and self._end is None and number == (self.ack + 1) & MASK

    def take_row(self, count: int, data: memoryview, segment: int) -> bool:
        """Take in a row of `count` packets that are expected, of `segment` bytes each; whether there was room.

        A `LONG_ROW` stays where it is: it is to be read, and the rest kept, before that memory is used otherwise.
        """
        size = len(data) - count * HEAD
        if size > self.window:
            return False
        if size > self._allowance.left and self._kept:
            return False
        self.ack = (self.ack + count) & MASK
        if len(data) >= LONG_ROW:
            self._ready += [data[at + HEAD : at + segment] for at in range(0, len(data), segment)]
            self._ready_bytes += size
            self._borrowed, self._tail = True, -1
        elif (start := self._slab.put_row(data, segment)) is None:
            self._append(payload(data, segment))
        else:
            self._extend(start, size)
        return True

    def take(self, number: int, data: memoryview) -> None:
        """Take in packet `number`, if it is new, and there is room."""
        distance = ahead(number, self.ack)
        if distance <= 0 or distance > _FARTHEST or number in self._aside:
            return
        if self._end is not None and ahead(number, self._end) >= 0:
            return  # nothing follows the end
        # What is missing is taken in though what came behind it fills the window: nothing else makes room again.
        behind = self._aside_bytes if distance > 1 else 0
        if len(data) > self._capacity - self._ready_bytes - behind:
            return
        if len(data) > self._allowance.left and (distance > 1 or self._kept):
            return
        if distance > 1:
            self._aside[number] = bytes(data)
            self.selective |= 1 << distance - 2
            self._aside_bytes += len(data)
            self._account()
            return
        self._step(1)
        start = self._slab.put(data)
        if start is None:
            self._append(bytes(data))
        else:
            self._extend(start, len(data))
        if self._aside or self._end is not None:
            self._catch_up()

    def end(self, number: int) -> None:
        """The stream ends with packet `number`, which has no payload."""
        distance = ahead(number, self.ack)
        if self._end is None and 0 < distance <= _FARTHEST:
            self._end = number
            for beyond in [other for other in self._aside if ahead(other, number) >= 0]:
                self._aside_bytes -= len(self._aside.pop(beyond))
                self.selective &= ~(1 << ahead(beyond, self.ack) - 2)
            self._catch_up()

    def read_into(self, buffers: Sequence[memoryview]) -> int:
        """Move what is ready into `buffers`; how many bytes."""
        ready = self._ready
        part, start, left, done = (ready[0], 0, len(ready[0]), 0) if ready else (None, 0, 0, 0)
        for buffer in buffers:
            at, size = 0, len(buffer)
            while part is not None and left < size - at:
                buffer[at : at + left] = part[start:]
                at += left
                ready.popleft()
                part, start, left = (ready[0], 0, len(ready[0])) if ready else (None, 0, 0)
            if part is None:
                done += at
                break
            rest = size - at
            buffer[at:] = part[start : start + rest]
            start += rest
            left -= rest
            done += size
        if part is not None and left:
            ready[0] = part[start:]
        elif part is not None:
            ready.popleft()
        if not ready:
            self._borrowed = False
        self._ready_bytes -= done
        if self._charged:
            self._account()
        return done

    def discard(self) -> None:
        """Nobody wants what is ready."""
        self._ready.clear()
        self._ready_bytes = 0
        self._borrowed = False
        self._account()

    def close(self) -> None:
        """Nothing is needed any more."""
        self._aside.clear()
        self._aside_bytes = 0
        self.discard()

    def keep(self) -> None:
        """The slab is about to be emptied: keep what is ready elsewhere."""
        if self._borrowed:
            self._borrowed = False
            self._ready = deque((memoryview(b"".join(self._ready)),))
            self._tail = -1
            self._account()

    @property
    def _kept(self) -> bool:
        """Whether the stream has not taken what came in an earlier turn."""
        return bool(self._ready) and not self._borrowed

    def _account(self) -> None:
        """Charge what is kept beyond this turn."""
        kept = self._aside_bytes + (0 if self._borrowed else self._ready_bytes)
        self._allowance.left += self._charged - kept
        self._charged = kept

    def _step(self, count: int) -> None:
        """So many packets more came in order."""
        self.ack = (self.ack + count) & MASK
        self.selective >>= count

    def _append(self, data: bytes) -> None:
        if data:
            self._ready.append(memoryview(data))
            self._ready_bytes += len(data)
            self._tail = -1

    def _extend(self, start: int, size: int) -> None:
        """So many bytes at `start` of the slab are ready."""
        ready = self._ready
        if start == self._tail and ready:
            ready[-1] = self._slab.view(start - len(ready[-1]), start + size)
        elif size:
            ready.append(self._slab.view(start, start + size))
        self._tail = start + size
        self._ready_bytes += size
        self._borrowed = True

    def _catch_up(self) -> None:
        """What was kept aside is in order now, up to the next gap."""
        while True:
            number = (self.ack + 1) & MASK
            if number == self._end:
                self._step(1)
                break
            data = self._aside.pop(number, None)
            if data is None:
                break
            self._aside_bytes -= len(data)
            self._step(1)
            self._append(data)
        self._account()
