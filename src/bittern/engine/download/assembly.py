"""Pieces being put together: which blocks are free, asked for or here, and the buffers they land in.

A piece is assembled in extents of at most 1 MiB, each in one slab, so that a piece of any size needs little memory
and goes to the disk in few large writes. A block is free, then asked, then here; `check_invariants` holds after
every call. Memory is bounded where blocks are asked for, not where they arrive, so nothing can wait in a circle.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import inf

from bittern.base.geometry import BLOCK, Geometry
from bittern.wire.blocks import Head, Run

from .open_pieces import Extent, OpenPiece
from .races import Asker, Races
from .slabs import Memory, SlabPool

EXTENT = 1 << 20
"""Bytes that are written and hashed together, at most."""

_FREE, _ASKED, _HERE = 0, 1, 2
_TO_ASKED = [bytes((_ASKED,)) * count for count in range(EXTENT // BLOCK + 1)]
_TO_HERE = [bytes((_HERE,)) * count for count in range(EXTENT // BLOCK + 1)]


class Assembly:
    """The open pieces of one torrent.

    Args:
        geometry: of the torrent.
        buffer_bytes: memory that it may use.
        memory: that it shares with others, or None.
    """

    def __init__(self, geometry: Geometry, buffer_bytes: int, memory: Memory | None = None) -> None:
        self._geometry = geometry
        self._extent_size = min(EXTENT, -(-geometry.piece_size // BLOCK) * BLOCK)
        self._extent_blocks = self._extent_size // BLOCK
        self.slabs = SlabPool(self._extent_size, max(2, buffer_bytes // self._extent_size), memory)
        self.piece_count, self.piece_size = geometry.piece_count, geometry.piece_size
        """Pieces of the torrent, and bytes of each but the last."""
        self._open: dict[int, OpenPiece] = {}
        self.askable: dict[int, OpenPiece] = {}
        """Those with blocks that nobody is asked for, not to be changed from outside."""
        self._complete: list[Extent] = []
        self.races = Races()
        """Of the blocks that are asked of several."""
        self.asked = 0
        """Blocks asked of somebody and not here."""

    def __contains__(self, piece: int) -> bool:
        return piece in self._open

    def __len__(self) -> int:
        return len(self._open)

    def pieces(self) -> list[int]:
        """The open pieces, oldest first."""
        return list(self._open)

    def open(self, piece: int, owner: int | None = None, now: float = 0.0, *, left_to: int | None = None) -> None:
        """Begin to assemble `piece`, from anybody, from `owner` alone, or by `left_to` while others need not help."""
        opened = OpenPiece(piece, -(-self._geometry.piece_length(piece) // self._extent_size))
        opened.owner, opened.since = owner, now
        opened.left_to = left_to if owner is None else owner
        self._open[piece] = self.askable[piece] = opened

    def disown(self, owner: int, before: float = inf) -> None:
        """What `owner` was to bring alone, and was begun before a time, may be asked of anybody now."""
        for opened in self._open.values():
            if opened.owner == owner and opened.since < before:
                opened.owner, opened.left_to, opened.former_owner = None, None, owner

    def give_to_all(self, piece: int) -> None:
        """What one was to bring alone of an open piece may be asked of anybody now."""
        opened = self._open[piece]
        opened.owner = opened.left_to = None

    def share_out(self, peer: int) -> None:
        """What was left to `peer`, though not to it alone, is begun by all now."""
        for opened in self._open.values():
            if opened.left_to == peer and opened.owner is None:
                opened.left_to = None

    def owner(self, piece: int) -> int | None:
        """The one peer that may be asked for an open piece, or None."""
        return self._open[piece].owner

    def former_owner(self, piece: int) -> int | None:
        """The peer that was to bring an open piece alone and did not, or None."""
        opened = self._open.get(piece)
        return opened.former_owner if opened is not None else None

    def with_free(self) -> Iterator[int]:
        """Open pieces of which something may still be asked of somebody."""
        exhausted = self.slabs.exhausted
        for piece, opened in self.askable.items():
            if opened.free or (opened.unopened and not exhausted):
                yield piece

    def is_askable(self, piece: int, peer: int) -> bool:
        """Whether anything of a piece may be asked of `peer`, if there is memory."""
        opened = self.askable.get(piece)
        return opened is not None and opened.owner in (None, peer)

    def with_unopened(self) -> Iterator[int]:
        """Open pieces of which something needs a slab first, oldest first."""
        return (piece for piece, opened in self.askable.items() if opened.unopened)

    def allot(self, piece: int, want: int) -> Run | None:
        """Up to `want` neighbouring free blocks of an open piece, now asked; None where there are none."""
        opened = self._open[piece]
        if not opened.free and not self._open_extent(opened):
            return None
        for extent in opened.extents.values():
            at = extent.states.find(_FREE)
            if at < 0:
                continue
            stop = min(at + want, len(extent.states))
            for taken in (_ASKED, _HERE):
                found = extent.states.find(taken, at, stop)
                stop = found if found >= 0 else stop
            count = stop - at
            extent.states[at:stop] = _TO_ASKED[count]
            opened.free -= count
            self.asked += count
            self._note(opened)
            return Run(piece, extent.first + at, extent.bodies[at:stop])
        raise AssertionError("free blocks were counted that do not exist")

    def evict(self) -> bool:
        """Free the slab of the extent with the least in it that nobody is asked for; False when there is none.

        What is here of it must come again. Without this, pieces that were begun with peers that are gone could
        hold all the memory, and no other piece could ever be begun.
        """
        extents = [extent for opened in self._open.values() for extent in opened.extents.values()]
        idle = [extent for extent in extents if _ASKED not in extent.states]
        if not idle:
            return False
        extent = max(idle, key=lambda extent: extent.missing / len(extent.states))
        opened = self._open[extent.piece]
        number = extent.first // self._extent_blocks
        del opened.extents[number]
        opened.unopened.appendleft(number)
        opened.free -= extent.missing
        self._note(opened)
        self.slabs.give(extent.slab)
        return True

    def make_room(self) -> bool:
        """Whether an extent can be opened, if need be in place of one that nobody is asked for."""
        return not self.slabs.exhausted or (self.evict() and not self.slabs.exhausted)

    def shelve(self, piece: int) -> bool:
        """Ask for nothing more of an open piece, of which nothing is asked now; False when it is not open any more.

        What is in memory of it is let go. It stays open if the disk has a part of it: that need not come again.
        """
        opened = self._open[piece]
        if not opened.unopened and not opened.extents:
            return True  # all of it is here
        for number, extent in sorted(opened.extents.items(), reverse=True):
            assert _ASKED not in extent.states
            opened.unopened.appendleft(number)
            self.slabs.give(extent.slab)
        opened.extents.clear()
        opened.free = 0
        if len(opened.unopened) * self._extent_size >= self._geometry.piece_length(piece):
            self.close(piece)
            return False
        opened.shelved = True
        self._note(opened)
        return True

    def expunge(self, sender: int) -> None:
        """A peer lied: what it sent of pieces that are not whole must come again, as far as it is in memory."""
        for opened in self._open.values():
            for extent in opened.extents.values():
                if sender not in extent.senders:
                    continue
                for at, author in enumerate(extent.authors):
                    if author == sender and extent.states[at] == _HERE:
                        extent.states[at] = _FREE
                        extent.missing += 1
                        opened.free += 1
                del extent.senders[sender]
            self._note(opened)

    def unshelve(self, piece: int) -> None:
        """Ask for the rest of an open piece again."""
        opened = self._open[piece]
        opened.shelved = False
        self._note(opened)

    def adopt(self, piece: int, block: int) -> bool:
        """Mark a free block as asked: it arrives though nobody waits for it. False when it is not free."""
        extent = self._extent(piece, block)
        if extent is None or extent.states[block - extent.first] != _FREE:
            return False
        extent.states[block - extent.first] = _ASKED
        opened = self._open[piece]
        opened.free -= 1
        self.asked += 1
        self._note(opened)
        return True

    def place(self, piece: int, block: int) -> memoryview:
        """Where an asked block belongs."""
        extent = self._extent(piece, block)
        assert extent is not None
        return extent.bodies[block - extent.first]

    def memory(self, run: Run) -> memoryview:
        """Where the blocks of a run that is asked for belong, in one."""
        extent = self._extent(run.piece, run.first)
        assert extent is not None
        begin = (run.first - extent.first) * BLOCK
        return extent.data[begin : begin + (run.count - 1) * BLOCK + len(run.bodies[-1])]

    def length(self, piece: int, block: int) -> int:
        """Bytes of a block that is in memory in part or whole; 0 when its extent is not."""
        extent = self._extent(piece, block)
        if extent is None or block - extent.first >= len(extent.bodies):
            return 0
        return len(extent.bodies[block - extent.first])

    def share(self, piece: int, block: int, first: Asker, second: Asker) -> Run:
        """An asked block of `first` is asked of `second` too: neither may write in place any more."""
        self.races.join(piece, block, first, second)
        return Run(piece, block, [self.place(piece, block)])

    def let_go(self, piece: int, block: int, asker: Asker) -> None:
        """A block will not come from `asker`: it is free, unless another was asked for it too."""
        if not self.races.left(piece, block, asker):
            self._release(piece, block)

    def landed(self, piece: int, block: int, count: int, sender: int) -> None:
        """`count` blocks from `block` on, that were asked and not here, are in their places."""
        extent = self._extent(piece, block)
        assert extent is not None
        at = block - extent.first
        extent.states[at : at + count] = _TO_HERE[count]
        extent.authors[at : at + count] = [sender] * count
        extent.missing -= count
        extent.senders[sender] = None
        self.asked -= count
        if not extent.missing:
            self._completed(self._open[piece], extent)

    def landed_each(self, heads: list[Head], sender: int) -> None:
        """As `landed`, for blocks that are no neighbours."""
        extent_blocks = self._extent_blocks
        self.asked -= len(heads)
        for _, _, piece, begin in heads:
            opened = self._open[piece]
            block = begin // BLOCK
            extent = opened.extents[block // extent_blocks]
            extent.states[block - extent.first] = _HERE
            extent.authors[block - extent.first] = sender
            extent.missing -= 1
            extent.senders[sender] = None
            if not extent.missing:
                self._completed(opened, extent)

    def take_complete(self) -> list[Extent]:
        """Extents that became complete since the last call; their slabs are the caller's to give back."""
        complete, self._complete = self._complete, []
        return complete

    def authors(self, piece: int) -> Mapping[int, Sequence[int]]:
        """Who sent each block of what is complete of an open piece, by the first blocks of its extents."""
        opened = self._open.get(piece)
        return opened.authors if opened is not None else {}

    def close(self, piece: int) -> tuple[int, ...]:
        """`piece` is stored or failed: forget it. Returns the peers that sent its blocks."""
        self.askable.pop(piece, None)
        opened = self._open.pop(piece, None)
        return tuple(opened.senders) if opened is not None else ()

    def close_all(self) -> list[Extent]:
        """Forget everything, when nothing is asked of anybody; extents in memory are returned for their slabs."""
        extents = [extent for opened in self._open.values() for extent in opened.extents.values()]
        extents += self._complete
        self._complete.clear()
        self._open.clear()
        self.askable.clear()
        return extents

    def check_invariants(self) -> None:
        """Raise AssertionError where counts and states disagree (tests and sim)."""
        asked = 0
        for opened in self._open.values():
            free = 0
            for extent in opened.extents.values():
                assert extent.missing == len(extent.states) - extent.states.count(_HERE)
                assert extent.missing
                free += extent.states.count(_FREE)
                asked += extent.states.count(_ASKED)
            assert opened.free == free
            askable = bool(opened.free or opened.unopened) and not opened.shelved
            assert (opened.piece in self.askable) == askable
        assert self.asked == asked

    def _completed(self, opened: OpenPiece, extent: Extent) -> None:
        self._complete.append(extent)
        opened.senders.update(extent.senders)
        opened.authors[extent.first] = extent.authors
        del opened.extents[extent.first // self._extent_blocks]

    def _release(self, piece: int, block: int) -> None:
        extent = self._extent(piece, block)
        assert extent is not None
        assert extent.states[block - extent.first] == _ASKED
        extent.states[block - extent.first] = _FREE
        opened = self._open[piece]
        opened.free += 1
        self.asked -= 1
        self._note(opened)

    def _note(self, opened: OpenPiece) -> None:
        """Blocks of a piece were asked for or came free."""
        if (opened.free or opened.unopened) and not opened.shelved:
            self.askable[opened.piece] = opened
        else:
            self.askable.pop(opened.piece, None)

    def _extent(self, piece: int, block: int) -> Extent | None:
        opened = self._open.get(piece)
        return opened.extents.get(block // self._extent_blocks) if opened is not None else None

    def _open_extent(self, opened: OpenPiece) -> bool:
        slab = self.slabs.take() if opened.unopened else None
        if slab is None:
            return False
        number = opened.unopened.popleft()
        begin = number * self._extent_size
        length = min(self._extent_size, self._geometry.piece_length(opened.piece) - begin)
        extent = Extent(opened.piece, begin // BLOCK, length, slab)
        opened.extents[number] = extent
        opened.free += len(extent.states)
        return True
