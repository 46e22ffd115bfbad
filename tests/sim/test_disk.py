from collections.abc import Sequence
from hashlib import sha1
from random import Random

import pytest

from bittern.base.errors import StorageError
from bittern.codec.merkle import leaf_hashes
from bittern.engine.effects import (
    Completion,
    DiskFailed,
    ExtentStored,
    ForgetPiece,
    PieceChecked,
    ReadRun,
    RunRead,
    StoreExtent,
)
from bittern.sim.disk import SimDisk
from bittern.sim.world import World

PIECE = 32768
CONTENT = Random(1).randbytes(3 * PIECE)


class Rig:
    """A disk with torrent 1 to be written and torrent 2 complete, and the batches that it answered."""

    def __init__(self) -> None:
        self.world = World(Random)
        self.batches: list[tuple[float, list[Completion]]] = []
        self.disk = SimDisk(self.world, "ann", self._answer)
        self.disk.add(1, bytearray(len(CONTENT)))
        self.disk.add(2, CONTENT)

    def _answer(self, completions: Sequence[Completion]) -> None:
        self.batches.append((self.world.now, list(completions)))

    def run(self) -> list[Completion]:
        self.batches.clear()
        self.world.run(100.0)
        return [completion for _, batch in self.batches for completion in batch]


def extent(piece: int, begin: int, length: int, *, wrong: bool = False) -> StoreExtent:
    offset = piece * PIECE
    data = bytearray(CONTENT[offset + begin : offset + begin + length])
    data[0] ^= wrong
    expected = sha1(CONTENT[offset : offset + PIECE]).digest()
    return StoreExtent(1, piece, begin, memoryview(data), offset, PIECE, expected, extent=None)


def test_a_piece_in_extents_is_written_at_once_and_checked_with_the_last() -> None:
    rig = Rig()
    later, first = extent(1, 16384, 16384), extent(1, 0, 16384)
    rig.disk.submit(later)
    assert rig.run() == [ExtentStored(later)]
    rig.disk.submit(first)
    assert rig.run() == [ExtentStored(first), PieceChecked(1, 1, good=True)]
    assert rig.disk.content(1)[PIECE : 2 * PIECE] == CONTENT[PIECE : 2 * PIECE]


def test_a_piece_with_a_wrong_extent_fails_and_may_come_again() -> None:
    rig = Rig()
    parts = (extent(0, 0, 16384, wrong=True), extent(0, 16384, 16384))
    told = b"".join(leaf_hashes(job.data) for job in parts)
    for job in parts:
        rig.disk.submit(job)
    assert rig.run()[-1] == PieceChecked(1, 0, good=False, leaves=told)
    for job in (extent(0, 0, 16384), extent(0, 16384, 16384)):
        rig.disk.submit(job)
    assert rig.run()[-1] == PieceChecked(1, 0, good=True)
    assert rig.disk.counts.rewritten == PIECE
    assert rig.disk.counts.failed_pieces == 1


def test_a_piece_in_one_extent_is_not_written_when_its_hash_is_wrong() -> None:
    rig = Rig()
    job = extent(0, 0, PIECE, wrong=True)
    rig.disk.submit(job)
    assert rig.run() == [ExtentStored(job), PieceChecked(1, 0, good=False)]
    assert rig.disk.content(1)[:PIECE] == bytes(PIECE)


def test_a_forgotten_piece_starts_from_nothing() -> None:
    rig = Rig()
    rig.disk.submit(extent(0, 0, 16384))
    rig.run()
    rig.disk.submit(ForgetPiece(1, 0))
    rig.disk.submit(extent(0, 16384, 16384))
    assert len(rig.run()) == 1
    rig.disk.submit(extent(0, 0, 16384))
    assert rig.run()[-1] == PieceChecked(1, 0, good=True)


def test_extents_that_overlap_are_an_error_of_the_engine() -> None:
    rig = Rig()
    rig.disk.submit(extent(0, 0, 16384))
    rig.disk.submit(extent(0, 8192, 16384))
    with pytest.raises(AssertionError, match="overlaps"):
        rig.run()


def test_a_buffer_that_changes_before_the_answer_is_an_error_of_the_engine() -> None:
    rig = Rig()
    job = extent(0, 0, 16384)
    rig.disk.submit(job)
    job.data[7] ^= 1
    with pytest.raises(AssertionError, match="changed under the disk"):
        rig.run()


def test_a_read_fills_its_buffer_only_when_it_is_answered() -> None:
    rig = Rig()
    into = memoryview(bytearray(1000))
    job = ReadRun(2, 9, 500, into)
    rig.disk.submit(job)
    assert bytes(into) == b"\xe5" * 1000
    assert rig.run() == [RunRead(job)]
    assert bytes(into) == CONTENT[500:1500]


def test_reading_at_once_works_for_a_cached_disk_only() -> None:
    rig = Rig()
    into = memoryview(bytearray(1000))
    assert rig.disk.read_now(2, 500, into)
    assert bytes(into) == CONTENT[500:1500]
    rig.disk.cached = False
    assert not rig.disk.read_now(2, 500, into)


def test_jobs_take_their_time_one_after_the_other() -> None:
    rig = Rig()
    rig.disk.latency, rig.disk.rate = 0.5, 16384.0
    for begin in (0, 16384):
        rig.disk.submit(extent(0, begin, 16384))
    rig.run()
    assert [(at, len(batch)) for at, batch in rig.batches] == [(1.5, 1), (3.0, 2)]


def test_what_is_done_at_the_same_instant_is_answered_in_one_batch() -> None:
    rig = Rig()
    for begin in (0, 16384):
        rig.disk.submit(extent(0, begin, 16384))
    rig.run()
    assert [len(batch) for _, batch in rig.batches] == [3]


def test_a_full_disk_refuses_new_bytes_but_not_old_places_until_there_is_space() -> None:
    rig = Rig()
    rig.disk.faults.space_left = 20000
    jobs = [extent(0, 0, 16384), extent(0, 16384, 16384)]
    for job in jobs:
        rig.disk.submit(job)
    stored, failed = rig.run()
    assert stored == ExtentStored(jobs[0])
    assert isinstance(failed, DiskFailed)
    assert failed.error.kind is StorageError.Kind.DISK_FULL
    rig.disk.faults.space_left += 16384
    rig.disk.submit(jobs[1])
    assert rig.run() == [ExtentStored(jobs[1]), PieceChecked(1, 0, good=True)]


def test_a_broken_disk_fails_every_job_until_it_is_repaired() -> None:
    rig = Rig()
    rig.disk.faults.broken = StorageError.Kind.IO
    job, read = extent(0, 0, 16384), ReadRun(2, 9, 0, memoryview(bytearray(10)))
    rig.disk.submit(job)
    rig.disk.submit(read)
    assert [type(completion) for completion in rig.run()] == [DiskFailed, DiskFailed]
    assert not rig.disk.read_now(2, 0, memoryview(bytearray(10)))
    rig.disk.faults.broken = None
    rig.disk.submit(job)
    assert rig.run() == [ExtentStored(job)]


def test_a_rotten_disk_flips_a_bit_in_every_nth_read() -> None:
    rig = Rig()
    rig.disk.faults.rot = 3
    into = memoryview(bytearray(1000))
    good = [rig.disk.read_now(2, 0, into) and bytes(into) == CONTENT[:1000] for _ in range(6)]
    assert good == [True, True, False, True, True, False]


def test_a_write_that_goes_wrong_is_found_by_the_check() -> None:
    rig = Rig()
    rig.disk.faults.bad_writes = (2,)
    for begin in (0, 16384):
        rig.disk.submit(extent(0, begin, 16384))
    checked = rig.run()[-1]
    assert isinstance(checked, PieceChecked)
    assert not checked.good


def test_jobs_for_a_torrent_that_was_removed_fail() -> None:
    rig = Rig()
    job = extent(0, 0, 16384)
    rig.disk.submit(job)
    rig.disk.remove(1)
    (failed,) = rig.run()
    assert isinstance(failed, DiskFailed)
    assert failed.error.kind is StorageError.Kind.MISSING


def test_the_nth_job_fails_and_no_other() -> None:
    rig = Rig()
    rig.disk.faults.fails_at, rig.disk.faults.fails_with = 2, StorageError.Kind.DISK_FULL
    for _ in range(3):
        rig.disk.submit(ReadRun(2, 1, 0, memoryview(bytearray(10))))
    kinds = [type(completion) for completion in rig.run()]
    assert kinds == [RunRead, DiskFailed, RunRead]
