"""From byte spans of a torrent to spans of its files, and back."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from bittern.base.errors import LocalProtocolError
from bittern.base.geometry import Geometry

from .layout import File


class Span(NamedTuple):
    """Bytes of one file.

    Attributes:
        file: its number in the torrent.
        offset: in the file.
        length: bytes, at least 1.
        pad: whether the file is a pad: zeros that are never read or written (BEP 47).
    """

    file: int
    offset: int
    length: int
    pad: bool


class FileMap:
    """Which files lie where in the byte space of a torrent; any look-up is O(log files + result)."""

    __slots__ = ("_numbers", "_offsets", "_pads", "files", "total_length")

    def __init__(self, files: Sequence[File]) -> None:
        self.files = files
        """As in the metainfo: adjoining, in the order of their offsets."""
        self._numbers = [number for number, file in enumerate(files) if file.length]
        self._offsets = [files[number].offset for number in self._numbers]
        self._pads = [files[number].pad for number in self._numbers]
        self.total_length = files[-1].offset + files[-1].length if files else 0
        """Bytes of the byte space."""

    def spans(self, offset: int, length: int) -> list[Span]:
        """The parts of files that make up `length` bytes at `offset`, in order, pads included.

        An empty file is in no span.

        Raises:
            LocalProtocolError: the bytes are not all inside the torrent.
        """
        end = offset + length
        if offset < 0 or length < 0 or end > self.total_length:
            raise LocalProtocolError(f"bytes {offset}+{length} are not inside {self.total_length}")
        spans: list[Span] = []
        at = bisect_right(self._offsets, offset) - 1
        while offset < end:
            number, start = self._numbers[at], self._offsets[at]
            stop = min(end, start + self.files[number].length)
            spans.append(Span(number, offset - start, stop - offset, self._pads[at]))
            offset = stop
            at += 1
        return spans

    def files_of(self, pieces: Iterable[int], geometry: Geometry) -> list[int]:
        """Numbers of the real files with bytes in any of `pieces`, ascending.

        Raises:
            LocalProtocolError: a piece is not inside the torrent.
        """
        found: set[int] = set()
        for piece in pieces:
            spans = self.spans(geometry.offset(piece), geometry.piece_length(piece))
            found.update([span.file for span in spans if not span.pad])
        return sorted(found)

    def pieces_of(self, file: int, geometry: Geometry) -> range:
        """The pieces that hold bytes of `file`; empty for an empty file."""
        return geometry.pieces_of(self.files[file].offset, self.files[file].length)

    def at(self, offset: int) -> int:
        """The number of the file that holds the byte at `offset`; IndexError outside the torrent."""
        if not 0 <= offset < self.total_length:
            raise IndexError(offset)
        return self._numbers[bisect_right(self._offsets, offset) - 1]
