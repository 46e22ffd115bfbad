"""Where the bytes of a long run of pieces land: memory is taken when they come, not when they are asked for.

The pieces of the run are its own from the beginning: nobody else is asked for them. Bytes that belong to none of them
(servers without ranges send the whole file) are let fall.
"""

from collections import deque
from collections.abc import Sequence

from bittern.base.geometry import BLOCK
from bittern.engine.download.assembly import EXTENT
from bittern.engine.download.download import Download
from bittern.wire.blocks import Run

_EXTENT_BLOCKS = EXTENT // BLOCK


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
        self._runs: deque[Run] = deque()
        self.pieces: deque[int] = deque()
        """The pieces that are to come whole, the one that comes now first."""
        self._run: Run | None = None
        self._memory = spare[:0]
        self._filled = 0  # bytes of the run that are here

    @property
    def busy(self) -> bool:
        """Whether anything is to come."""
        return bool(self.pieces or self._runs or self._run is not None)

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
        self._runs.extend(runs)

    def place(self, at: int, most: int) -> Sequence[memoryview]:
        """Where up to `most` bytes go that begin at `at` in the torrent; none where there is no memory now."""
        geometry = self._download.geometry
        if self._run is None and not self._next_run(at):
            return ()
        run = self._run
        if run is None:
            return (self._spare[: min(most, self._until_next(at))],)
        start = geometry.offset(run.piece, run.first * BLOCK)
        if at < start:
            return (self._spare[: min(most, start - at)],)
        return (self._memory[self._filled : self._filled + most],)

    def landed(self, at: int, count: int) -> int:
        """`count` bytes from `at` on are where `place` said last; how many of them were needed."""
        run = self._run
        if run is None or at < self._download.geometry.offset(run.piece, run.first * BLOCK):
            return 0
        before = self._filled // BLOCK
        self._filled += count
        whole = self._filled == len(self._memory)
        after = run.count if whole else self._filled // BLOCK
        if after > before:
            self._download.assembly.landed(run.piece, run.first + before, after - before, self._number)
        if whole:
            self._run = None
            self._filled = 0
            ends = run.first + run.count == self._download.geometry.block_count(run.piece)
            if ends and self.pieces and run.piece == self.pieces[0]:
                self.pieces.popleft()
        return count

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
        runs = [self._run] if self._run is not None else []
        for run in [*runs, *self._runs]:
            done = self._filled // BLOCK if run is self._run else 0
            for block in range(run.first + done, run.first + run.count):
                assembly.let_go(run.piece, block, self)
        self._run, self._filled = None, 0
        self._runs.clear()
        for piece in self.pieces:
            if piece in assembly:
                assembly.give_to_all(piece)
        self.pieces.clear()

    def owes(self) -> list[int]:
        """The pieces of which something is to come."""
        runs = [self._run, *self._runs]
        return [*self.pieces, *(run.piece for run in runs if run is not None)]

    def _next_run(self, at: int) -> bool:
        """Find the next blocks that are to come; False when there is no memory for them."""
        download = self._download
        if self._runs:
            self._run = self._runs.popleft()
        elif self.pieces and at >= download.geometry.offset(self.pieces[0]):
            assembly = download.assembly
            if not assembly.make_room():
                assembly.slabs.wait()
                return False
            self._run = assembly.allot(self.pieces[0], _EXTENT_BLOCKS)
        else:
            return True
        if self._run is None:
            return False
        self._memory = download.assembly.memory(self._run)
        return True

    def _until_next(self, at: int) -> int:
        """Bytes that nobody needs."""
        if self.pieces:
            return max(1, self._download.geometry.offset(self.pieces[0]) - at)
        return len(self._spare)

    def _is_begun(self, piece: int) -> bool:
        """Whether anything of a piece was asked for; of others all is as it was when they were opened."""
        return piece == self.pieces[0] and (
            (self._run is not None and self._run.piece == piece) or bool(self._download.assembly.authors(piece))
        )
