"""The part file: which bytes have a place in it, and what is made of them."""

from pathlib import Path

import pytest

from bittern.io.disk.handles import Handles
from bittern.io.disk.parts import PartFile, PartLayout
from bittern.io.disk.spans import Span
from tests.io.disk.torrents import several


def test_only_pieces_of_several_files_have_a_place() -> None:
    info, _ = several([16, 0, 20, 4, 8, 32], 16)
    layout = PartLayout(info)
    assert [list(layout.edges(number)) for number in range(6)] == [
        [],
        [],
        [(0, 16, 4)],
        [(4, 0, 4)],
        [(8, 0, 8)],
        [],
    ]


def test_what_has_a_place_is_read_back_and_lifted_out_and_the_rest_is_refused(tmp_path: Path) -> None:
    info, data = several([20, 60], 16)
    handles = Handles(4)
    parts = PartFile(info, str(tmp_path / "parts"), handles)
    assert parts.holds(1)
    assert parts.write(1, 0, memoryview(data)[20:32])
    assert not parts.write(1, 12, memoryview(data)[32:48])  # of a piece that no other file has bytes of
    into = bytearray(12)
    assert parts.read(1, 0, memoryview(into))
    assert into == data[20:32]
    assert not parts.read(1, 12, memoryview(into))
    assert list(parts.spans(1, 8, 8, "elsewhere")) == [Span(parts.path, 12, 4), Span("elsewhere", 12, 4)]
    target = tmp_path / "f1"
    parts.lift(1, str(target), (str(tmp_path),))
    assert target.read_bytes() == data[20:32]
    with pytest.raises(FileExistsError):
        parts.lift(1, str(target), (str(tmp_path),))
    parts.delete()
    assert [path.name for path in tmp_path.iterdir()] == ["f1"]
    handles.close(str(tmp_path))
