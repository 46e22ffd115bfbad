"""The downloading half of one torrent whose metadata is known: what is there, what to ask of whom, what to store."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from bittern.base.bitfield import Bitfield
from bittern.base.geometry import BLOCK
from bittern.codec.hybrid import expectation
from bittern.codec.layers import Layers
from bittern.codec.merkle import HASH_BYTES
from bittern.codec.metainfo import Info
from bittern.engine.effects import ForgetPiece, StoreExtent
from bittern.engine.settings import EngineSettings
from bittern.wire.blocks import Run

from .assembly import Assembly
from .begun import Reach, choose, too_many
from .evidence import Evidence
from .open_pieces import Extent
from .picker import Picker
from .requests import Pipeline
from .slabs import Memory
from .urgent import Urgent

if TYPE_CHECKING:
    from random import Random

_GROUP_BYTES = 4 << 20
_GROUPS_LEAST = 64
_SLOW_SECONDS = 60.0  # a peer that takes longer for a piece begins the commonest


class Download:
    """Pieces of one torrent: missing, begun, received, stored.

    Args:
        torrent: its number in the core.
        info: its metadata.
        have: pieces that are stored already; owned by this part from now on.
        wanted: pieces that are to be fetched at all.
        settings: of the engine.
        rng: for the picker.
        layers: hashes of version 2; where there are no SHA-1 hashes, pieces are begun when theirs is known.
        memory: for blocks, shared with other torrents; None for its own.
    """

    def __init__(
        self,
        torrent: int,
        info: Info,
        have: Bitfield,
        wanted: Bitfield,
        settings: EngineSettings,
        rng: "Random",
        layers: Layers | None = None,
        memory: Memory | None = None,
    ) -> None:
        self._torrent = torrent
        self._info = info
        self._layers = layers
        self._settings = settings
        self.geometry = info.geometry
        self.have = have
        self.wanted = wanted
        missing = wanted.minus(have)
        # Neighbours together, so that writes are few and files are opened once; but of a small torrent everyone
        # is to have something else.
        group = max(1, min(_GROUP_BYTES // info.piece_size, have.size // _GROUPS_LEAST))
        self._unknown = self._without_hash(missing)
        known = missing.copy()
        for piece in self._unknown:
            known.discard(piece)  # kept back until there is a hash to check it by
        self.picker = Picker(have.size, known, rng, group=group, sequential=settings.sequential)
        self.assembly = Assembly(self.geometry, settings.buffer_bytes, memory)
        self.missing = len(missing)
        """Wanted pieces that are not stored."""
        self.left_bytes = self.geometry.bytes_in(missing)
        """Bytes of them."""
        self.lacking_bytes = self.geometry.bytes_in(Bitfield.full(have.size).minus(have))
        """Bytes of all pieces that are not stored, wanted or not: what trackers are told."""
        self.at_disk = 0
        """Bytes handed to the disk and not answered."""
        self._slow_rate = info.piece_size / _SLOW_SECONDS
        self.crowd = 1
        """Peers that there are, as of the last second."""
        self.urgent = Urgent()
        """Pieces that are needed at a time."""
        self.evidence = Evidence()
        """Who sent what of pieces that failed."""
        self._last_done: Extent | None = None  # whose buffer the disk gave back in this turn
        self._recovering = False  # the disk still works on what was handed to it before it failed
        self.corrupt = 0
        """Bytes of pieces that failed their hash."""

    @property
    def complete(self) -> bool:
        """Whether every wanted piece is stored."""
        return not self.missing

    @property
    def congested(self) -> bool:
        """Whether the disk has as much to do as it may: read no more from peers."""
        return self._recovering or self.at_disk >= self._settings.disk_queue_bytes

    @property
    def endgame(self) -> bool:
        """Whether everything that is missing was asked of somebody, or more than that does not fit into our share."""
        assembly = self.assembly
        if len(self.picker) or next(assembly.with_free(), None) is not None:
            return False
        # What only waits until other torrents leave room is not to be asked of two meanwhile.
        return assembly.slabs.full or next(assembly.with_unopened(), None) is None

    def interesting(self, pieces: Bitfield) -> bool:
        """Whether a peer with `pieces` has something that we want and have not stored."""
        return bool(self.missing) and bool(pieces.as_int() & self.wanted.as_int() & ~self.have.as_int())

    def pipeline(self, peer: int) -> Pipeline:
        """A pipeline for a peer that is new."""
        return Pipeline(peer, self.assembly, self._settings.max_requests_outstanding, self.geometry.blocks_per_piece)

    def prioritize(self, priorities: Sequence[int]) -> None:
        """From now on each piece is wanted so much: 0 not at all, 1 to 7, the highest first.

        Nothing must be asked of anybody that is not wanted any more. What was begun of such a piece is forgotten,
        unless the disk has a part of it.
        """
        self.wanted = wanted = Bitfield.marked(bytes(priorities))
        for piece in self.assembly.pieces():
            if piece in wanted:
                self.assembly.unshelve(piece)
            else:
                self.assembly.shelve(piece)
        missing = wanted.minus(self.have)
        self.missing = len(missing)
        self.left_bytes = self.geometry.bytes_in(missing)
        self._unknown = self._without_hash(missing)
        for piece in [*self.assembly.pieces(), *self._unknown]:
            missing.discard(piece)
        self.picker.prioritize(priorities, missing)

    def ask(self, pipeline: Pipeline, pieces: Bitfield, most: int, now: float) -> list[Run]:
        """Blocks to ask of a peer now, at most `most`; they count as asked."""
        runs: list[Run] = []
        room = min(1 - pipeline.outstanding if pipeline.snubbed else pipeline.room, most)
        while room > 0:
            run = self._allot(pipeline, pieces, room, now)
            if run is None:
                break
            pipeline.asked(run, now)
            runs.append(run)
            room -= run.count
        return runs

    def ask_too(self, pipeline: Pipeline, other: Pipeline, pieces: Bitfield, most: int, now: float) -> list[Run]:
        """Endgame: blocks that `other` owes and a peer with `pieces` may bring sooner, asked of it too.

        Both wires were told to `divert` before.
        """
        runs: list[Run] = []
        owed = [(piece, block) for piece, block, _ in reversed(other.blocks_owed())]
        if other.arriving is not None:
            owed.append(other.arriving)  # last: most likely its other half comes soon, but it may never come
        for piece, block in owed:
            if len(runs) >= most:
                break
            if piece in pieces and (piece, block) not in other.shared and self.assembly.owner(piece) is None:
                run = self.assembly.share(piece, block, other, pipeline)
                pipeline.asked(run, now)
                runs.append(run)
        return runs

    def take_over(
        self, pipeline: Pipeline, other: Pipeline, blocks: Sequence[tuple[int, int]], now: float
    ) -> list[Run]:
        """Blocks (piece, block) that `other` alone owes are asked of another peer instead.

        The wire of `other` was told to `divert` before, and is to send cancels.
        """
        runs = [Run(piece, block, [self.assembly.place(piece, block)]) for piece, block in blocks]
        for run in runs:
            other.withdraw(run.piece, run.first)
            pipeline.asked(run, now)
        return runs

    def take_jobs(self) -> list[StoreExtent]:
        """What came whole since the last call, for the disk."""
        self._last_done = None  # its buffer may be given to others from now on
        extents = self.assembly.take_complete()
        return [self._job(extent) for extent in extents] if extents else []

    def extent_done(self, job: StoreExtent) -> None:
        """The disk gave an extent's buffer back."""
        self.at_disk -= len(job.data)
        self._recovering = self._recovering and self.at_disk > 0
        extent = job.extent
        assert isinstance(extent, Extent)
        self.assembly.slabs.give(extent.slab)
        self._last_done = extent
        if self.evidence.copies and job.piece in self.evidence:
            self.evidence.note(extent)

    def piece_checked(self, piece: int, *, good: bool, leaves: bytes = b"") -> tuple[int, ...] | None:
        """All of a piece was hashed, and stored if `good`; the peers that sent its blocks.

        None when the piece was given up in between (`start_over`) and is no good: the answer is to an old question.
        `leaves` are what the blocks of a bad one hash to, as far as the disk tells.
        """
        if piece not in self.assembly:
            if not good or piece not in self.picker:
                return None
            self.picker.begun(piece)  # written whole beside what failed: it need not come again
        last = self._last_done
        if not good and last is not None and last.piece == piece and piece not in self.evidence:
            self.evidence.note(last)
        if leaves and not good:
            self.evidence.note_hashes(piece, self.assembly.authors(piece), self._comparable(piece, leaves))
        senders = self.assembly.close(piece)
        length = self.geometry.piece_length(piece)
        if good:
            self.have.add(piece)
            self.lacking_bytes -= length
            if self.urgent.due:
                self.urgent.set(piece, None)
        else:
            self.corrupt += length
        if piece in self.wanted:
            if good:
                self.missing -= 1
                self.left_bytes -= length
            else:
                self.picker.returned(piece)
        return senders

    def learned(self, pieces: Iterable[int]) -> None:
        """The hashes of `pieces` are known now: those that are missing may be begun."""
        for piece in pieces:
            if piece in self._unknown:
                del self._unknown[piece]
                if piece in self.wanted:
                    self.picker.returned(piece)

    def start_over(self) -> list[ForgetPiece]:
        """The disk failed, nobody is asked any more: all begun pieces are missing again."""
        begun = self.assembly.pieces()
        # Answers to old jobs may still come: they must not be taken for answers to new ones.
        self._recovering = self.at_disk > 0
        for extent in self.assembly.close_all():
            self.assembly.slabs.give(extent.slab)
        for piece in begun:
            if piece in self.wanted:
                self.picker.returned(piece)
        return [ForgetPiece(self._torrent, piece) for piece in begun]

    def check_invariants(self) -> None:
        """Raise AssertionError where parts disagree (tests and sim)."""
        self.have.check_invariants()
        self.picker.check_invariants()
        self.assembly.check_invariants()
        begun = sum(piece in self.wanted for piece in self.assembly.pieces())
        unknown = sum(piece in self.wanted for piece in self._unknown)
        assert self.missing == len(self.picker) + begun + unknown

    def _allot(self, pipeline: Pipeline, pieces: Bitfield, want: int, now: float) -> Run | None:
        alone = pipeline.paroled or (not pipeline.proven and pipeline.alone)  # costs no call for most
        run = self._allot_urgent(pipeline, pieces, want, now) if self.urgent.due else None
        if run is None and not pipeline.paroled:
            run = self._allot_suggested(pipeline, pieces, want, now)
        if run is not None:
            return run
        assembly, swift = self.assembly, pipeline.swift and not pipeline.snubbed
        if assembly.askable:
            run = self._allot_begun(pipeline, pieces, want, Reach.OWN if alone or swift else Reach.SHARED)
            if run is None and not alone and (assembly.slabs.exhausted or too_many(len(assembly.askable), self.crowd)):
                run = self._allot_begun(pipeline, pieces, want, Reach.ALL)
            if run is not None:
                return run
        # Who may never finish a piece is not to spoil a rare one.
        slow = pipeline.snubbed or 0 < pipeline.rate < self._slow_rate
        picked = self.picker.pick(pieces, pipeline.last_piece, common=slow)
        if assembly.slabs.exhausted:
            unopened = any(piece in pieces for piece in assembly.with_unopened())
            if picked is None and not unopened:
                return None
            if not assembly.make_room():
                assembly.slabs.wait()
                return None
            run = self._allot_begun(pipeline, pieces, want, Reach.OWN if alone else Reach.ALL)
            if run is not None:
                return run
        if picked is None:
            return self._allot_begun(pipeline, pieces, want, Reach.ALL)
        self.picker.begun(picked)
        number = pipeline.number
        assembly.open(picked, number if alone else None, now, left_to=number if swift else None)
        return assembly.allot(picked, want)

    def _allot_urgent(self, pipeline: Pipeline, pieces: Bitfield, want: int, now: float) -> Run | None:
        """What is needed first of all that has a deadline."""
        assembly = self.assembly
        for piece in self.urgent.in_order():
            if piece not in pieces:
                continue
            run = assembly.allot(piece, want) if assembly.is_askable(piece, pipeline.number) else None
            if run is None and piece in self.picker and assembly.make_room():
                self.picker.begun(piece)
                assembly.open(piece, pipeline.number if pipeline.paroled else None, now)
                run = assembly.allot(piece, want)
            if run is not None:
                return run
        return None

    def _allot_suggested(self, pipeline: Pipeline, pieces: Bitfield, want: int, now: float) -> Run | None:
        """What the peer would have us ask for (BEP 6), before what is open: that can be had of others, this may not.

        One piece after the other: the next advice is followed when all of the one before was asked for.
        """
        last = pipeline.followed
        run = self.assembly.allot(last, want) if last in self.assembly and last in pieces else None
        while run is None and pipeline.suggested and not self.assembly.slabs.exhausted:
            piece = pipeline.suggested.popleft()
            if piece in pieces and piece in self.picker:
                self.picker.begun(piece)
                self.assembly.open(piece, None, now)
                pipeline.followed = piece
                run = self.assembly.allot(piece, want)
        return run

    def _allot_begun(self, pipeline: Pipeline, pieces: Bitfield, want: int, reach: Reach) -> Run | None:
        assembly = self.assembly
        piece = choose(assembly.askable, pipeline.number, pieces, reach, exhausted=assembly.slabs.exhausted)
        return assembly.allot(piece, want) if piece is not None else None

    def _job(self, extent: Extent) -> StoreExtent:
        piece = extent.piece
        self.at_disk += extent.length
        info, layers = self._info, self._layers
        expected, leaves = (info.piece_hash(piece), 0) if layers is None else expectation(info, layers, piece)
        assert expected is not None, "a piece was begun whose hash is not known"
        return StoreExtent(
            torrent=self._torrent,
            piece=piece,
            begin=extent.first * BLOCK,
            data=extent.data,
            piece_offset=self.geometry.offset(piece),
            piece_length=self.geometry.piece_length(piece),
            expected=expected,
            extent=extent,
            leaves=leaves,
            data_length=layers.data_length(piece) if layers is not None else 0,
        )

    def _comparable(self, piece: int, leaves: bytes) -> bytes:
        """The hashes of those blocks that are the same with and without the pad behind a hybrid's file."""
        whole = self._layers.data_length(piece) if self._layers is not None else self.geometry.piece_length(piece)
        return leaves if whole == self.geometry.piece_length(piece) else leaves[: whole // BLOCK * HASH_BYTES]

    def _without_hash(self, pieces: Bitfield) -> dict[int, None]:
        """Those of `pieces` that nothing is known to check by."""
        if self._layers is None or self._info.piece_hashes:
            return {}
        return dict.fromkeys(self._layers.unknown(pieces))
