"""Read byte spans of many files into one reused buffer, with as few calls as possible."""
# HOT: bench/create_verify.py

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, unique
from io import FileIO

CHUNK = 1 << 20
"""Bytes read at a time by one thread, and the size of its buffer; a multiple of 16 KiB."""
_OPEN_FILES = 16
_ZEROS = bytes(CHUNK)
_preadv = getattr(os, "preadv", None)  # not on Windows, nor on some BSDs


@unique
class Trouble(Enum):
    """Why the bytes of a span could not be had. The value is the sentence for users."""

    MISSING = "does not exist"
    NOT_A_FILE = "is not a regular file"
    SHORT = "is shorter than it should be"
    UNREADABLE = "cannot be read"


@dataclass(frozen=True, slots=True)
class Span:
    """Where some of a piece's bytes are.

    Attributes:
        path: the file; None for zeros that no file holds (a pad file, BEP 47).
        offset: bytes from the start of the file.
        length: bytes.
    """

    path: str | None
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class SpanFault:
    """A span whose bytes could not be had.

    Attributes:
        path: the file.
        trouble: what is in the way.
        detail: the system's words for it, or "".
    """

    path: str
    trouble: Trouble
    detail: str = ""


def open_regular(path: str) -> FileIO:
    """Open a file for reading, unbuffered, without hanging on a FIFO.

    Raises:
        IsADirectoryError: it is no regular file.
        OSError: as `open`.
    """
    flags = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)  # here, for FileIO refuses a folder and leaves it open
        raise IsADirectoryError(path)
    return FileIO(descriptor)


class SpanReader:
    """One thread's buffer of `CHUNK` bytes and its few open files, both reused.

    Attributes:
        view: the buffer.
    """

    def __init__(self, open_file: Callable[[str], FileIO] = open_regular) -> None:
        self._open_file = open_file
        self.view = memoryview(bytearray(CHUNK))
        self._files: dict[str, FileIO] = {}

    def close(self) -> None:
        """Close the files that are open."""
        for file in self._files.values():
            file.close()
        self._files.clear()

    def fill(self, spans: Sequence[Span]) -> list[tuple[int, SpanFault]]:
        """Read `spans` into the buffer, one after the other; which of them (by index) failed and why."""
        faults: list[tuple[int, SpanFault]] = []
        at = index = 0
        while index < len(spans):
            span = spans[index]
            length, after = span.length, index + 1
            while after < len(spans) and _adjoins(span, length, spans[after]):
                length += spans[after].length
                after += 1
            target = self.view[at : at + length]
            if span.path is None:
                target[:] = _ZEROS[:length]
            elif length:
                got, trouble, detail = self._read(span.path, span.offset, target)
                end = 0
                for number in range(index, after):
                    end += spans[number].length
                    if got < end:
                        faults.append((number, SpanFault(span.path, trouble, detail)))
            at, index = at + length, after
        return faults

    def _read(self, path: str, offset: int, target: memoryview) -> tuple[int, Trouble, str]:
        """Fill `target`; the bytes that came, and what is wrong when they are fewer."""
        done = 0
        try:
            file = self._file(path)
            while done < len(target):
                if _preadv is not None:
                    count = _preadv(file.fileno(), [target[done:]], offset + done)
                else:
                    file.seek(offset + done)
                    count = file.readinto(target[done:])
                if not count:
                    break
                done += count
        except FileNotFoundError:
            return 0, Trouble.MISSING, ""
        except NotADirectoryError:
            return 0, Trouble.MISSING, ""
        except IsADirectoryError:
            return 0, Trouble.NOT_A_FILE, ""
        except OSError as error:
            return 0, Trouble.UNREADABLE, error.strerror or str(error)
        return done, Trouble.SHORT, ""

    def _file(self, path: str) -> FileIO:
        """The open file, from the few that are kept."""
        file = self._files.pop(path, None)
        if file is None:
            if len(self._files) >= _OPEN_FILES:
                self._files.pop(next(iter(self._files))).close()
            file = self._open_file(path)
        self._files[path] = file
        return file


def windows(spans: Iterable[Span]) -> Iterator[list[Span]]:
    """Cut `spans` into runs of exactly `CHUNK` bytes, the last shorter."""
    window: list[Span] = []
    room = CHUNK
    for span in spans:
        offset, left = span.offset, span.length
        while left:
            length = min(left, room)
            window.append(Span(span.path, offset, length))
            offset, left, room = offset + length, left - length, room - length
            if not room:
                yield window
                window, room = [], CHUNK
    if window:
        yield window


def _adjoins(span: Span, length: int, following: Span) -> bool:
    """Whether `following` goes on where `length` bytes from the start of `span` end."""
    return following.path == span.path and (span.path is None or following.offset == span.offset + length)
