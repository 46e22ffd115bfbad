"""Where the bytes of a long run of pieces land: memory is taken when they come, not when they are asked for.

The pieces of the run are its own from the beginning: nobody else is asked for them. Bytes that belong to none of them
(servers without ranges send the whole file) are let fall. HOT: bench/calls_per_block
"""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from bittern.base.geometry import BLOCK
from bittern.engine.download.assembly import EXTENT
from bittern.engine.download.download import Download
from bittern.wire.blocks import Run

READ_MOST = 2 << 20
"""Bytes that are taken in one go where they wait: each go costs a turn of the loop."""

_EXTENT_BLOCKS = EXTENT // BLOCK


class _Landing(NamedTuple):
    """Blocks that have memory: where they begin in the torrent, and where they land."""

    run: Run
    start: int
    memory: memoryview


class Cursor:
    """What one connection is to bring, and how far it is.

    Args:
        number: who sends it.
        download: what it is for.
        spare: where bytes fall that nobody needs.
    """

    def __init__(self, number: int, download: Download, spare: memoryview) -> None:
        self.shared: dict[tuple[int, int], None] = {}  # as an Asker; nothing is ever asked of two
        self._number = number
        self._download = download
        self._spare = spare
        self._helped: deque[Run] = deque()  # of pieces that others began
        self.pieces: deque[int] = deque()
        """The pieces that are to come whole, the one that comes now first."""
        self._open: deque[_Landing] = deque()  # what has memory, neighbours
        self._filled = 0  # bytes of the first of them that are here
        self._offered = 0
        self._reach = 0  # bytes to offer where that much came at once the last time
        self.whole = False
        """Whether something became whole by what landed last."""

    @property
    def busy(self) -> bool:
        """Whether anything is to come."""
        return bool(self.pieces or self._helped or self._open)

    def withdraw(self, piece: int, block: int) -> bool:
        """See Asker: it shares nothing."""
        return False

    def begin(self, pieces: Sequence[int], now: float) -> None:
        """These pieces, which are free, are to come after all that was to come before."""
        for piece in pieces:
            self._download.picker.begun(piece)
            self._download.assembly.open(piece, self._number, now)
            self.pieces.append(piece)

    def help(self, runs: Sequence[Run]) -> None:
        """These blocks, which are marked as asked, are to come; nothing else is."""
        self._helped.extend(runs)

    def place(self, at: int, most: int) -> Sequence[memoryview]:
        """Where up to `most` bytes go that begin at `at` in the torrent; none where there is no memory now."""
        if not self._open and not self._open_next(at):
            return ()
        if not self._open:
            return (self._spare[: min(most, self._until_next(at))],)
        first = self._open[0]
        start = first.start + self._filled
        if at != start:
            return (self._spare[: min(most, start - at) if at < start else most],)
        place = first.memory[self._filled : self._filled + most]
        self._offered = len(place)
        if self._offered < most and self._offered < self._reach:
            return self._with_neighbours(place, min(most, self._reach))
        return (place,)

    def landed(self, at: int, count: int) -> int:
        """`count` bytes from `at` on are where `place` said last; how many of them were needed."""
        self.whole = False
        if not self._open or at != self._open[0].start + self._filled:
            return 0
        self._reach = min(2 * count, READ_MOST) if count == self._offered else count
        left = count
        while left:
            part = min(left, len(self._open[0].memory) - self._filled)
            self._land(part)
            left -= part
        return count

    def awaits(self, at: int, until: int) -> bool:
        """Whether what is to come next is among the bytes from `at` to `until` of the torrent."""
        if self._open:
            start = self._open[0].start + self._filled
        elif self._helped:
            start = self._start(self._helped[0])
        elif self.pieces:
            start = self._download.geometry.offset(self.pieces[0])
        else:
            return False
        return at <= start < until

    def lacking(self) -> list[tuple[int, int]]:
        """(offset, length) in the torrent of all that is to come, in order, neighbours joined."""
        geometry = self._download.geometry
        spans = [(landing.start, len(landing.memory)) for landing in self._open]
        if spans:
            spans[0] = (spans[0][0] + self._filled, spans[0][1] - self._filled)
        spans += [(self._start(run), (run.count - 1) * BLOCK + len(run.bodies[-1])) for run in self._helped]
        begun = {landing.run.piece: landing for landing in self._open}  # the last of each
        for piece in self.pieces:
            first, length = geometry.offset(piece), geometry.piece_length(piece)
            if piece in begun:
                rest = begun[piece].start + len(begun[piece].memory) - first
                first, length = first + rest, length - rest
            elif landed := sum(map(len, self._download.assembly.authors(piece).values())) * BLOCK:
                first, length = first + landed, length - landed
            spans.append((first, length))
        return _joined(spans)

    def hand_back(self, keep: int) -> list[int]:
        """Give back the pieces that nothing came of, but the first `keep` of all that are to come."""
        back: list[int] = []
        while len(self.pieces) > keep and not self._is_begun(self.pieces[-1]):
            piece = self.pieces.pop()
            self._download.assembly.close(piece)
            if piece in self._download.wanted:
                self._download.picker.returned(piece)
            back.append(piece)
        return back

    def give_up(self) -> None:
        """Nothing more comes: what is begun may be asked of others."""
        assembly = self._download.assembly
        self.hand_back(0)
        done = self._filled // BLOCK
        for run in [*(landing.run for landing in self._open), *self._helped]:
            for block in range(run.first + done, run.first + run.count):
                assembly.let_go(run.piece, block, self)
            done = 0
        self._filled = 0
        self._open.clear()
        self._helped.clear()
        for piece in self.pieces:
            if piece in assembly:
                assembly.give_to_all(piece)
        self.pieces.clear()

    def owes(self) -> list[int]:
        """The pieces of which something is to come."""
        runs = [*(landing.run for landing in self._open), *self._helped]
        return [*self.pieces, *(run.piece for run in runs)]

    def _land(self, count: int) -> None:
        """So much more of the first that is open is here, and not more than all of it."""
        run, _, memory = self._open[0]
        before = self._filled // BLOCK
        self._filled += count
        whole = self._filled == len(memory)
        after = run.count if whole else self._filled // BLOCK
        if after > before:
            self._download.assembly.landed(run.piece, run.first + before, after - before, self._number)
        if whole:
            self.whole = True
            self._open.popleft()
            self._filled = 0
            ends = run.first + run.count == self._download.geometry.block_count(run.piece)
            if ends and self.pieces and run.piece == self.pieces[0]:
                self.pieces.popleft()

    def _open_next(self, at: int) -> bool:
        """Find the next blocks that are to come; False when there is no memory for them."""
        if self._helped:
            self._add(self._helped.popleft())
        elif self.pieces and at >= self._download.geometry.offset(self.pieces[0]):
            assembly = self._download.assembly
            if not assembly.make_room():
                assembly.slabs.wait()
                return False
            run = assembly.allot(self.pieces[0], _EXTENT_BLOCKS)
            if run is None:
                return False
            self._add(run)
        return True

    def _add(self, run: Run) -> None:
        self._open.append(_Landing(run, self._start(run), self._download.assembly.memory(run)))

    def _start(self, run: Run) -> int:
        return self._download.geometry.offset(run.piece, run.first * BLOCK)

    def _with_neighbours(self, place: memoryview, most: int) -> list[memoryview]:
        """Also where that lands which follows, as far as there is memory to spare."""
        places, at = [place], 1
        while self._offered < most and (at < len(self._open) or self._open_neighbour()):
            memory = self._open[at].memory[: most - self._offered]
            places.append(memory)
            self._offered += len(memory)
            at += 1
        return places

    def _open_neighbour(self) -> bool:
        """Give memory to the blocks that follow the last that have some, if they are ours and there is plenty."""
        last, pieces, assembly = self._open[-1], self.pieces, self._download.assembly
        piece = last.run.piece
        at = piece - pieces[0] if pieces else -1
        if self._helped or assembly.slabs.exhausted or not 0 <= at < len(pieces) or pieces[at] != piece:
            return False
        if last.run.first + last.run.count == self._download.geometry.block_count(piece):
            piece += 1
            if at + 1 == len(pieces) or pieces[at + 1] != piece:
                return False
            if self._download.geometry.offset(piece) != last.start + len(last.memory):
                return False  # a gap: what follows is in another file (BEP 52)
        run = assembly.allot(piece, _EXTENT_BLOCKS)
        if run is None:
            return False
        self._add(run)
        return True

    def _until_next(self, at: int) -> int:
        """Bytes that nobody needs."""
        if self.pieces:
            return max(1, self._download.geometry.offset(self.pieces[0]) - at)
        return len(self._spare)

    def _is_begun(self, piece: int) -> bool:
        """Whether anything of a piece was asked for; of others all is as it was when they were opened."""
        if any(landing.run.piece == piece for landing in self._open):
            return True
        return piece == self.pieces[0] and bool(self._download.assembly.authors(piece))


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans in the same order, neighbours as one, without those of no length."""
    joined: list[tuple[int, int]] = []
    for offset, length in spans:
        if joined and sum(joined[-1]) == offset:
            joined[-1] = (joined[-1][0], joined[-1][1] + length)
        elif length:
            joined.append((offset, length))
    return joined
