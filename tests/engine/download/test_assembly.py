"""Blocks on their way into pieces. How pipelines share an assembly is tested with them, in test_requests."""

import pytest

from bittern.base.geometry import BLOCK, Geometry
from bittern.engine.download.assembly import EXTENT, Assembly
from bittern.wire.blocks import Run

MIB = 1 << 20


def allot(assembly: Assembly, piece: int, want: int) -> Run:
    run = assembly.allot(piece, want)
    assert run is not None
    assembly.check_invariants()
    return run


def land(assembly: Assembly, run: Run, sender: int = 1) -> None:
    assembly.landed(run.piece, run.first, run.count, sender)
    assembly.check_invariants()


@pytest.mark.parametrize(
    ("total", "piece_size"),
    [(1, 1), (1, BLOCK), (BLOCK, BLOCK), (100_000, 40_000), (3 * MIB, MIB), (5 * MIB + 1, 2 * MIB + 5), (10, 1 << 28)],
)
def test_all_blocks_of_all_pieces_are_allotted_once_with_their_lengths(total: int, piece_size: int) -> None:
    geometry = Geometry(total, piece_size)
    assembly = Assembly(geometry, 64 * MIB)
    for piece in range(geometry.piece_count):
        assembly.open(piece)
        seen: list[tuple[int, int]] = []
        written = 0
        while piece in list(assembly.with_free()):
            run = allot(assembly, piece, 7)
            seen += zip(range(run.first, run.first + run.count), map(len, run.bodies), strict=True)
            land(assembly, run)
            for extent in assembly.take_complete():
                assert extent.begin == extent.first * BLOCK
                assert len(extent.data) == extent.length <= EXTENT
                written += extent.length
                assembly.slabs.give(extent.slab)
        assert seen == [(at, geometry.block_length(piece, at)) for at in range(geometry.block_count(piece))]
        assert written == geometry.piece_length(piece)
        assert assembly.close(piece) == (1,)
    assert (len(assembly), assembly.asked, assembly.slabs.used) == (0, 0, 0)


def test_a_run_never_spans_blocks_that_are_asked_or_here() -> None:
    assembly = Assembly(Geometry(MIB, MIB), MIB)
    assembly.open(0)
    first = allot(assembly, 0, 10)
    assembly.let_go(0, 2, None)  # type: ignore[arg-type]  # who lets go matters only for shared blocks
    assembly.let_go(0, 3, None)  # type: ignore[arg-type]
    assembly.let_go(0, 5, None)  # type: ignore[arg-type]
    assert [allot(assembly, 0, 64).blocks for _ in range(3)] == [range(2, 4), range(5, 6), range(10, 64)]
    assert first.blocks == range(10)
    assert list(assembly.with_free()) == []


def test_a_body_lies_where_the_block_belongs() -> None:
    assembly = Assembly(Geometry(2 * MIB + 20_000, 4 * MIB), 4 * MIB)
    assembly.open(0)
    runs = [allot(assembly, 0, 1000) for _ in range(3)]
    assert [run.blocks for run in runs] == [range(64), range(64, 128), range(128, 130)]
    for run in runs:
        for block, body in zip(run.blocks, run.bodies, strict=True):
            body[:] = bytes([block]) * len(body)
            assert assembly.place(0, block) is body
        land(assembly, run)
    data = b"".join(extent.data for extent in assembly.take_complete())
    lengths = [BLOCK] * 129 + [20_000 - BLOCK]
    assert data == b"".join(bytes([block]) * length for block, length in enumerate(lengths))


def test_memory_is_bounded_where_blocks_are_asked_for() -> None:
    assembly = Assembly(Geometry(8 * MIB, 2 * MIB), 3 * MIB)
    for piece in range(2):
        assembly.open(piece)
    runs = [allot(assembly, piece, 64) for piece in (0, 0, 1)]
    assert assembly.slabs.exhausted
    assert (assembly.allot(1, 64), list(assembly.with_free())) == (None, [])
    land(assembly, runs[0])
    [extent] = assembly.take_complete()
    assert list(assembly.with_free()) == []
    assembly.slabs.give(extent.slab)
    assert list(assembly.with_free()) == [1]
    assert allot(assembly, 1, 64).blocks == range(64, 128)


def test_two_slabs_are_allowed_however_small_the_limit() -> None:
    assembly = Assembly(Geometry(8 * MIB, MIB), 0)
    assembly.open(0)
    assembly.open(1)
    assert (allot(assembly, 0, 1).piece, allot(assembly, 1, 1).piece) == (0, 1)


def test_the_senders_of_all_extents_of_a_piece_are_known_in_the_end() -> None:
    assembly = Assembly(Geometry(2 * MIB, 2 * MIB), 8 * MIB)
    assembly.open(0)
    for sender in (5, 3, 5, 9):
        land(assembly, allot(assembly, 0, 32), sender)
    assert assembly.close(0) == (5, 3, 9)
    assert assembly.close(0) == ()


def test_only_a_free_block_can_be_adopted() -> None:
    assembly = Assembly(Geometry(MIB, MIB), 8 * MIB)
    assert not assembly.adopt(0, 0)  # the piece is not open
    assembly.open(0)
    assert not assembly.adopt(0, 0)  # its extent neither
    run = allot(assembly, 0, 1)
    assert not assembly.adopt(0, 0)  # asked of somebody
    land(assembly, run)
    assert not assembly.adopt(0, 0)  # here
    assert assembly.adopt(0, 1)
    assembly.check_invariants()
    assert assembly.asked == 1
    assert not assembly.adopt(0, 64)


def test_closing_everything_returns_every_slab_once() -> None:
    assembly = Assembly(Geometry(8 * MIB, 2 * MIB), 8 * MIB)
    for piece in range(2):
        assembly.open(piece)
        land(assembly, allot(assembly, piece, 64))
        run = allot(assembly, piece, 3)
        for block in run.blocks:
            assembly.let_go(piece, block, None)  # type: ignore[arg-type]
    extents = assembly.close_all()
    assert len(extents) == len({id(extent.slab) for extent in extents}) == 4
    for extent in extents:
        assembly.slabs.give(extent.slab)
    assert (assembly.slabs.used, assembly.pieces(), assembly.take_complete()) == (0, [], [])
    assembly.check_invariants()


def test_what_a_liar_sent_comes_again_and_what_others_sent_stays() -> None:
    assembly = Assembly(Geometry(MIB, MIB), MIB)
    assembly.open(0)
    for sender in (1, 2, 1):
        land(assembly, allot(assembly, 0, 3), sender)
    asked = allot(assembly, 0, 2)
    assembly.expunge(1)
    assembly.check_invariants()
    assert [allot(assembly, 0, 64).blocks for _ in range(3)] == [range(3), range(6, 9), range(11, 64)]
    assert asked.blocks == range(9, 11)
