"""The three standard streams, made fit for whatever the program was started with."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress


def prepare() -> None:
    """Let nothing that is wrong with a stream end the program, or reach a file of a torrent.

    Streams that are closed lead nowhere. Messages that cannot be written, because the log's disk is full or the
    terminal is gone, are lost; results that cannot be written still are an error. No name fails because the
    terminal's encoding lacks a character.
    """
    _take_numbers()
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115, PTH123 - as long as the process
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - likewise
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - likewise
    elif sys.__stderr__ is not None and sys.stderr is sys.__stderr__:
        sys.stderr = Unfailing.of(sys.__stderr__.fileno(), sys.__stderr__.encoding)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)  # a test may have replaced the stream
        if reconfigure:
            reconfigure(errors="backslashreplace")


@contextmanager
def writing() -> Iterator[None]:
    """What fails within fails on standard output, and says so."""
    try:
        yield
    except OSError as error:
        error.add_note("standard output")
        raise


def _take_numbers() -> None:
    """Open descriptors 0, 1 and 2 where they are closed: libraries write there, and no file may come to be there."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)


class Unfailing(io.TextIOWrapper):
    """Text that is lost where it cannot be written."""

    @classmethod
    def of(cls, descriptor: int, encoding: str) -> "Unfailing":
        """To this descriptor, which is not closed with it; a line is written when it ends."""
        raw = open(descriptor, "wb", closefd=False)  # noqa: SIM115 - as long as the process
        return cls(raw, encoding=encoding, line_buffering=True)

    def write(self, text: str) -> int:
        """See io.TextIOBase."""
        with suppress(OSError):
            super().write(text)
        return len(text)

    def flush(self) -> None:
        """See io.TextIOBase."""
        with suppress(OSError):
            super().flush()
