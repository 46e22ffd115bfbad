"""Pieces of which something was asked for, and the runs of blocks that are in memory of them: what is known of each."""

from collections import deque

from bittern.base.geometry import BLOCK

from .slabs import Slab


class Extent:
    """Neighbouring blocks of one piece that share a slab.

    Attributes:
        piece: piece number.
        first: number in the piece of its first block.
        bodies: one view a block.
        length: bytes in all.
        missing: blocks that are not here yet.
        senders: numbers of the peers whose blocks are in it, in order of arrival.
        authors: for each block the number of the peer that sent it, once it is here.
    """

    __slots__ = ("authors", "bodies", "first", "length", "missing", "piece", "senders", "slab", "states")

    def __init__(self, piece: int, first: int, length: int, slab: Slab) -> None:
        self.piece = piece
        self.first = first
        self.length = length
        self.slab = slab
        count = -(-length // BLOCK)
        self.bodies = slab.blocks[:count]
        if length % BLOCK:
            self.bodies[-1] = self.bodies[-1][: length % BLOCK]
        self.missing = count
        self.states = bytearray(count)
        self.senders: dict[int, None] = {}
        self.authors = [0] * count

    @property
    def begin(self) -> int:
        """Byte offset in the piece."""
        return self.first * BLOCK

    @property
    def data(self) -> memoryview:
        """All its bytes."""
        return self.slab.memory[: self.length]


class OpenPiece:
    """A piece of which something was asked for.

    Attributes:
        piece: its number.
        extents: those in memory, by number in the piece.
        unopened: numbers of the extents that are yet to be opened, in order.
        free: blocks of opened extents that may be asked for.
        senders: peers whose blocks are in it.
        authors: who sent each block of the extents that are complete, by their first blocks.
        owner: the one peer that may be asked for it, or None.
        left_to: the peer that began it and is to finish it while others have other things to do, or None.
        former_owner: who was that, and did not finish it.
        since: when it was opened.
        shelved: whether nothing of it is to be asked for, though the disk has a part of it.
    """

    __slots__ = (
        "authors", "extents", "former_owner", "free", "left_to", "owner", "piece", "senders", "shelved", "since",
        "unopened",
    )  # fmt: skip

    def __init__(self, piece: int, extent_count: int) -> None:
        self.piece = piece
        self.unopened = deque(range(extent_count))
        self.extents: dict[int, Extent] = {}
        self.free = 0
        self.senders: dict[int, None] = {}
        self.authors: dict[int, list[int]] = {}
        self.owner: int | None = None
        self.left_to: int | None = None
        self.former_owner: int | None = None
        self.since = 0.0
        self.shelved = False
