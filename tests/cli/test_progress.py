import io

from bittern.cli.progress import ProgressLine


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_sees_one_line_that_goes_away() -> None:
    stream = Terminal()
    with ProgressLine("hashing", stream) as progress:
        progress(1024, 1024)
    drawn = stream.getvalue()
    assert "hashing ######################## 100% of 1.0 KiB" in drawn
    assert drawn.endswith("\r\x1b[K")
    assert "\n" not in drawn


def test_a_file_sees_nothing() -> None:
    stream = io.StringIO()
    with ProgressLine("hashing", stream) as progress:
        progress(1, 2)
    assert stream.getvalue() == ""


def test_nothing_to_do_is_all_done() -> None:
    stream = Terminal()
    with ProgressLine("hashing", stream) as progress:
        progress(0, 0)
    assert "100%" in stream.getvalue()


def test_drawing_is_rare_however_often_it_is_told() -> None:
    stream = Terminal()
    with ProgressLine("hashing", stream) as progress:
        for done in range(1000):
            progress(done, 1_000_000)
    assert stream.getvalue().count("\r") < 100
