"""What a stream has said and no packet carries yet, and the memory of what packets on their way carry.

HOT: bench/transfer.py
"""

from collections import deque
from collections.abc import Sequence

from bittern.wire.stream import Buffer, Stream

MOST = 1 << 18
"""Bytes taken from a stream at once."""
CHUNK = 1 << 19
"""Bytes of memory that is used again."""
_WORTH_A_CHUNK = MOST // 4
"""Less than that is joined, in memory of its size: most connections have little to say."""
_SPARE = 8
"""Chunks kept for what follows."""
_NOTHING = memoryview(b"")


class Backlog:
    """Takes from a stream: it is copied, for it may have to be sent again, and the stream has its buffers back at once.

    The copies lie in chunks that are used again when all packets that they hold have arrived: fresh memory costs more
    than the copy (docs/adr/0050-utp-in-batches.md). Only this connection uses them again: what is sent once too often
    tells nobody anything new.

    Attributes:
        data: taken, and not sent.
        more: whether the stream had more than was taken.
    """

    __slots__ = ("_chunk", "_filled", "_full", "_spare", "data", "more")

    def __init__(self) -> None:
        self.data = _NOTHING
        self.more = False
        self._chunk: memoryview | None = None  # `data`, if it is in a chunk, is the last that it holds
        self._filled = 0  # bytes of it
        self._full: deque[tuple[int, memoryview]] = deque()  # with the number of the first packet that is not in it
        self._spare: list[memoryview] = []

    def __len__(self) -> int:
        return len(self.data)

    def take(self, stream: Stream, room: int, following: int, now: float) -> None:
        """Have up to `room` of the stream's next bytes.

        Args:
            stream: who has something to say.
            room: bytes; one at least is taken, `MOST` at most.
            following: number of the next packet.
            now: the time.
        """
        limit = min(MOST, max(room, 1))
        taken: list[Buffer] = []
        count = 0
        for buffer in stream.send_buffers(limit):
            left = limit - count
            taken.append(buffer if len(buffer) <= left else memoryview(buffer)[:left])
            count += len(taken[-1])
            if count == limit:
                break
        self.more = count == limit
        if count:
            self._put(taken, count, following)
            stream.sent(count, now)

    def append(self, last: Sequence[Buffer]) -> None:
        """Nothing follows these."""
        self.data = memoryview(b"".join((self.data, *last)))
        self._chunk = None

    def drop(self, count: int) -> None:
        """The first `count` bytes are in packets now."""
        self.data = self.data[count:]

    def arrived(self, oldest: int, following: int) -> None:
        """All packets before number `oldest` have arrived; `following` is that of the next."""
        full, spare = self._full, self._spare
        while full and full[0][0] <= oldest:
            chunk = full.popleft()[1]
            if len(spare) < _SPARE:
                spare.append(chunk)
        if oldest == following and not self.data:
            self._chunk = None
            spare.clear()  # a connection that rests has none

    def _put(self, taken: list[Buffer], count: int, following: int) -> None:
        chunk, start = self._chunk, self._filled
        if chunk is None or start + count > CHUNK:
            if chunk is not None:
                self._full.append((following, chunk))
            taken.insert(0, self.data)
            count += len(self.data)
            if not _WORTH_A_CHUNK <= count <= CHUNK:
                self._chunk = None
                self.data = memoryview(b"".join(taken))
                return
            chunk = self._chunk = self._spare.pop() if self._spare else memoryview(bytearray(CHUNK))
            start, self.data = 0, _NOTHING
        at = start
        for buffer in taken:
            end = at + len(buffer)
            chunk[at:end] = buffer
            at = end
        self.data = chunk[start - len(self.data) : at]
        self._filled = at
