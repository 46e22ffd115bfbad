"""Two streams joined to each other: no network, no time, every byte on record.

What one side sends lies at once in the other side's buffers, cut into reads as the test likes.
"""

from collections import deque
from collections.abc import Callable

from bittern.base.address import Address
from bittern.base.transport import Transport
from bittern.sim.link import scatter
from bittern.wire.stream import Buffer, Link, LinkLost, LossKind, Stream

MAX_STEPS = 1_000_000
"""Reads of one `run`, after which two streams are taken to talk in circles."""


def whole(_: int) -> int:
    """Each read takes all that is there."""
    return 1 << 62


def bytewise(_: int) -> int:
    """Each read takes one byte."""
    return 1


def split_at(place: int) -> Callable[[int], int]:
    """Two reads: the first ends after `place` bytes, the second takes the rest."""
    return lambda done: place - done if done < place else whole(done)


class WireLink:
    """One end of a `WirePair`."""

    def __init__(self, address: Address, make: Callable[[Link], Stream]) -> None:
        self._address = address
        self.unread: deque[memoryview] = deque()
        self.record = bytearray()
        """Every byte that was sent to this end."""
        self.read = 0
        """How many of them were taken."""
        self.closed = False
        self.stream = make(self)

    @property
    def address(self) -> Address:
        """The other end."""
        return self._address

    @property
    def transport(self) -> Transport:
        """See Link."""
        return Transport.TCP

    def serve(self, stream: Stream) -> None:
        """See Link."""
        self.stream = stream

    def wake_sender(self) -> None:
        """Nothing: `WirePair.run` asks both sides until neither has anything."""

    def wake_receiver(self) -> None:
        """Nothing, as for `wake_sender`."""

    def close(self) -> None:
        """End this side; the other side hears of it when it has read everything."""
        self.closed = True


class WirePair:
    """Joins the streams that `make_left` and `make_right` make of their links.

    Args:
        make_left: given the link, the stream on its left end.
        make_right: the one on its right end, likewise.
        cut: given how many bytes a side has read, how many its next read may take.
    """

    def __init__(
        self,
        make_left: Callable[[Link], Stream],
        make_right: Callable[[Link], Stream],
        *,
        cut: Callable[[int], int] = whole,
    ) -> None:
        self._cut = cut
        self.left = WireLink(Address("10.0.0.2", 2), make_left)
        self.right = WireLink(Address("10.0.0.1", 1), make_right)

    def run(self, now: float = 0.0) -> int:
        """Move bytes until both sides are quiet; how many moved.

        Raises:
            RecursionError: the streams talk without end.
        """
        moved = 0
        for _ in range(MAX_STEPS):
            count = self._move(self.left, self.right, now) + self._move(self.right, self.left, now)
            if not count:
                return moved
            moved += count
        raise RecursionError(f"two streams still talk after {moved} bytes")

    def _move(self, source: WireLink, target: WireLink, now: float) -> int:
        moved = 0 if source.closed else _send(source.stream, target, now)
        while target.unread and not target.closed and (count := self._deliver(target, now)):
            moved += count
        if source.closed and not target.unread and not target.closed:
            target.closed = True
            target.stream.lost(LinkLost(LossKind.CLOSED), now)
        return moved

    def _deliver(self, target: WireLink, now: float) -> int:
        count = scatter(target.unread, target.stream.receive_buffers(), self._cut(target.read))
        if count:
            target.read += count
            target.stream.received(count, now)
        return count


def _send(stream: Stream, target: WireLink, now: float) -> int:
    data = b"".join(stream.send_buffers(1 << 20))
    if data:
        target.record += data
        target.unread.append(memoryview(data))
        stream.sent(len(data), now)
    return len(data)


def feed(stream: Stream, data: Buffer, *, cut: Callable[[int], int] = whole, now: float = 0.0) -> int:
    """Let `stream` read `data`; how many bytes it took before it offered no more room."""
    source, taken = deque([memoryview(data)]), 0
    while source and (count := scatter(source, stream.receive_buffers(), cut(taken))):
        taken += count
        stream.received(count, now)
    return taken
