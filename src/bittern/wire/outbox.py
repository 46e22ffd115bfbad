"""The sending half of the peer wire: what is to go out, in order, without joining bytes. HOT: bench/calls_per_block."""

from collections import deque
from collections.abc import Callable, Sequence

from .blocks import HEAD
from .stream import Buffer

_PARTS = 512  # the kernel takes at most 1,024 parts in one call (IOV_MAX)


class Outbox:
    """Buffers waiting to be sent.

    Short messages gather in one buffer; the data of blocks is referred to where it lies and given back
    (`release`) when its last byte has gone.
    """

    __slots__ = ("_gather", "_parts", "_releases", "blocks", "queued", "taken")

    def __init__(self) -> None:
        self._parts: deque[Buffer] = deque()
        self._gather: bytearray | None = None  # the last part, while it may still grow
        self._releases: deque[tuple[int, int, list[Buffer], Callable[[], None]]] = deque()  # end, bytes, parts, then
        self.queued = 0
        """Bytes not sent yet."""
        self.blocks = 0
        """Bytes of runs of blocks, headers included, that have not gone to their end."""
        self.taken = 0
        """Bytes ever sent."""

    def add(self, message: bytes) -> None:
        """Queue a short message."""
        if self._gather is None:
            self._gather = bytearray()
            self._parts.append(self._gather)
        self._gather += message
        self.queued += len(message)

    def add_run(self, heads: bytes, bodies: Sequence[memoryview], length: int, release: Callable[[], None]) -> None:
        """Queue neighbouring blocks: a header of `heads` before each of `bodies`; `length` bytes of blocks in all."""
        parts: list[Buffer] = [b""] * (2 * len(bodies))
        parts[::2] = [heads[at : at + HEAD] for at in range(0, len(heads), HEAD)]
        parts[1::2] = bodies
        self._parts.extend(parts)
        self._gather = None
        size = len(heads) + length
        self.queued += size
        self.blocks += size
        self._releases.append((self.taken + self.queued, size, parts, release))

    def buffers(self, limit: int) -> Sequence[Buffer]:
        """The first parts, about `limit` bytes of them."""
        self._gather = None
        if self.queued <= limit and len(self._parts) <= _PARTS:
            return list(self._parts)
        chosen: list[Buffer] = []
        for part in self._parts:
            chosen.append(part)
            limit -= len(part)
            if limit <= 0 or len(chosen) == _PARTS:
                break
        return chosen

    def sent(self, count: int) -> bool:
        """`count` bytes of the parts given last have gone; whether blocks had been waiting among them."""
        busy = bool(self._releases)
        parts = self._parts
        self.taken += count
        self.queued -= count
        if not self.queued:
            parts.clear()
        else:
            while count:
                size = len(parts[0])
                if size > count:
                    parts[0] = memoryview(parts[0])[count:]
                    break
                parts.popleft()
                count -= size
        while self._releases and self._releases[0][0] <= self.taken:
            _, size, _, release = self._releases.popleft()
            self.blocks -= size
            release()
        return busy

    def take_back(self, kept: int) -> Callable[[], None] | None:
        """Send the run that was queued last not at all, if nothing of it has gone: its `release`, not called.

        Args:
            kept: bytes from the first unsent one on that stay: they may be on their way already, in another form.
        """
        if not self._releases or self._releases[-1][0] - self._releases[-1][1] < self.taken + kept:
            return None
        end, size, parts, release = self._releases.pop()
        behind, left = list[Buffer](), self.taken + self.queued - end
        while left:
            behind.append(self._parts.pop())
            left -= len(behind[-1])
        for _ in parts:
            self._parts.pop()
        self._parts.extend(reversed(behind))
        self._gather = None
        self.queued -= size
        self.blocks -= size
        return release

    def clear(self) -> None:
        """Forget everything: the link is gone."""
        self._parts.clear()
        self._gather = None
        self.queued = self.blocks = 0
        while self._releases:
            self._releases.popleft()[3]()
