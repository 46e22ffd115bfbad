"""What one peer asked of us and has not got yet, kept as runs so that neighbours are read and sent together."""

from collections import deque

from bittern.base.geometry import BLOCK

from .stint import Stint

RUN_BLOCKS = 16
"""Blocks that are read and sent together: 256 KiB stay in a processor's cache between the two."""
RUN_BYTES = RUN_BLOCKS * BLOCK
HOLES_MOST = 1000
"""Cancelled requests that stay marked in their runs, beyond as many as there are others, before all is put in order."""


class _Run:
    """Requests for neighbouring blocks; `holes` are the begins of those that were cancelled."""

    __slots__ = ("begin", "end", "holes", "piece")

    def __init__(self, piece: int, begin: int, end: int) -> None:
        self.piece = piece
        self.begin = begin
        self.end = end
        self.holes: set[int] = set()

    def requests(self) -> list[tuple[int, int, int]]:
        """(piece, begin, length) of each that waits."""
        begins = range(self.begin, self.end, BLOCK)
        return [(self.piece, at, min(BLOCK, self.end - at)) for at in begins if at not in self.holes]


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
        stint: how it fares among those who are served.
    """

    __slots__ = (
        "_holes",
        "_places",
        "_runs",
        "allowed",
        "held",
        "last",
        "marches",
        "queued",
        "reading",
        "refused",
        "sent",
        "stint",
    )

    def __init__(self) -> None:
        self._runs: deque[_Run] = deque()
        # In which runs each request waits, oldest first: only for who cancels, so that it costs nobody else anything.
        self._places: dict[tuple[int, int, int], deque[_Run]] | None = None
        self._holes = 0
        self.allowed: dict[int, int] | None = None
        self.queued = 0
        self.held = 0
        self.last: tuple[int, int] | None = None
        self.marches = False
        self.reading = 0
        self.refused = 0
        self.sent = 0
        self.stint = Stint()

    def add(self, piece: int, begin: int, length: int, count: int = 1) -> None:
        """Queue `count` requests that were admitted, for neighbouring blocks of `length` bytes together."""
        self.queued += count
        end = begin + length
        last = self._runs[-1] if self._runs else None
        if last is not None and last.piece == piece and last.end == begin and not (begin % BLOCK or last.begin % BLOCK):
            last.end = end
        else:
            last = _Run(piece, begin, end)
            self._runs.append(last)
        if self._places is not None:
            self._note(self._places, _Run(piece, begin, end).requests(), last)

    def put_back(self, piece: int, begin: int, length: int) -> None:
        """What `next_run` gave last is to be taken out again, before all others."""
        run = _Run(piece, begin, begin + length)
        self._runs.appendleft(run)
        self.queued += -(-length // BLOCK)
        if self._places is not None:
            for request in run.requests():
                self._places.setdefault(request, deque()).appendleft(run)

    def next_run(self, most: int = RUN_BLOCKS) -> tuple[int, int, int] | None:
        """Take out the next neighbours, at most so many blocks: (piece, begin, length), whole but for the end.

        They do not go over a multiple of RUN_BYTES: so runs of different peers fall together.
        """
        while self._runs:
            run = self._runs[0]
            if run.holes:
                self._skip(run)
            piece, begin, end = run.piece, run.begin, run.end
            if begin >= end:
                self._runs.popleft()
                continue
            stop = min(end, begin + most * BLOCK)
            if begin % RUN_BYTES and not begin % BLOCK:
                stop = min(stop, begin - begin % RUN_BYTES + RUN_BYTES)
            if run.holes:
                stop = next((at for at in range(begin + BLOCK, stop, BLOCK) if at in run.holes), stop)
            if stop == end:
                self._runs.popleft()
            else:
                run.begin = stop
            self.queued -= -(-(stop - begin) // BLOCK)
            if self._places is not None:
                for at in range(begin, stop, BLOCK):
                    self._take_place(self._places, (piece, at, min(BLOCK, end - at)))
            return piece, begin, stop - begin
        return None

    def cancel(self, piece: int, begin: int, length: int) -> bool:
        """Take the oldest request of this kind back; False when none like it is waiting (any more).

        It must be a whole request: a part of one would leave something that nobody asked for. However many wait, and
        however many are cancelled, one costs no more than another.
        """
        if self._places is None:
            self._places = {}
            for run in self._runs:
                self._note(self._places, run.requests(), run)
        request = (piece, begin, length)
        if request not in self._places:
            return False
        self._take_place(self._places, request).holes.add(begin)
        self.queued -= 1
        self._holes += 1
        if self._holes > HOLES_MOST + self.queued:
            self._put_in_order()
        return True

    def clear(self) -> list[tuple[int, int, int]]:
        """Drop everything that waits; returned block by block, for rejects."""
        dropped = [request for run in self._runs for request in run.requests()]
        self._runs.clear()
        self._places, self._holes = None, 0
        self.queued = 0
        return dropped

    @staticmethod
    def _note(places: dict[tuple[int, int, int], deque[_Run]], requests: list[tuple[int, int, int]], run: _Run) -> None:
        for request in requests:
            places.setdefault(request, deque()).append(run)

    @staticmethod
    def _take_place(places: dict[tuple[int, int, int], deque[_Run]], request: tuple[int, int, int]) -> _Run:
        runs = places[request]
        run = runs.popleft()
        if not runs:
            del places[request]
        return run

    def _skip(self, run: _Run) -> None:
        """Go past what was cancelled at the front of a run."""
        while run.begin in run.holes:
            run.holes.discard(run.begin)
            self._holes -= 1
            run.begin = min(run.begin + BLOCK, run.end)

    def _put_in_order(self) -> None:
        """Make the same requests anew, without what is left of those that were cancelled."""
        for request in self.clear():
            self.add(*request)
