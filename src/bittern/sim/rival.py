"""A flow that takes what it can get of a line, as TCP does (Reno): what others are measured against."""

from math import inf

from bittern.base.address import Address

from .host import Host
from .paths import Paths

SEGMENT = 1448
_FIRST_WINDOW = 10.0
_REORDERED = 3
_LEAST_TIMEOUT = 0.3


class Rival:
    """Sends from one host to another until it is stopped; what is lost is not repeated, only taken as a sign.

    Args:
        paths: that carry it.
        source: a host on which nothing else takes datagrams.
        target: another; what takes datagrams there already gets those of others.

    Attributes:
        delivered: bytes that were acknowledged.
        window: segments that may be on the way.
    """

    def __init__(self, paths: Paths, source: Host, target: Host) -> None:
        self.delivered = 0
        self.window = _FIRST_WINDOW
        self._paths = paths
        self._world = source.network.world
        self._source, self._target = source, target
        self._threshold = inf
        self._next = 0
        self._on_the_way: dict[int, float] = {}  # when each was sent, in that order
        self._blamed = -1  # losses of what was sent up to here have been answered
        self._heard_at = self._world.now
        self._running = True
        source.inbox, target.inbox = self, _Sink(paths, target, source.address)
        self._send()
        self._watch()

    def stop(self) -> None:
        """Send no more."""
        self._running = False

    def receive(self, data: memoryview, segment: int, source: Address, now: float) -> None:
        """An acknowledgement came (see Inbox)."""
        number = int.from_bytes(data[:8])
        self._heard_at = now
        if self._on_the_way.pop(number, None) is None:
            return
        self.delivered += SEGMENT
        self.window += 1.0 if self.window < self._threshold else 1.0 / self.window
        lost = [other for other in self._first(_REORDERED) if other < number - _REORDERED]
        for other in lost:
            del self._on_the_way[other]
        if lost and lost[-1] > self._blamed:
            self._blamed = self._next
            self._threshold = self.window = max(2.0, self.window / 2)
        self._send()

    def refused(self, address: Address, now: float) -> None:
        """See Inbox."""

    def too_big(self, address: Address, size: int, now: float) -> None:
        """See Inbox."""

    def _first(self, count: int) -> list[int]:
        return [number for number, _ in zip(self._on_the_way, range(count), strict=False)]

    def _send(self) -> None:
        while self._running and len(self._on_the_way) < int(self.window):
            self._on_the_way[self._next] = self._world.now
            segment = self._next.to_bytes(8) + bytes(SEGMENT - 8)
            self._next += 1
            self._paths.send(self._source, [segment], self._target.address)

    def _watch(self) -> None:
        """Nothing was acknowledged for long: begin anew."""
        if self._on_the_way and self._world.now - self._heard_at > 2 * _LEAST_TIMEOUT:
            self._on_the_way.clear()
            self._threshold, self.window = max(2.0, self.window / 2), 2.0
            self._send()
        if self._running:
            self._world.after(_LEAST_TIMEOUT, self._watch)


class _Sink:
    """Acknowledges each segment by itself; what others send goes to who was here before."""

    def __init__(self, paths: Paths, host: Host, sender: Address) -> None:
        self._paths = paths
        self._host = host
        self._sender = sender
        self._beyond = host.inbox

    def receive(self, data: memoryview, segment: int, source: Address, now: float) -> None:
        if source == self._sender:
            self._paths.send(self._host, [bytes(data[:8])], source)
        elif self._beyond is not None:
            self._beyond.receive(data, segment, source, now)

    def refused(self, address: Address, now: float) -> None:
        if self._beyond is not None:
            self._beyond.refused(address, now)

    def too_big(self, address: Address, size: int, now: float) -> None:
        if self._beyond is not None:
            self._beyond.too_big(address, size, now)
