from collections.abc import Sequence
from random import Random

import pytest

from bittern.base.bitfield import Bitfield
from bittern.base.geometry import BLOCK
from bittern.engine.download.download import Download
from bittern.engine.download.picker import RANDOM_FIRST
from bittern.engine.download.requests import Pipeline
from bittern.engine.effects import ForgetPiece, StoreExtent
from bittern.engine.settings import EngineSettings
from tests.engine.content import info_of
from tests.engine.peers import deep

PIECE = 4 * BLOCK


def download_of(pieces: int, *, slabs: int = 1000, piece_size: int = PIECE, **settings: int) -> Download:
    info, _ = info_of(pieces * piece_size, piece_size)
    count = info.geometry.piece_count
    config = EngineSettings(buffer_bytes=slabs * min(piece_size, 1 << 20), sequential=True, **settings)  # type: ignore[arg-type]
    return Download(7, info, Bitfield(count), Bitfield.full(count), config, Random(1))


def bring(download: Download, pipeline: Pipeline, blocks: int = 1 << 30) -> None:
    """The peer answers its oldest requests."""
    while blocks and pipeline.runs:
        run = pipeline.runs[0]
        count = min(blocks, run.count - run.done)
        pipeline.landed_run(run, count, 1.0)
        blocks -= count
        download.check_invariants()


def store(download: Download, *, good: bool = True) -> list[StoreExtent]:
    jobs = download.take_jobs()
    for job in jobs:
        download.extent_done(job)
        if job.begin + len(job.data) == job.piece_length:
            download.piece_checked(job.piece, good=good)
    return jobs


def fetch_all(download: Download, pipeline: Pipeline, has: Bitfield) -> None:
    """As long as the peer is asked for something, it brings it and the disk stores it."""
    while download.ask(pipeline, has, 16, 0.0):
        bring(download, pipeline)
        store(download)
        download.check_invariants()


def test_counts_follow_from_missing_to_stored() -> None:
    download = download_of(3)
    pipeline = deep(download, 1)
    assert (download.missing, download.left_bytes, download.complete) == (3, 3 * PIECE, False)
    download.ask(pipeline, Bitfield(3, [1]), 16, 0.0)
    bring(download, pipeline)
    [job] = download.take_jobs()
    assert (job.torrent, job.piece, job.begin, job.piece_offset, job.piece_length) == (7, 1, 0, PIECE, PIECE)
    assert (download.at_disk, download.left_bytes) == (PIECE, 3 * PIECE)
    download.extent_done(job)
    assert download.piece_checked(1, good=True) == (1,)
    assert (download.at_disk, download.missing, download.left_bytes) == (0, 2, 2 * PIECE)
    assert list(download.have) == [1]
    assert download.assembly.slabs.used == 0


def test_a_corrupt_piece_is_asked_for_again() -> None:
    download = download_of(1)
    pipeline = deep(download, 1)
    for good in (False, True):
        assert not download.complete
        download.ask(pipeline, Bitfield.full(1), 16, 0.0)
        bring(download, pipeline)
        store(download, good=good)
    assert (download.complete, download.corrupt) == (True, PIECE)


def test_only_wanted_pieces_are_asked_for() -> None:
    info, _ = info_of(3 * PIECE, PIECE)
    download = Download(1, info, Bitfield(3, [0]), Bitfield(3, [0, 2]), EngineSettings(), Random(1))
    fetch_all(download, deep(download, 1), Bitfield.full(3))
    assert (list(download.have), download.complete) == ([0, 2], True)
    assert not download.interesting(Bitfield.full(3))


@pytest.mark.parametrize(("has", "interesting"), [([], False), ([0], False), ([1], True), ([0, 2], True), ([3], False)])
def test_a_peer_is_interesting_for_what_is_wanted_and_missing(has: list[int], interesting: bool) -> None:  # noqa: FBT001 - a parameter
    info, _ = info_of(4 * PIECE, PIECE)
    download = Download(1, info, Bitfield(4, [0]), Bitfield(4, [0, 1, 2]), EngineSettings(), Random(1))
    assert download.interesting(Bitfield(4, has)) is interesting


def begin_and_leave(download: Download, pipeline: Pipeline, pieces: Sequence[int]) -> None:
    """One block of each piece comes, and then the peer goes."""
    for piece in pieces:
        download.ask(pipeline, Bitfield(download.have.size, [piece]), 4, 0.0)
        bring(download, pipeline, 1)
        pipeline.give_up(forgive=False)


def test_pieces_begun_with_peers_that_are_gone_do_not_block_all_others() -> None:
    """Ann begins as many pieces as memory holds and leaves; Bob has none of them."""
    download = download_of(6, slabs=2)
    ann, bob = deep(download, 1), deep(download, 2)
    begin_and_leave(download, ann, (0, 1))
    assert download.assembly.slabs.exhausted
    fetch_all(download, bob, Bitfield(6, [2, 3, 4, 5]))
    assert list(download.have) == [2, 3, 4, 5]
    fetch_all(download, bob, Bitfield.full(6))
    assert download.complete
    assert download.assembly.slabs.used == 0


def test_large_pieces_begun_with_peers_that_are_gone_do_not_block_what_is_half_stored() -> None:
    """Bob's piece needs a second extent while all memory is held by extents of pieces that he lacks."""
    mib = 1 << 20
    download = download_of(3, slabs=2, piece_size=2 * mib)
    ann, bob = deep(download, 1), deep(download, 2)
    for run in download.ask(bob, Bitfield(3, [2]), 64, 0.0):
        bring(download, bob, run.count)
        bob._depth = 64
    while download.ask(bob, Bitfield(3, [2]), 64 - bob.arrived // BLOCK, 0.0):
        bring(download, bob)
        if bob.arrived == mib:
            break
    assert store(download)
    for piece in (0, 1):
        download.ask(ann, Bitfield(3, [piece]), 4, 0.0)
        bring(download, ann, 1)
        ann.give_up(forgive=False)
    assert download.assembly.slabs.exhausted
    fetch_all(download, bob, Bitfield(3, [2]))
    assert list(download.have) == [2]


def test_what_somebody_is_asked_for_is_never_evicted() -> None:
    download = download_of(4, slabs=2)
    ann, bob = deep(download, 1), deep(download, 2)
    for piece in (0, 1):
        download.ask(ann, Bitfield(4, [piece]), 2, 0.0)
    assert download.ask(bob, Bitfield(4, [2]), 4, 0.0) == []
    assert (ann.outstanding, download.assembly.pieces()) == (4, [0, 1])
    download.check_invariants()


def test_the_piece_with_the_least_in_it_is_evicted_and_comes_again_whole() -> None:
    download = download_of(4, slabs=2)
    ann, bob = deep(download, 1), deep(download, 2)
    for piece, blocks in ((0, 1), (1, 3)):
        download.ask(ann, Bitfield(4, [piece]), 4, 0.0)
        bring(download, ann, blocks)
        ann.give_up(forgive=True)
    download.ask(bob, Bitfield(4, [2]), 4, 0.0)
    download.check_invariants()
    late = ann.place(0, BLOCK, BLOCK)
    ann.landed(late, 2.0)  # of a piece that has no memory any more
    assert ann.wasted == BLOCK
    bring(download, bob)
    store(download)
    assert sum(run.count for run in download.ask(bob, Bitfield(4, [1]), 4, 0.0)) == 1
    assert sum(run.count for run in download.ask(ann, Bitfield(4, [0]), 4, 0.0)) == 4


def test_the_disk_holds_reading_up_when_it_is_behind() -> None:
    download = download_of(3, disk_queue_bytes=2 * PIECE)
    pipeline = deep(download, 1)
    download.ask(pipeline, Bitfield.full(3), 12, 0.0)
    bring(download, pipeline)
    jobs = download.take_jobs()
    assert (download.at_disk, download.congested) == (3 * PIECE, True)
    download.extent_done(jobs[0])
    assert download.congested
    download.extent_done(jobs[1])
    assert not download.congested


def test_it_is_the_endgame_when_everything_missing_was_asked_of_somebody() -> None:
    download = download_of(2)
    pipeline = deep(download, 1)
    for _ in range(2):
        assert not download.endgame
        download.ask(pipeline, Bitfield.full(2), 4, 0.0)
    assert download.endgame
    pipeline.give_up(forgive=True)
    assert not download.endgame


def test_after_a_failure_of_the_disk_what_it_wrote_all_the_same_counts() -> None:
    """Two pieces are at the disk; the first fails, the second was written; then it is asked about both once more."""
    download = download_of(3)
    pipeline = deep(download, 1)
    download.ask(pipeline, Bitfield.full(3), 12, 0.0)
    bring(download, pipeline, 10)
    first, second = download.take_jobs()
    download.extent_done(first)
    pipeline.give_up(forgive=True)
    assert download.start_over() == [ForgetPiece(7, 0), ForgetPiece(7, 1), ForgetPiece(7, 2)]
    assert download.congested  # nothing may be asked until the disk is quiet
    download.extent_done(second)
    assert download.piece_checked(0, good=False) is None
    assert download.piece_checked(1, good=True) == ()
    assert download.piece_checked(1, good=True) is None
    assert not download.congested
    assert (download.at_disk, download.assembly.slabs.used, download.missing) == (0, 0, 2)
    download.check_invariants()
    fetch_all(download, pipeline, Bitfield.full(3))
    assert download.complete


def test_an_empty_torrent_is_complete() -> None:
    info, _ = info_of(0, PIECE)
    download = Download(1, info, Bitfield(0), Bitfield(0), EngineSettings(), Random(1))
    assert download.complete
    assert not download.interesting(Bitfield(0))
    download.check_invariants()


def test_what_is_deselected_counts_no_more_and_what_was_begun_of_it_is_let_go() -> None:
    download = download_of(4)
    pipeline = deep(download, 1)
    download.ask(pipeline, Bitfield(4, [1]), 4, 0.0)
    bring(download, pipeline, 2)
    pipeline.give_up(forgive=True)
    download.prioritize([4, 0, 0, 1])
    download.check_invariants()
    assert (download.missing, download.left_bytes, download.assembly.slabs.used) == (2, 2 * PIECE, 0)
    assert not download.interesting(Bitfield(4, [1, 2]))
    fetch_all(download, pipeline, Bitfield.full(4))
    assert (list(download.have), download.complete) == ([0, 3], True)
    download.prioritize([4, 4, 4, 4])
    assert (download.complete, download.left_bytes) == (False, 2 * PIECE)
    fetch_all(download, pipeline, Bitfield.full(4))
    assert download.complete


def test_a_deselected_piece_of_which_the_disk_has_a_part_goes_on_there_when_it_is_wanted_again() -> None:
    download = download_of(2, piece_size=2 << 20)
    pipeline = deep(download, 1)
    while download.at_disk < 1 << 20:
        download.ask(pipeline, Bitfield(2, [0]), 16, 0.0)
        bring(download, pipeline)
        download.take_jobs()
    pipeline.give_up(forgive=True)
    download.prioritize([0, 4])
    assert download.assembly.pieces() == [0]
    assert [run.piece for run in download.ask(pipeline, Bitfield(2, [0]), 16, 0.0)] == []
    download.check_invariants()
    download.prioritize([4, 4])
    [run, *_] = download.ask(pipeline, Bitfield(2, [0]), 1, 0.0)
    assert (run.piece, run.first) == (0, 64)


def test_a_deselected_piece_that_is_at_the_disk_already_is_kept_when_it_is_good() -> None:
    download = download_of(2)
    pipeline = deep(download, 1)
    download.ask(pipeline, Bitfield(2, [0]), 4, 0.0)
    bring(download, pipeline)
    download.prioritize([0, 4])
    store(download)
    assert (list(download.have), download.missing) == ([0], 1)
    download.check_invariants()


def test_the_more_wanted_piece_comes_first() -> None:
    download = download_of(4)
    download.prioritize([1, 4, 7, 4])
    pipeline = deep(download, 1)
    order = [download.ask(pipeline, Bitfield.full(4), 4, 0.0)[0].piece for _ in range(4)]
    assert order == [2, 1, 3, 0]


def test_what_has_a_deadline_comes_before_all_else_the_earliest_first() -> None:
    download = download_of(6)
    pipeline = deep(download, 1)
    pipeline.proven = True
    download.ask(pipeline, Bitfield.full(6), 2, 0.0)
    for piece, due in ((5, 9.0), (3, 4.0), (2, 20.0)):
        download.urgent.set(piece, due)
    order = [download.ask(pipeline, Bitfield(6, [0, 1, 3, 4, 5]), 4, 0.0)[0].piece for _ in range(3)]
    assert order == [3, 5, 0]
    while pipeline.runs:
        bring(download, pipeline)
    store(download)
    assert list(download.urgent.due) == [2]


def test_what_has_a_deadline_gets_memory_from_what_has_none() -> None:
    download = download_of(4, slabs=2)
    ann, bob = deep(download, 1), deep(download, 2)
    begin_and_leave(download, ann, (0, 1))
    download.urgent.set(3, 1.0)
    assert [run.piece for run in download.ask(bob, Bitfield.full(4), 4, 0.0)] == [3]
    download.check_invariants()


@pytest.mark.parametrize(("rate", "snubbed", "piece"), [(PIECE, False, 1), (PIECE / 100, False, 2), (PIECE, True, 2)])
def test_who_may_never_finish_a_piece_begins_the_commonest(rate: float, snubbed: bool, piece: int) -> None:  # noqa: FBT001 - a parameter
    info, _ = info_of(4 * PIECE, PIECE)
    download = Download(1, info, Bitfield(4), Bitfield.full(4), EngineSettings(), Random(1))
    has = Bitfield(4, [1, 2, 3])
    for counted in (has, Bitfield(4, [2, 3]), Bitfield(4, [2])):
        download.picker.peer_joined(counted)
    for _ in range(RANDOM_FIRST):
        download.picker.begun(0)
    pipeline = deep(download, 1)
    pipeline.rate, pipeline.snubbed = rate, snubbed
    assert download.ask(pipeline, has, 1, 0.0)[0].piece == piece
