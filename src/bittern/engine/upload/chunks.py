"""What was read from a slow disk, shared by the peers that ask for it: a crowd reads each piece once.

A piece is read in chunks of a slab's size, each whole: who asks for its beginning will ask for the rest, and the chunk
that follows is on its way before it is asked for.
"""

from bittern.engine.download.slabs import Slab, SlabPool

from .queue import RUN_BYTES

IDLE_MOST = 32
"""Chunks that nobody is being sent, kept for who asks next."""


class Chunk:
    """A part of a piece in memory, or on its way there.

    Attributes:
        piece: piece number.
        begin: byte offset in the piece, a multiple of RUN_BYTES.
        slab: where it is.
        ticket: of its read; 0 when that has ended.
        good: whether it is read and right.
        users: how many runs of it are being sent or wait to be.
    """

    __slots__ = ("begin", "good", "piece", "slab", "ticket", "users")

    def __init__(self, piece: int, begin: int, slab: Slab, ticket: int, users: int) -> None:
        self.piece = piece
        self.begin = begin
        self.slab = slab
        self.ticket = ticket
        self.good = False
        self.users = users


class Chunks:
    """The chunks of one torrent, bounded by the pool that their slabs come from.

    Args:
        slabs: where slabs come from and go to.
    """

    def __init__(self, slabs: SlabPool) -> None:
        self._slabs = slabs
        self._chunks: dict[tuple[int, int], Chunk] = {}
        self._idle: dict[tuple[int, int], Chunk] = {}  # ready and without users, the longest first

    def __len__(self) -> int:
        return len(self._chunks)

    @property
    def exhausted(self) -> bool:
        """Whether `take` would give nothing."""
        return self._slabs.exhausted and not self._idle

    @property
    def room(self) -> float:
        """How often `take` would give something."""
        return self._slabs.room + len(self._idle)

    def take(self) -> Slab | None:
        """A slab for any use; a chunk that nobody uses is given up for it if need be."""
        slab = self._slabs.take()
        if slab is None and self.evict():
            slab = self._slabs.take()
        return slab

    def evict(self) -> bool:
        """Give up the chunk that nobody has used for longest; False when all are in use."""
        if self._idle:
            self._drop_oldest()
            return True
        return False

    def find(self, piece: int, begin: int) -> Chunk | None:
        """The chunk that holds `begin` of `piece`, with one user more."""
        key = (piece, begin - begin % RUN_BYTES)
        chunk = self._chunks.get(key)
        if chunk is not None:
            chunk.users += 1
            self._idle.pop(key, None)
        return chunk

    def __contains__(self, place: tuple[int, int]) -> bool:
        return place in self._chunks

    def open(self, piece: int, begin: int, slab: Slab, ticket: int, users: int = 1) -> Chunk:
        """A chunk that is going to be read under `ticket`, with so many users."""
        chunk = Chunk(piece, begin - begin % RUN_BYTES, slab, ticket, users)
        self._chunks[piece, chunk.begin] = chunk
        return chunk

    def settled(self, chunk: Chunk, *, good: bool) -> None:
        """The read of a chunk ended; one that failed is given to nobody any more."""
        chunk.ticket, chunk.good = 0, good
        if not good:
            del self._chunks[chunk.piece, chunk.begin]
        self._rest(chunk)

    def release(self, chunk: Chunk) -> None:
        """One user less."""
        chunk.users -= 1
        self._rest(chunk)

    def clear(self) -> None:
        """Keep nothing for nobody."""
        while self._idle:
            self._drop_oldest()

    def _rest(self, chunk: Chunk) -> None:
        if chunk.users or chunk.ticket:
            return
        if not chunk.good:
            self._slabs.give(chunk.slab)
            return
        self._idle[chunk.piece, chunk.begin] = chunk
        if len(self._idle) > IDLE_MOST:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        key = next(iter(self._idle))
        self._slabs.give(self._idle.pop(key).slab)
        del self._chunks[key]
