import random
from pathlib import Path

from bittern.io.disk.spans import CHUNK, Span, SpanReader, Trouble, open_regular, windows


def test_neighbouring_spans_of_a_file_are_one_read(tmp_path: Path) -> None:
    data = random.Random(1).randbytes(300)
    path = str(tmp_path / "a")
    Path(path).write_bytes(data)
    opened: list[str] = []

    def open_file(name: str) -> object:
        opened.append(name)
        return open_regular(name)

    reader = SpanReader(open_file)  # type: ignore[arg-type]  # a FileIO with a note taken
    assert reader.fill([Span(path, 10, 20), Span(path, 30, 70), Span(None, 0, 5), Span(path, 0, 3)]) == []
    assert bytes(reader.view[:98]) == data[10:100] + bytes(5) + data[:3]
    assert opened == [path]
    reader.close()


def test_only_the_spans_beyond_the_end_of_a_read_are_at_fault(tmp_path: Path) -> None:
    path = str(tmp_path / "a")
    Path(path).write_bytes(bytes(25))
    reader = SpanReader()
    faults = reader.fill([Span(path, at, 10) for at in (0, 10, 20, 30)])
    assert [(index, fault.trouble) for index, fault in faults] == [(2, Trouble.SHORT), (3, Trouble.SHORT)]
    reader.close()


def test_windows_are_as_long_as_the_buffer_but_the_last() -> None:
    spans = [Span("a", 5, CHUNK - 1), Span(None, 0, CHUNK), Span("b", 0, 7)]
    cut = list(windows(spans))
    assert [sum(span.length for span in window) for window in cut] == [CHUNK, CHUNK, 6]
    assert cut[0] == [Span("a", 5, CHUNK - 1), Span(None, 0, 1)]
    assert cut[2] == [Span("b", 1, 6)]
    assert list(windows([])) == []
