"""What one peer asked of us and has not got yet, kept as runs so that neighbours are read and sent together."""

from collections import deque

from bittern.base.errors import Offence, RemoteProtocolError
from bittern.base.geometry import BLOCK

from .turn import Turn

LOOKED_MOST = 4_000_000
"""Runs that may be looked at in search of cancelled requests, beyond one for 16 bytes sent: a fifth of a second,
and enough to take back 2,000 single blocks in the worst order."""

RUN_BLOCKS = 16
"""Blocks that are read and sent together: 256 KiB stay in a processor's cache between the two."""
RUN_BYTES = RUN_BLOCKS * BLOCK


class UploadQueue:
    """Queued requests of one peer, oldest first.

    Attributes:
        queued: blocks waiting.
        last: (piece, begin) of what follows the last run that was taken out.
        marches: it went on from the last piece to the next: all in order.
        held: buffers with blocks for the peer, being read or waiting to be sent.
        sent: bytes of blocks handed to the connection, ever.
        reading: bytes being read from the disk now.
        allowed: for pieces that the peer may ask for while choked, how many blocks it still may; None: not offered.
        refused: requests refused since the peer was choked.
        turn: how it fares among those who are served.
    """

    __slots__ = (
        "_looked",
        "_runs",
        "allowed",
        "held",
        "last",
        "marches",
        "queued",
        "reading",
        "refused",
        "sent",
        "turn",
    )

    def __init__(self) -> None:
        self._runs: deque[list[int]] = deque()  # [piece, begin, end]
        self._looked = 0  # runs looked at by cancels, ever
        self.allowed: dict[int, int] | None = None
        self.queued = 0
        self.held = 0
        self.last: tuple[int, int] | None = None
        self.marches = False
        self.reading = 0
        self.refused = 0
        self.sent = 0
        self.turn = Turn()

    def add(self, piece: int, begin: int, length: int, count: int = 1) -> None:
        """Queue `count` requests that were admitted, for neighbouring blocks of `length` bytes together."""
        self.queued += count
        if self._runs:
            last = self._runs[-1]
            if last[0] == piece and last[2] == begin and not begin % BLOCK and not last[1] % BLOCK:
                last[2] = begin + length
                return
        self._runs.append([piece, begin, begin + length])

    def next_run(self, most: int = RUN_BLOCKS) -> tuple[int, int, int] | None:
        """Take out the next neighbours, at most so many blocks: (piece, begin, length), whole but for the end.

        They do not go over a multiple of RUN_BYTES: so runs of different peers fall together.
        """
        if not self._runs:
            return None
        run = self._runs[0]
        piece, begin, end = run
        stop = min(end, begin + most * BLOCK)
        if begin % RUN_BYTES and not begin % BLOCK:
            stop = min(stop, begin - begin % RUN_BYTES + RUN_BYTES)
        if stop == end:
            self._runs.popleft()
        else:
            run[1] = stop
        self.queued -= -(-(stop - begin) // BLOCK)
        return piece, begin, stop - begin

    def cancel(self, piece: int, begin: int, length: int) -> bool:
        """Take a request back; False when none like it is waiting (any more).

        Raises:
            RemoteProtocolError: so many were cancelled that looking for them held up everybody.
        """
        if self._looked > LOOKED_MOST + (self.sent >> 4):
            raise RemoteProtocolError(Offence.REQUEST_FLOOD, "and cancelled more than any client may")
        for at, (run_piece, low, high) in enumerate(self._runs):
            # It must be one of the run's blocks: a part of one would leave something that nobody asked for.
            asked = run_piece == piece and low <= begin < high and not (begin - low) % BLOCK
            if asked and length == min(BLOCK, high - begin):
                del self._runs[at]
                rest = [[piece, low, begin], [piece, begin + length, high]]
                for part in reversed(rest):
                    if part[1] < part[2]:
                        self._runs.insert(at, part)
                self.queued -= 1
                self._looked += at + 1
                return True
        self._looked += len(self._runs)
        return False

    def clear(self) -> list[tuple[int, int, int]]:
        """Drop everything that waits; returned block by block, for rejects."""
        dropped = [
            (piece, begin, min(BLOCK, high - begin))
            for piece, low, high in self._runs
            for begin in range(low, high, BLOCK)
        ]
        self._runs.clear()
        self.queued = 0
        return dropped
