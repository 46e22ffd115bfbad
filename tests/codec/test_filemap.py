from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.errors import LocalProtocolError
from bittern.base.geometry import Geometry
from bittern.codec.filemap import FileMap, Span
from bittern.codec.layout import File

shapes = st.lists(st.tuples(st.integers(0, 30), st.booleans()), min_size=1, max_size=12)


def layout(shape: list[tuple[int, bool]]) -> tuple[File, ...]:
    offsets = [0, *accumulate(length for length, _ in shape)]
    return tuple(File((f"{number}",), length, offsets[number], pad=pad) for number, (length, pad) in enumerate(shape))


def naive(files: tuple[File, ...]) -> list[tuple[int, int]]:
    """File and offset in the file of every byte."""
    return [(number, at) for number, file in enumerate(files) for at in range(file.length)]


@given(shapes, st.data())
def test_spans_partition_the_range_exactly(shape: list[tuple[int, bool]], data: st.DataObject) -> None:
    files = layout(shape)
    space = naive(files)
    offset = data.draw(st.integers(0, len(space)))
    length = data.draw(st.integers(0, len(space) - offset))
    spans = FileMap(files).spans(offset, length)
    assert [(s.file, s.offset + at) for s in spans for at in range(s.length)] == space[offset : offset + length]
    assert len({span.file for span in spans}) == len(spans)
    assert [span.pad for span in spans] == [files[span.file].pad for span in spans]
    assert all(span.length for span in spans)


@given(shapes, st.integers(1, 20))
def test_files_and_pieces_agree_with_the_bytes(shape: list[tuple[int, bool]], piece_size: int) -> None:
    files = layout(shape)
    space = naive(files)
    geometry = Geometry(len(space), piece_size)
    filemap = FileMap(files)
    for piece in range(geometry.piece_count):
        held = {file for file, _ in space[piece * piece_size : (piece + 1) * piece_size]}
        assert filemap.files_of([piece], geometry) == sorted(n for n in held if not files[n].pad)
        assert all(piece in filemap.pieces_of(number, geometry) for number in held)
    everything = sorted({file for file, _ in space if not files[file].pad})
    assert filemap.files_of(range(geometry.piece_count), geometry) == everything
    assert [filemap.at(offset) for offset in range(len(space))] == [file for file, _ in space]


def test_an_empty_file_is_in_no_span_and_has_no_pieces() -> None:
    filemap = FileMap(layout([(0, False), (4, False), (0, False), (2, True), (0, False)]))
    assert filemap.spans(0, 6) == [Span(1, 0, 4, False), Span(3, 0, 2, True)]
    assert filemap.pieces_of(0, Geometry(6, 4)) == range(0)


@pytest.mark.parametrize(("offset", "length"), [(-1, 1), (0, 7), (6, 1), (3, -1)])
def test_bytes_outside_the_torrent_have_no_spans(offset: int, length: int) -> None:
    with pytest.raises(LocalProtocolError):
        FileMap(layout([(6, False)])).spans(offset, length)


@pytest.mark.parametrize("offset", [-1, 6])
def test_bytes_outside_the_torrent_are_in_no_file(offset: int) -> None:
    with pytest.raises(IndexError):
        FileMap(layout([(6, False)])).at(offset)


def test_a_torrent_of_nothing_has_no_spans() -> None:
    assert FileMap(()).spans(0, 0) == []
    assert FileMap(layout([(0, False)])).spans(0, 0) == []
