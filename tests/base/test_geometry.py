import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.bitfield import Bitfield
from bittern.base.errors import LocalProtocolError
from bittern.base.geometry import BLOCK, Geometry

geometries = st.builds(Geometry, st.integers(0, 40 * BLOCK), st.integers(BLOCK // 2, 5 * BLOCK))


def naive(geometry: Geometry) -> list[list[int]]:
    """Lengths of the blocks of each piece, counted off one by one."""
    left = geometry.total_length
    pieces = []
    while left:
        piece = min(left, geometry.piece_size)
        left -= piece
        blocks = []
        while piece:
            blocks.append(min(piece, BLOCK))
            piece -= blocks[-1]
        pieces.append(blocks)
    return pieces


@given(geometries)
def test_pieces_and_blocks_are_counted_off(geometry: Geometry) -> None:
    pieces = naive(geometry)
    assert geometry.piece_count == len(pieces)
    for piece, blocks in enumerate(pieces):
        assert geometry.piece_length(piece) == sum(blocks)
        assert geometry.block_count(piece) == len(blocks)
        assert [geometry.block_length(piece, block) for block in range(len(blocks))] == blocks
        assert geometry.block_length(piece, len(blocks)) == 0
    if len(pieces) > 1:
        assert geometry.blocks_per_piece == len(pieces[0])


@given(geometries)
def test_outside_the_torrent_there_is_nothing(geometry: Geometry) -> None:
    for piece in (-1, geometry.piece_count, geometry.piece_count + 7):
        assert geometry.piece_length(piece) == geometry.block_count(piece) == geometry.block_length(piece, 0) == 0
        assert not geometry.contains(piece, 0, 1)
    assert geometry.block_length(0, -1) == 0


@given(geometries, st.integers(-2, 90), st.integers(-BLOCK, 6 * BLOCK), st.integers(-5, 6 * BLOCK))
def test_a_span_is_inside_when_every_byte_is(geometry: Geometry, piece: int, begin: int, length: int) -> None:
    held = range(geometry.piece_length(piece))
    inside = length > 0 and begin in held and begin + length - 1 in held
    assert geometry.contains(piece, begin, length) is inside


@given(geometries, st.integers(0, 10 * BLOCK), st.integers(0, 3 * BLOCK))
def test_pieces_of_a_span_are_those_its_ends_lie_in(geometry: Geometry, offset: int, length: int) -> None:
    pieces = geometry.pieces_of(offset, length)
    if not length:
        assert not pieces
        return
    assert geometry.offset(pieces[0]) <= offset < geometry.offset(pieces[0] + 1)
    assert geometry.offset(pieces[-1]) <= offset + length - 1 < geometry.offset(pieces[-1] + 1)
    assert geometry.offset(pieces[0], 3) == geometry.offset(pieces[0]) + 3


@pytest.mark.parametrize(("total", "size"), [(-1, 1), (1, 0), (1, -1)])
def test_impossible_geometries_are_refused(total: int, size: int) -> None:
    with pytest.raises(LocalProtocolError):
        Geometry(total, size)


@given(st.integers(1, 5 * BLOCK))
def test_a_torrent_that_fills_its_pieces_ends_with_a_full_one(size: int) -> None:
    geometry = Geometry(3 * size, size)
    assert [geometry.piece_length(piece) for piece in range(4)] == [size, size, size, 0]


@given(st.lists(st.integers(1, 5 * BLOCK), min_size=1, max_size=6))
def test_short_pieces_end_with_their_files(sizes: list[int]) -> None:
    """BEP 52: files begin pieces, and what follows a file in its last piece is no data."""
    size = 2 * BLOCK
    offset, short = 0, {}
    for length in sizes[:-1]:
        offset += -(-length // size) * size
        if length % size:
            short[offset // size - 1] = length % size
    geometry = Geometry(offset + sizes[-1], size, short)
    pieces = range(geometry.piece_count)
    assert sum(map(geometry.piece_length, pieces)) == sum(sizes)
    assert sum(map(geometry.block_count, pieces)) == sum(-(-length // BLOCK) for length in sizes)
    for piece, length in short.items():
        assert geometry.block_length(piece, geometry.block_count(piece) - 1) == length % BLOCK or BLOCK
        assert geometry.contains(piece, 0, size)
        assert not geometry.contains(piece, 1, size)


@given(geometries, st.dictionaries(st.integers(0, 40), st.integers(1, BLOCK // 2)), st.data())
def test_bytes_of_many_pieces_are_the_sum_of_each(plain: Geometry, cut: dict[int, int], data: st.DataObject) -> None:
    short = {piece: length for piece, length in cut.items() if piece < plain.piece_count}
    geometry = Geometry(plain.total_length, plain.piece_size, short)
    count = geometry.piece_count
    pieces = data.draw(st.sets(st.integers(0, count - 1))) if count else set()
    assert geometry.bytes_in(Bitfield(count, pieces)) == sum(map(geometry.piece_length, pieces))
