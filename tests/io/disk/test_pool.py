"""Jobs on threads: whole pieces, pieces in parts and in any order, lies, failures, and the end while there is work."""

import errno
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha1
from pathlib import Path
from random import Random

import pytest

from bittern.base.errors import StorageError
from bittern.base.geometry import BLOCK
from bittern.codec.hybrid import expectation
from bittern.codec.info import Info
from bittern.codec.layers import Layers
from bittern.codec.merkle import leaf_hashes
from bittern.engine import effects
from bittern.engine.effects import (
    Completion,
    DiskFailed,
    ExtentStored,
    ForgetPiece,
    HashLeaves,
    LeavesHashed,
    PieceChecked,
    ReadRun,
    RunRead,
    StoreExtent,
)
from bittern.io.disk import handles
from bittern.io.disk.handles import Handle
from bittern.io.disk.pool import DiskPool
from bittern.sim.content import Content as ContentV2
from bittern.sim.content import make_content_v2
from bittern.sim.world import World
from tests.codec.torn import torn
from tests.io.disk.torrents import several, storage_of


class Loop:
    """What a loop does: wakes when it is told, and takes."""

    def __init__(self) -> None:
        self.pool = DiskPool(self._wake)
        self._woken = threading.Semaphore(0)
        self.wakes = 0

    def _wake(self) -> None:
        self.wakes += 1
        self._woken.release()

    def take(self, count: int) -> list[Completion]:
        """Completions, until there are so many."""
        done = self.pool.take()
        while len(done) < count:
            assert self._woken.acquire(timeout=10), f"only {done} came"
            done += self.pool.take()
        return done


@pytest.fixture
def loop() -> Iterator[Loop]:
    one = Loop()
    yield one
    one.pool.close()


def attach(loop: Loop, info: Info, folder: Path, torrent: int = 1) -> None:
    loop.pool.attach(torrent, storage_of(info, folder))


def job(
    info: Info, data: bytes, piece: int, begin: int = 0, length: int | None = None, torrent: int = 1
) -> StoreExtent:
    offset = piece * info.piece_size
    size = info.geometry.piece_length(piece)
    length = size if length is None else length
    part = memoryview(bytearray(data[offset + begin : offset + begin + length]))
    return StoreExtent(torrent, piece, begin, part, offset, size, info.piece_hash(piece), None)


def tree_job(content: ContentV2, piece: int, begin: int = 0, length: int | None = None) -> StoreExtent:
    """As `job`, for a piece that is hashed by its tree (BEP 52)."""
    info, layers = content.info, Layers(content.info, content.metainfo.piece_layers)
    offset, size = info.geometry.offset(piece), info.geometry.piece_length(piece)
    part = memoryview(bytearray(content.data[offset + begin : offset + begin + (size if length is None else length)]))
    root, width = layers.hash_of(piece), layers.width_of(piece)
    assert root is not None
    return StoreExtent(1, piece, begin, part, offset, size, root, None, width)


def stored(folder: Path, info: Info) -> bytes:
    storage = storage_of(info, folder)
    into = bytearray(info.total_length)
    storage.read_into(0, memoryview(into))
    storage.close()
    return bytes(into)


def test_whole_pieces_are_hashed_and_written(loop: Loop, tmp_path: Path) -> None:
    info, data = several([300, 40, 1000], 128, pads=(1,))
    attach(loop, info, tmp_path)
    jobs = [job(info, data, piece) for piece in range(info.geometry.piece_count)]
    for one in jobs:
        loop.pool.submit(one)
    loop.pool.hand_over()
    done = loop.take(2 * len(jobs))
    checks = [one for one in done if isinstance(one, PieceChecked)]
    assert sorted(one.piece for one in checks) == list(range(len(jobs)))
    assert all(one.good for one in checks)
    assert {id(one.job) for one in done if isinstance(one, ExtentStored)} == {id(one) for one in jobs}
    assert stored(tmp_path, info) == data


def test_the_end_of_an_extent_is_told_before_that_of_its_piece(loop: Loop, tmp_path: Path) -> None:
    info, data = several([256], 128)
    attach(loop, info, tmp_path)
    loop.pool.submit(job(info, data, 0))
    loop.pool.hand_over()
    assert [type(one) for one in loop.take(2)] == [ExtentStored, PieceChecked]


def test_a_whole_piece_that_lies_is_not_written(loop: Loop, tmp_path: Path) -> None:
    info, data = several([128], 128)
    attach(loop, info, tmp_path)
    loop.pool.submit(job(info, bytes(128), 0))
    loop.pool.hand_over()
    assert loop.take(2)[1] == PieceChecked(1, 0, good=False)
    assert not list(tmp_path.iterdir())
    loop.pool.submit(job(info, data, 0))
    loop.pool.hand_over()
    assert loop.take(2)[1] == PieceChecked(1, 0, good=True)


@pytest.mark.parametrize("seed", range(12))
def test_parts_of_pieces_in_any_order_are_hashed_as_a_whole(loop: Loop, tmp_path: Path, seed: int) -> None:
    """Five pieces at once, their extents shuffled; two of them lie in one byte."""
    rng = Random(seed)
    info, data = several([1000, 24, 3000, 976], 1000, pads=(1,))
    attach(loop, info, tmp_path)
    bad = {1, 3}
    jobs = []
    for piece in range(5):
        for begin in range(0, 1000, 150):
            one = job(info, data, piece, begin, min(150, 1000 - begin))
            if piece in bad and begin == 300:
                one.data[0] ^= 1
            jobs.append(one)
    rng.shuffle(jobs)
    for one in jobs:
        loop.pool.submit(one)
        if rng.random() < 0.3:
            loop.pool.hand_over()
    loop.pool.hand_over()
    done = loop.take(len(jobs) + 5)
    assert {one.piece: one.good for one in done if isinstance(one, PieceChecked)} == {
        piece: piece not in bad for piece in range(5)
    }
    assert sum(isinstance(one, ExtentStored) for one in done) == len(jobs)
    for piece in set(range(5)) - bad:
        place = slice(piece * 1000, piece * 1000 + 1000)
        assert stored(tmp_path, info)[place] == data[place]


def test_a_piece_that_failed_may_come_again(loop: Loop, tmp_path: Path) -> None:
    info, data = several([300], 300)
    attach(loop, info, tmp_path)
    for source, good in ((bytes(300), False), (data, True)):
        for begin in (200, 0, 100):
            loop.pool.submit(job(info, source, 0, begin, 100))
        loop.pool.hand_over()
        told = b"" if good else leaf_hashes(source)  # of a bad piece in parts: who sent the wrong ones can be found
        assert loop.take(4)[-1] == PieceChecked(1, 0, good=good, leaves=told)


def test_a_very_long_bad_piece_is_not_read_again(loop: Loop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(effects, "MOST_TOLD", 299)
    info, _ = several([300], 300)
    attach(loop, info, tmp_path)
    for begin in (0, 100, 200):
        loop.pool.submit(job(info, bytes(300), 0, begin, 100))
    loop.pool.hand_over()
    assert loop.take(4)[-1] == PieceChecked(1, 0, good=False)


def test_of_a_bad_piece_of_a_hybrid_whose_layer_is_not_known_the_pad_is_no_clue(loop: Loop, tmp_path: Path) -> None:
    attach(loop, HYBRID.info, tmp_path)
    for begin in (0, 2 * BLOCK):
        loop.pool.submit(hybrid_job(HYBRID, bytes(len(HYBRID.data)), 1, begin, 2 * BLOCK, known=False))
    loop.pool.hand_over()
    assert loop.take(3)[-1] == PieceChecked(1, 1, good=False)


def hybrid_job(content: ContentV2, data: bytes, piece: int, begin: int, length: int, *, known: bool) -> StoreExtent:
    """As `job`, for a piece with two hashes, or with that of version 1 while its layer is not `known`."""
    info, layers = content.info, Layers(content.info, content.metainfo.piece_layers if known else {})
    expected, leaves = expectation(info, layers, piece)
    assert expected is not None
    offset, size = info.geometry.offset(piece), info.geometry.piece_length(piece)
    part = memoryview(bytearray(data[offset + begin : offset + begin + length]))
    return StoreExtent(1, piece, begin, part, offset, size, expected, None, leaves, layers.data_length(piece))


HYBRID = make_content_v2(World(Random, 1), "album", (5 * BLOCK + 9, 3 * BLOCK), 4 * BLOCK, hybrid=True)


@pytest.mark.parametrize("step", [BLOCK, 4 * BLOCK])
@pytest.mark.parametrize("wrong", [0, 1, 2])
def test_of_a_hybrid_both_hashes_must_be_right(loop: Loop, tmp_path: Path, step: int, wrong: int) -> None:
    """Pieces whole and in parts, back to front; the pad behind a file is in one of the two hashes only."""
    content = replace(HYBRID, metainfo=torn(HYBRID.metainfo, 1, wrong=wrong)) if wrong else HYBRID
    attach(loop, content.info, tmp_path)
    for piece in range(content.info.geometry.piece_count):
        size = content.info.geometry.piece_length(piece)
        for begin in reversed(range(0, size, step)):
            loop.pool.submit(hybrid_job(content, content.data, piece, begin, min(step, size - begin), known=True))
    loop.pool.hand_over()
    done = loop.take(3 + sum(-(-content.info.geometry.piece_length(piece) // step) for piece in range(3)))
    checks = {one.piece: one for one in done if isinstance(one, PieceChecked)}
    assert [checks[piece].good for piece in range(3)] == [True, not wrong, True]
    assert [checks[piece].contradictory for piece in range(3)] == [False, bool(wrong), False]


def test_a_bad_piece_of_a_hybrid_has_leaves_that_tell_its_bad_blocks(loop: Loop, tmp_path: Path) -> None:
    attach(loop, HYBRID.info, tmp_path)
    data = bytearray(HYBRID.data)
    data[BLOCK] ^= 1
    loop.pool.submit(hybrid_job(HYBRID, bytes(data), 0, 0, 4 * BLOCK, known=True))
    loop.pool.hand_over()
    assert loop.take(2)[1] == PieceChecked(1, 0, good=False, leaves=leaf_hashes(data[: 4 * BLOCK]))


@pytest.mark.parametrize("first", [False, True])
def test_a_layer_that_becomes_known_within_a_piece_matters_for_the_next(
    loop: Loop, tmp_path: Path, *, first: bool
) -> None:
    attach(loop, HYBRID.info, tmp_path)
    for begin, known in ((0, first), (2 * BLOCK, not first)):
        loop.pool.submit(hybrid_job(HYBRID, HYBRID.data, 0, begin, 2 * BLOCK, known=known))
    loop.pool.hand_over()
    assert loop.take(3)[-1] == PieceChecked(1, 0, good=True)


def test_a_forgotten_piece_starts_anew(loop: Loop, tmp_path: Path) -> None:
    info, data = several([300], 300)
    attach(loop, info, tmp_path)
    loop.pool.submit(job(info, bytes(300), 0, 0, 100))
    loop.pool.submit(ForgetPiece(1, 0))
    for begin in (0, 100, 200):
        loop.pool.submit(job(info, data, 0, begin, 100))
    loop.pool.hand_over()
    assert loop.take(5)[-1] == PieceChecked(1, 0, good=True)


def test_reads_fill_their_buffers_also_across_pads(loop: Loop, tmp_path: Path) -> None:
    info, data = several([300, 84, 600], 128, pads=(1,))
    attach(loop, info, tmp_path)
    storage_of(info, tmp_path).write(0, memoryview(data))
    buffers = [memoryview(bytearray(b"\xee" * 100)) for _ in range(9)]
    for at, buffer in enumerate(buffers):
        loop.pool.submit(ReadRun(1, at, at * 100, buffer))
    done = loop.take(9)
    assert sorted(one.job.ticket for one in done if isinstance(one, RunRead)) == list(range(9))
    assert b"".join(buffers) == data[:900]


def test_what_the_system_refuses_is_told_and_the_threads_live_on(
    loop: Loop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info, data = several([128 * 4], 128)
    attach(loop, info, tmp_path)
    real, full = handles.pwrite, True

    def pwrite(handle: Handle, part: memoryview, offset: int) -> int:
        if full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(handle, part, offset)

    monkeypatch.setattr(handles, "pwrite", pwrite)
    for piece in range(4):
        loop.pool.submit(job(info, data, piece))
    loop.pool.hand_over()
    failed = loop.take(4)
    loop.pool.submit(ReadRun(1, 9, 0, memoryview(bytearray(10))))  # nothing is in the file
    failed += loop.take(1)
    kinds = [one.error.kind for one in failed if isinstance(one, DiskFailed)]
    assert kinds == [StorageError.Kind.DISK_FULL] * 4 + [StorageError.Kind.IO]
    full = False
    for piece in range(4):
        loop.pool.submit(job(info, data, piece))
    loop.pool.hand_over()
    checks = [one for one in loop.take(8) if isinstance(one, PieceChecked)]
    assert sorted(one.piece for one in checks if one.good) == [0, 1, 2, 3]


def test_a_part_that_could_not_be_written_may_come_again_after_a_forget(
    loop: Loop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info, data = several([300], 300)
    attach(loop, info, tmp_path)
    with monkeypatch.context() as patch:

        def refuse(*_: object) -> int:
            raise OSError(errno.EIO, "broken")

        loop.pool.submit(job(info, data, 0, 0, 100))
        loop.pool.hand_over()
        loop.take(1)
        patch.setattr(handles, "pwrite", refuse)
        loop.pool.submit(job(info, data, 0, 100, 100))
        loop.pool.hand_over()
        [failed] = loop.take(1)
        assert isinstance(failed, DiskFailed)
        assert failed.error.kind is StorageError.Kind.IO
    loop.pool.submit(ForgetPiece(1, 0))
    for begin in (0, 100, 200):
        loop.pool.submit(job(info, data, 0, begin, 100))
    loop.pool.hand_over()
    assert loop.take(4)[-1] == PieceChecked(1, 0, good=True)


def test_jobs_of_a_torrent_that_is_gone_are_dropped(loop: Loop, tmp_path: Path) -> None:
    info, data = several([256], 128)
    attach(loop, info, tmp_path, 1)
    attach(loop, info, tmp_path / "two", 2)
    loop.pool.detach(1)
    loop.pool.detach(1)
    loop.pool.submit(job(info, data, 0, torrent=1))
    loop.pool.submit(job(info, data, 1, torrent=2))
    loop.pool.hand_over()
    assert all(isinstance(one, ExtentStored) or one == PieceChecked(2, 1, good=True) for one in loop.take(2))
    assert not (tmp_path / "name").exists()
    assert not loop.pool.read_now(1, 0, memoryview(bytearray(1)))


def test_a_torrent_that_comes_back_under_its_number_begins_its_pieces_anew(loop: Loop, tmp_path: Path) -> None:
    """As one does that slept, of which a file that was given up in the middle of a piece is wanted again."""
    info, data = several([300], 300)
    attach(loop, info, tmp_path)
    for begin in (0, 100):
        loop.pool.submit(job(info, bytes(300), 0, begin, 100))
    loop.pool.hand_over()
    loop.take(2)
    loop.pool.detach(1)
    attach(loop, info, tmp_path)
    for begin in (200, 100, 0):
        loop.pool.submit(job(info, data, 0, begin, 100))
    loop.pool.hand_over()
    assert loop.take(4)[-1] == PieceChecked(1, 0, good=True)
    assert stored(tmp_path, info) == data


def test_closing_finishes_what_was_submitted_and_ends_the_threads(tmp_path: Path) -> None:
    loop, threads = Loop(), threading.active_count()
    info, data = several([64 * 1000], 1000)
    attach(loop, info, tmp_path)
    for piece in range(64):
        loop.pool.submit(job(info, data, piece))  # not handed over
    for at in range(8):
        loop.pool.submit(ReadRun(1, at, 0, memoryview(bytearray(1))))
    loop.pool.close()
    assert threading.active_count() == threads
    done = loop.pool.take()
    assert sum(isinstance(one, PieceChecked) and one.good for one in done) == 64
    assert stored(tmp_path, info) == data
    loop.pool.close()


def test_the_loop_is_woken_once_for_what_waits(tmp_path: Path) -> None:
    loop = Loop()
    info, data = several([64 * 1000], 1000)
    attach(loop, info, tmp_path)
    for piece in range(64):
        loop.pool.submit(job(info, data, piece))
    loop.pool.close()
    assert loop.wakes == 1
    assert len(loop.pool.take()) == 128


def test_hashes_are_right_for_pieces_larger_than_the_reread_buffer(loop: Loop, tmp_path: Path) -> None:
    size = 700_000
    info, data = several([size], size)
    attach(loop, info, tmp_path)
    for begin in (600_000, 300_000, 0):
        loop.pool.submit(job(info, data, 0, begin, min(300_000, size - begin)))
    loop.pool.hand_over()
    assert loop.take(4)[-1] == PieceChecked(1, 0, good=True)
    assert sha1(stored(tmp_path, info)).digest() == info.piece_hash(0)


def test_pieces_of_version_2_are_hashed_by_their_trees(loop: Loop, tmp_path: Path) -> None:
    """Whole, or in extents that come in any order; the last piece of each file is short."""
    content = make_content_v2(World(Random, 1), sizes=(70_000, 1 << 20, 3), piece_size=1 << 17)
    attach(loop, content.info, tmp_path)
    geometry = content.info.geometry
    jobs = [tree_job(content, piece) for piece in range(geometry.piece_count) if piece != 2]
    jobs += [tree_job(content, 2, 1 << 16, 1 << 16), tree_job(content, 2, 0, 1 << 16)]
    for one in jobs:
        loop.pool.submit(one)
    loop.pool.hand_over()
    done = loop.take(len(jobs) + geometry.piece_count)
    checked = [answer for answer in done if isinstance(answer, PieceChecked)]
    assert sorted(answer.piece for answer in checked) == list(range(geometry.piece_count))
    assert all(answer.good and not answer.leaves for answer in checked)
    assert stored(tmp_path, content.info) == content.data


def test_a_bad_piece_of_version_2_tells_what_its_blocks_hash_to(loop: Loop, tmp_path: Path) -> None:
    content = make_content_v2(World(Random, 1), sizes=(1 << 18,), piece_size=1 << 16)
    attach(loop, content.info, tmp_path)
    whole, first, second = (
        tree_job(content, 0),
        tree_job(content, 1, 0, 1 << 15),
        tree_job(content, 1, 1 << 15, 1 << 15),
    )
    for one in (whole, first):
        one.data[20_000] ^= 1
        loop.pool.submit(one)
    loop.pool.submit(second)
    loop.pool.hand_over()
    checked = {answer.piece: answer for answer in loop.take(5) if isinstance(answer, PieceChecked)}
    assert not checked[0].good
    assert checked[0].leaves == leaf_hashes(whole.data)
    assert checked[1].leaves == leaf_hashes(bytes(first.data) + bytes(second.data))


def test_leaves_are_hashed_off_the_loop(loop: Loop, tmp_path: Path) -> None:
    content = make_content_v2(World(Random, 1), sizes=(700_001,), piece_size=1 << 20)
    attach(loop, content.info, tmp_path)
    loop.pool.submit(tree_job(content, 0))
    loop.pool.hand_over()
    loop.take(2)
    wanted, beyond = HashLeaves(1, 5, 0, 700_001), HashLeaves(1, 6, 0, 0)
    loop.pool.submit(wanted)
    assert loop.take(1) == [LeavesHashed(wanted, leaf_hashes(content.data))]
    loop.pool.submit(beyond)
    assert loop.take(1) == [LeavesHashed(beyond, b"")]
    loop.pool.detach(1)
    attach(loop, content.info, tmp_path / "elsewhere")
    loop.pool.submit(wanted)
    [failed] = loop.take(1)
    assert isinstance(failed, DiskFailed)
    assert failed.job is wanted
