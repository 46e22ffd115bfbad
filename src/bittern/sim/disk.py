"""A simulated disk: the engine's jobs against byte arrays, with a pace and faults that can be set.

It is strict where a real disk would be silently wrong: the buffer of a `StoreExtent` must not change, and that
of a `ReadRun` is filled with rubbish, until the job is answered; extents may not overlap.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha1
from math import inf
from typing import TypeAlias
from zlib import crc32

from bittern.base.errors import StorageError
from bittern.codec.merkle import leaf_hashes
from bittern.engine.effects import (
    Completion,
    DiskFailed,
    DiskJob,
    ExtentStored,
    ForgetPiece,
    HashLeaves,
    LeavesHashed,
    PieceChecked,
    ReadRun,
    RunRead,
    StoreExtent,
)

from .world import World

RUBBISH = b"\xe5"
"""What the buffer of a read holds until the read is done."""
PAGE = 4096
"""Bytes in which space is taken."""
Answer: TypeAlias = Callable[[Sequence[Completion]], None]


@dataclass(slots=True)
class DiskFaults:
    """What is wrong with a disk; may be changed at any time.

    Attributes:
        space_left: bytes that can still be written to new places.
        broken: every job fails with this error while it is set.
        rot: every so many-th read has a flipped bit; 0 for none.
        bad_writes: numbers of writes, from 1, that flip a bit on their way to the disk.
        fails_at: the job, counted from 1 since the disk is there, that fails; 0 for none.
        fails_with: how it fails.
    """

    space_left: float = inf
    broken: StorageError.Kind | None = None
    rot: int = 0
    bad_writes: tuple[int, ...] = ()
    fails_at: int = 0
    fails_with: StorageError.Kind = StorageError.Kind.IO


@dataclass(slots=True)
class DiskCounts:
    """What a disk has done.

    Attributes:
        jobs: that were submitted and came to their turn.
        reads, writes: jobs that were done.
        written: bytes, rewritten ones included.
        rewritten: bytes written where data was before: downloaded in vain.
        failed_pieces: pieces that had the wrong hash.
    """

    jobs: int = 0
    reads: int = 0
    writes: int = 0
    written: int = 0
    rewritten: int = 0
    failed_pieces: int = 0


class SimDisk:
    """The disk of one process (`engine.ports.Disk`).

    An extent that failed counts as not submitted: it may come again, and its piece is checked when all came.

    Attributes:
        name: begins the lines of the trace; errors name files below it.
        latency: seconds that every job takes at least.
        rate: bytes per second; one job after the other.
        cached: whether `read_now` succeeds.
        faults: what is wrong with it.
        counts: what it has done.
    """

    def __init__(self, world: World, name: str, answer: Answer, *, latency: float = 0.0, rate: float = inf) -> None:
        self.name = name
        self.latency = latency
        self.rate = rate
        self.cached = True
        self.faults = DiskFaults()
        self.counts = DiskCounts()
        self._world = world
        self._answer = answer
        self._contents: dict[int, bytes | bytearray] = {}
        self._pages: dict[int, bytearray] = {}
        self._extents: dict[tuple[int, int], dict[int, int]] = {}
        self._queue: deque[tuple[float, StoreExtent | ReadRun | HashLeaves, int]] = deque()
        self._free = 0.0

    # ------------------------------------------------------------------ torrents

    def add(self, torrent: int, content: bytes | bytearray) -> None:
        """Files of a torrent: complete and read only when `content` is bytes, else to be written in place."""
        self._contents[torrent] = content
        self._pages[torrent] = bytearray(-(-len(self._contents[torrent]) // PAGE))

    def remove(self, torrent: int) -> None:
        """Delete the files of a torrent; jobs that still come for it fail."""
        del self._contents[torrent], self._pages[torrent]
        self._extents = {key: extents for key, extents in self._extents.items() if key[0] != torrent}

    def content(self, torrent: int) -> bytes | bytearray:
        """What is in the files."""
        return self._contents[torrent]

    # ------------------------------------------------------------------ the port

    def submit(self, job: DiskJob) -> None:
        """Queue `job`; answered in order, in batches of what is done at the same instant."""
        if isinstance(job, ForgetPiece):
            self._extents.pop((job.torrent, job.piece), None)
            return
        now = self._world.now
        if isinstance(job, StoreExtent):
            size, check = len(job.data), crc32(job.data)
        elif isinstance(job, HashLeaves):
            size, check = job.length, 0
        else:
            size, check = len(job.into), 0
            job.into[:] = RUBBISH * size
        self._free = max(now, self._free) + self.latency + size / self.rate
        if not self._queue or self._queue[-1][0] < self._free:
            self._world.at(self._free, partial(self._finish, self._free))
        self._queue.append((self._free, job, check))

    def read_now(self, torrent: int, offset: int, into: memoryview) -> bool:
        """Fill `into` at once, if the disk is `cached`, sound, and knows the torrent."""
        if not self.cached or self.faults.broken or torrent not in self._contents:
            return False
        self._read(torrent, offset, into)
        return True

    # ------------------------------------------------------------------ doing it

    def _finish(self, due: float) -> None:
        batch: list[Completion] = []
        while self._queue and self._queue[0][0] <= due:
            _, job, check = self._queue.popleft()
            batch.extend(self._run(job, check))
        for completion in batch:
            self._world.trace.note(self._world.now, f"{self.name} disk {_told(completion)}")
        self._answer(batch)

    def _run(self, job: StoreExtent | ReadRun | HashLeaves, check: int) -> list[Completion]:
        try:
            if isinstance(job, HashLeaves):
                self._require(job.torrent)
                read = memoryview(bytearray(job.length))
                self._read(job.torrent, job.offset, read)
                return [LeavesHashed(job, leaf_hashes(read))]
            if isinstance(job, ReadRun):
                self._require(job.torrent)
                self._read(job.torrent, job.offset, job.into)
                return [RunRead(job)]
            assert crc32(job.data) == check, f"{self.name}: the buffer of piece {job.piece} changed under the disk"
            self._require(job.torrent)
            return self._store(job)
        except StorageError as error:
            return [DiskFailed(job, error)]

    def _require(self, torrent: int) -> None:
        self.counts.jobs += 1
        if self.counts.jobs == self.faults.fails_at:
            raise StorageError(self.faults.fails_with, f"{self.name}/{torrent}")
        if self.faults.broken:
            raise StorageError(self.faults.broken, f"{self.name}/{torrent}")
        if torrent not in self._contents:
            raise StorageError(StorageError.Kind.MISSING, f"{self.name}/{torrent}")

    def _read(self, torrent: int, offset: int, into: memoryview) -> None:
        content = self._contents[torrent]
        assert 0 <= offset <= offset + len(into) <= len(content), f"{self.name}: read outside the torrent"
        into[:] = content[offset : offset + len(into)]
        self.counts.reads += 1
        if self.faults.rot and self.counts.reads % self.faults.rot == 0:
            into[len(into) // 2] ^= 0x01

    def _store(self, job: StoreExtent) -> list[Completion]:
        key = (job.torrent, job.piece)
        extents = self._extents.setdefault(key, {})
        end = job.begin + len(job.data)
        assert 0 <= job.begin < end <= job.piece_length, f"{self.name}: extent outside piece {job.piece}"
        overlaps = [begin for begin, length in extents.items() if begin < end and job.begin < begin + length]
        assert not overlaps, f"{self.name}: extent {job.begin} of piece {job.piece} overlaps those at {overlaps}"
        if len(job.data) == job.piece_length:
            checked = self._check(job, job.data)
            if checked.good:
                self._write(job)
        else:
            self._write(job)
            extents[job.begin] = len(job.data)
            if sum(extents.values()) < job.piece_length:
                return [ExtentStored(job)]
            piece = slice(job.piece_offset, job.piece_offset + job.piece_length)
            checked = self._check(job, memoryview(self._contents[job.torrent])[piece])
        del self._extents[key]
        return [ExtentStored(job), checked]

    def _check(self, job: StoreExtent, piece: memoryview) -> PieceChecked:
        if job.leaves:
            tree = job.hasher()
            tree.update(piece)
            checked = PieceChecked.of(job, job.expected, tree)
        else:
            good = sha1(piece).digest() == job.expected
            told = not good and job.tellable and len(job.data) < job.piece_length
            checked = PieceChecked(job.torrent, job.piece, good, leaf_hashes(piece) if told else b"")
        self.counts.failed_pieces += not checked.good
        return checked

    def _write(self, job: StoreExtent) -> None:
        content = self._contents[job.torrent]
        assert isinstance(content, bytearray), f"{self.name}: write to a complete torrent"
        offset, size = job.piece_offset + job.begin, len(job.data)
        assert offset + size <= len(content), f"{self.name}: write outside the torrent"
        pages = slice(offset // PAGE, -(-(offset + size) // PAGE))
        fresh = min(size, self._pages[job.torrent][pages].count(0) * PAGE)
        if fresh > self.faults.space_left:
            raise StorageError(StorageError.Kind.DISK_FULL, f"{self.name}/{job.torrent}")
        self.faults.space_left -= fresh
        self._pages[job.torrent][pages] = b"\1" * (pages.stop - pages.start)
        content[offset : offset + size] = job.data
        self.counts.writes += 1
        self.counts.written += size
        self.counts.rewritten += size - fresh
        if self.counts.writes in self.faults.bad_writes:
            content[offset] ^= 0x01


def _told(completion: Completion) -> str:
    match completion:
        case PieceChecked(torrent, piece, good):
            return f"checked {torrent}/{piece} {'good' if good else 'bad'}"
        case ExtentStored(job):
            return f"stored {job.torrent}/{job.piece}+{job.begin} {len(job.data)}"
        case RunRead(job):
            return f"read {job.torrent}/{job.offset} {len(job.into)}"
        case LeavesHashed(job, leaves):
            return f"hashed {job.torrent}/{job.offset} {len(leaves) // 32} leaves"
        case DiskFailed(job, error):
            return f"failed {job.torrent}: {error}"
