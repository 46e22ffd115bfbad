"""Disk jobs on threads, in large steps: hashing and writing release the GIL, handing over costs little.

Completions wake the loop once per batch. HOT: bench/transfer.py
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha1
from queue import SimpleQueue
from typing import Any
from weakref import WeakKeyDictionary

from bittern.base.errors import StorageError
from bittern.codec.merkle import PieceHasher, leaf_hashes
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
from bittern.io.threads import starting

from .files import FileStorage

_log = logging.getLogger("bittern.io")

_STORERS = 2
_READERS = 2
_REREAD = 1 << 18
_BATCH = 1 << 20  # bytes that are handed to a thread at a time: for less, handing over costs more than the work

_Queue = SimpleQueue[list[DiskJob] | None]


@dataclass(slots=True)
class _Piece:
    """A piece that is written extent by extent, and hashed as far as it came in order."""

    digest: Any  # of hashlib, or a PieceHasher
    expected: bytes  # when its first extent came: what is known of its hashes may grow in between
    hashed: int = 0
    written: int = 0


# Of one thread; with its storage a torrent's are gone: who comes back under the same number begins anew.
_Begun = WeakKeyDictionary[FileStorage, dict[int, _Piece]]


class DiskPool:
    """The disk port of the real world (see ports.Disk).

    Args:
        wake: called from a worker thread when completions wait; must make the loop call `take`.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._storages: dict[int, FileStorage] = {}
        self._done: deque[Completion] = deque()
        self._woken = False
        self._stores: list[_Queue] = [SimpleQueue() for _ in range(_STORERS)]
        self._reads: _Queue = SimpleQueue()
        self._batches: list[list[DiskJob]] = [[] for _ in range(_STORERS)]
        self._filling = 0  # the storer that whole pieces are gathered for
        self._filled = 0  # bytes gathered for it
        self._threads: list[threading.Thread] = []

    def begin(self) -> None:
        """Start the threads; the first job does it where nobody has.

        Raises:
            ThreadLimitError: the system allows no more; `close` ends those that run.
        """
        work = [(queue, f"bittern-store-{number}") for number, queue in enumerate(self._stores)]
        work += [(self._reads, f"bittern-read-{number}") for number in range(_READERS)]
        for queue, name in work[len(self._threads) :]:
            thread = threading.Thread(target=self._work, args=(queue,), name=name)
            with starting():
                thread.start()
            self._threads.append(thread)

    def attach(self, torrent: int, storage: FileStorage) -> None:
        """Jobs of `torrent` go to `storage`."""
        self._storages[torrent] = storage

    def detach(self, torrent: int) -> None:
        """The torrent is gone; its waiting jobs are dropped."""
        self._storages.pop(torrent, None)

    def submit(self, job: DiskJob) -> None:
        """See ports.Disk. Small writes are gathered until `hand_over`."""
        if not self._threads:
            self.begin()
        if isinstance(job, (ReadRun, HashLeaves)):
            self._reads.put([job])
        elif isinstance(job, StoreExtent) and len(job.data) == job.piece_length:
            self._batches[self._filling].append(job)
            self._filled += len(job.data)
            if self._filled >= _BATCH:
                self.hand_over()
        else:
            # A piece of several extents stays with one thread, which then can hash them in order.
            self._batches[job.piece % _STORERS].append(job)

    def hand_over(self) -> None:
        """Give the threads what was gathered: at the end of a turn."""
        for number, batch in enumerate(self._batches):
            if batch:
                self._stores[number].put(batch)
                self._batches[number] = []
        if self._filled:
            self._filled = 0
            # The next is the one with least to do, in turn where that is equal.
            following = [(self._filling + step) % _STORERS for step in range(1, _STORERS + 1)]
            self._filling = min(following, key=lambda number: self._stores[number].qsize())

    def read_now(self, torrent: int, offset: int, into: memoryview) -> bool:
        """See ports.Disk."""
        storage = self._storages.get(torrent)
        return storage is not None and storage.read_now(offset, into)

    def take(self) -> list[Completion]:
        """Completions since the last call, in order."""
        self._woken = False
        done = []
        while self._done:
            done.append(self._done.popleft())
        return done

    def close(self) -> None:
        """Finish what was submitted, then end the threads."""
        self.hand_over()
        for queue in self._stores:
            queue.put(None)
        for _ in range(_READERS):
            self._reads.put(None)
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def _work(self, queue: _Queue) -> None:
        begun: _Begun = WeakKeyDictionary()
        while (batch := queue.get()) is not None:
            done: list[Completion] = []
            for job in batch:
                done += self._do(job, begun)
            self._tell(done)

    def _do(self, job: DiskJob, begun: _Begun) -> tuple[Completion, ...]:
        storage = self._storages.get(job.torrent)
        if storage is None:
            return ()
        if isinstance(job, ForgetPiece):
            begun.get(storage, {}).pop(job.piece, None)
            return ()
        try:
            if isinstance(job, StoreExtent):
                done = self._store(storage, job, begun)
                if storage.suffixed and isinstance(done[-1], PieceChecked) and done[-1].good:
                    storage.suffixes.stored(job.piece)
                return done
            if isinstance(job, HashLeaves):
                return (LeavesHashed(job, _leaves_of(storage, job.offset, job.length)),)
            storage.read_into(job.offset, job.into)
        except StorageError as error:
            return (DiskFailed(job, error),)
        except Exception as error:  # noqa: BLE001 - logged; a thread that ended here would leave all later jobs waiting
            _log.exception("a disk job failed")
            return (
                DiskFailed(
                    job, StorageError(StorageError.Kind.IO, str(storage.where.root), f"internal error, {error}")
                ),
            )
        return (RunRead(job),)

    def _store(self, storage: FileStorage, job: StoreExtent, begun: _Begun) -> tuple[Completion, ...]:
        data = job.data
        if len(data) == job.piece_length and not job.leaves:
            good = sha1(data).digest() == job.expected
            if good:
                storage.write(job.piece_offset, data)
            return ExtentStored(job), PieceChecked(job.torrent, job.piece, good)
        if len(data) == job.piece_length:
            tree = job.hasher()
            tree.update(data)
            checked = PieceChecked.of(job, job.expected, tree)
            if checked.good:
                storage.write(job.piece_offset, data)
            return ExtentStored(job), checked
        pieces = begun.setdefault(storage, {})
        piece = pieces.get(job.piece)
        if piece is None:
            piece = pieces[job.piece] = _Piece(job.hasher() if job.leaves else sha1(), job.expected)
        if job.begin == piece.hashed:
            piece.digest.update(data)
            piece.hashed += len(data)
        storage.write(job.piece_offset + job.begin, data)
        piece.written += len(data)
        if piece.written < job.piece_length:
            return (ExtentStored(job),)
        del pieces[job.piece]
        self._hash_rest(storage, job, piece)
        if isinstance(piece.digest, PieceHasher):
            return ExtentStored(job), PieceChecked.of(job, piece.expected, piece.digest)
        good = piece.digest.digest() == piece.expected
        leaves = _leaves_of(storage, job.piece_offset, job.piece_length) if not good and job.tellable else b""
        return ExtentStored(job), PieceChecked(job.torrent, job.piece, good, leaves)

    def _hash_rest(self, storage: FileStorage, job: StoreExtent, piece: _Piece) -> None:
        """What came out of order is read back, most likely out of the page cache."""
        buffer = memoryview(bytearray(min(_REREAD, job.piece_length)))
        while piece.hashed < job.piece_length:
            part = buffer[: min(len(buffer), job.piece_length - piece.hashed)]
            storage.read_into(job.piece_offset + piece.hashed, part)
            piece.digest.update(part)
            piece.hashed += len(part)

    def _tell(self, completions: list[Completion]) -> None:
        self._done.extend(completions)
        if completions and not self._woken:
            self._woken = True
            self._wake()


def _leaves_of(storage: FileStorage, offset: int, length: int) -> bytes:
    buffer = memoryview(bytearray(min(_REREAD, length)))
    leaves = bytearray()
    for at in range(0, length, _REREAD):
        part = buffer[: min(_REREAD, length - at)]
        storage.read_into(offset + at, part)
        leaves += leaf_hashes(part)
    return bytes(leaves)
