"""Read pieces from files and hash them: on all cores, in memory that does not grow with the torrent.

Creation, verification and the session's recheck share it. What is wrong with a file (missing, short,
unreadable) is data of the result, never an exception: one bad file must not end a recheck.

hashlib releases the GIL for anything longer than 2 KiB, so threads scale: on two cores SHA-1 runs at the
speed of two processes, the 16 KiB SHA-256 leaves of BEP 52 at 95 % of it (docs/adr/0010-hash-in-threads.md).
"""
# HOT: bench/create_verify.py

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import FileIO
from queue import SimpleQueue
from threading import Event, Thread
from typing import TypeAlias

from bittern.base.errors import ThreadLimitError
from bittern.codec.hybrid import contradicts
from bittern.codec.merkle import leaf_hashes, subtree_root
from bittern.io.threads import starting

from .spans import CHUNK, Span, SpanFault, SpanReader, open_regular, windows

BATCH = 4 << 20
"""Bytes of pieces handed to a thread at once: a hand-over costs what hashing 100 KiB does."""


@dataclass(frozen=True, slots=True)
class HashJob:
    """A piece to be read and hashed.

    Attributes:
        piece: a number of the caller's, handed back in the result.
        spans: its bytes, in order.
        sha1: whether to hash all bytes with SHA-1 (BEP 3).
        leaves: 0, or the number of 16 KiB leaves (a power of two) to which the merkle tree over the bytes
            that are in a file is padded (BEP 52). Pad spans, if any, come last.
        expected: the SHA-1 (20 bytes) or merkle root (32 bytes) it should have, or both, if known.
    """

    piece: int
    spans: Sequence[Span]
    sha1: bool = True
    leaves: int = 0
    expected: bytes | None = None

    @property
    def length(self) -> int:
        """Bytes of the piece."""
        return sum(span.length for span in self.spans)


@dataclass(frozen=True, slots=True)
class HashResult:
    """What a piece hashes to.

    Attributes:
        piece: the number of the job.
        length: bytes of the piece.
        sha1: 20 bytes, or None when not asked for or when bytes were missing.
        root: 32 bytes of merkle root, or None likewise.
        faults: the spans that could not be read.
        good: nothing was missing, and the hash is the expected one if there was one.
        contradictory: nothing was missing, and of two expected hashes it has one: the torrent is wrong (codec.hybrid).
    """

    piece: int
    length: int
    sha1: bytes | None
    root: bytes | None
    faults: tuple[SpanFault, ...]
    good: bool
    contradictory: bool = False


_Batch: TypeAlias = tuple[int, list[HashJob]]
_Outcome: TypeAlias = tuple[int, list[HashResult] | Exception]


def thread_count() -> int:
    """The processors that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    return len(affinity(0)) if affinity else os.cpu_count() or 1


class JobHasher:
    """One thread's reader and hasher: a buffer of `CHUNK` bytes and a few open files, both reused.

    Args:
        open_file: how a span's path becomes a file. OSError means that it does not.
        stop: when set, `hash` ends early.
    """

    def __init__(self, open_file: Callable[[str], FileIO] = open_regular, stop: Event | None = None) -> None:
        self._reader = SpanReader(open_file)
        self._stop = stop or Event()

    def close(self) -> None:
        """Close the files that are open."""
        self._reader.close()

    def hash(self, jobs: Iterable[HashJob]) -> list[HashResult]:
        """Hash `jobs` in order; those after a stop are left out."""
        results: list[HashResult] = []
        for group in _group(jobs, CHUNK):
            if self._stop.is_set():
                break
            if len(group) == 1 and group[0].length > CHUNK:
                results.extend(self._hash_large(group[0]))
            else:
                results.extend(self._hash_small(group))
        return results

    def _hash_small(self, group: list[HashJob]) -> Iterator[HashResult]:
        """Read several pieces with as few calls as possible, then hash each."""
        view = self._reader.view
        faults = self._reader.fill([span for job in group for span in job.spans])
        at = first = 0
        for job in group:
            end, last = at + job.length, first + len(job.spans)
            sha1 = hashlib.sha1(view[at:end]).digest() if job.sha1 else b""
            leaves = leaf_hashes(view[at : at + _data_length(job.spans)]) if job.leaves else b""
            mine = tuple(fault for index, fault in faults if first <= index < last) if faults else ()
            yield _result(job, end - at, sha1, leaves, mine)
            at, first = end, last

    def _hash_large(self, job: HashJob) -> Iterator[HashResult]:
        """Hash a piece that is longer than the buffer; no result when stopped."""
        sha1 = hashlib.sha1()
        leaves = bytearray()
        faults: dict[SpanFault, None] = {}
        length = 0
        for window in windows(job.spans):
            if self._stop.is_set():
                return
            faults.update((fault, None) for _, fault in self._reader.fill(window))
            size = sum(span.length for span in window)
            length += size
            if job.sha1:
                sha1.update(self._reader.view[:size])
            if job.leaves:
                leaves += leaf_hashes(self._reader.view[: _data_length(window)])
        yield _result(job, length, sha1.digest(), bytes(leaves), tuple(faults))


def hash_pieces(
    jobs: Iterable[HashJob],
    *,
    threads: int | None = None,
    open_file: Callable[[str], FileIO] = open_regular,
    stop: Event | None = None,
) -> Iterator[HashResult]:
    """Hash `jobs` with several threads; results come in the order of the jobs.

    `jobs` is read as results are taken, never far ahead. Setting `stop` (from any thread) or closing the
    iterator ends it within the time it takes to hash a MiB.

    Args:
        jobs: the pieces; the iterable is only used in the calling thread.
        threads: at least 1; None for one for each processor.
        open_file: how a span's path becomes a file.
        stop: ends the work early when set.

    Raises:
        ThreadLimitError: the system lets not one thread start.
    """
    threads = threads or thread_count()
    stop = stop or Event()
    todo: SimpleQueue[_Batch | None] = SimpleQueue()
    done: SimpleQueue[_Outcome] = SimpleQueue()
    workers = [
        Thread(target=_work, args=(JobHasher(open_file, stop), todo, done), name="bittern-hash", daemon=True)
        for _ in range(threads)
    ]
    workers = _started(workers)
    try:
        # Three batches for each thread: enough that a slow one does not leave the others without work.
        yield from _in_order(_group(jobs, BATCH), todo, done, 3 * len(workers), stop)
    finally:
        stop.set()
        for _ in workers:
            todo.put(None)
        for worker in workers:
            worker.join()


def _started(workers: Sequence[Thread]) -> list[Thread]:
    """Those that could be started: fewer take longer."""
    running: list[Thread] = []
    for worker in workers:
        try:
            with starting():
                worker.start()
        except ThreadLimitError:
            if not running:
                raise
            break
        running.append(worker)
    return running


def _work(hasher: JobHasher, todo: "SimpleQueue[_Batch | None]", done: "SimpleQueue[_Outcome]") -> None:
    """One thread: hash batches until there is none."""
    while batch := todo.get():
        number, jobs = batch
        try:
            done.put((number, hasher.hash(jobs)))
        except Exception as error:  # noqa: BLE001 - a bug must end the caller's loop, not hang it
            done.put((number, error))
    hasher.close()


def _in_order(
    batches: Iterator[list[HashJob]],
    todo: "SimpleQueue[_Batch | None]",
    done: "SimpleQueue[_Outcome]",
    window: int,
    stop: Event,
) -> Iterator[HashResult]:
    """Keep `window` batches under way; their results in order, or the first of them when stopped."""
    early: dict[int, list[HashResult]] = {}
    given = taken = 0
    while True:
        while given - taken < window and (batch := next(batches, None)):
            todo.put((given, batch))
            given += 1
        if given == taken:
            return
        while taken not in early:
            number, outcome = done.get()
            if isinstance(outcome, Exception):
                raise outcome
            early[number] = outcome
        if stop.is_set():
            return
        yield from early.pop(taken)
        taken += 1


def _group(jobs: Iterable[HashJob], limit: int) -> Iterator[list[HashJob]]:
    """Runs of jobs of at most `limit` bytes together; a longer job comes alone."""
    group: list[HashJob] = []
    room = limit
    for job in jobs:
        length = job.length
        if group and length > room:
            yield group
            group, room = [], limit
        group.append(job)
        room -= length
    if group:
        yield group


def _data_length(spans: Iterable[Span]) -> int:
    return sum(span.length for span in spans if span.path is not None)


def _result(job: HashJob, length: int, sha1: bytes, leaves: bytes, faults: tuple[SpanFault, ...]) -> HashResult:
    if faults:
        return HashResult(job.piece, length, None, None, faults, False)
    root = subtree_root(leaves, width=job.leaves) if job.leaves else None
    good = job.expected in (None, sha1, root)
    torn = False
    if not good and root is not None and job.expected is not None:
        good = job.expected == sha1 + root
        torn = not good and contradicts(sha1 + root, job.expected)
    return HashResult(job.piece, length, sha1 if job.sha1 else None, root, (), good, torn)
