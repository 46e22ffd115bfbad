"""The part file: what wanted pieces hold of files that are not wanted (BEP 3 pieces know no files).

A piece that a wanted file shares with others is fetched whole, or it could not be hashed or served. Its bytes of
unwanted files go to one hidden file beside the content, `.<info hash>.parts`, so that unwanted files are never made.
Each shared piece has a place of its own there, which follows from the torrent alone: nothing has to be remembered.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from typing import NamedTuple

from bittern.codec.metainfo import Info

from .atomic import sync_folder
from .handles import Handles, read_all, write_all
from .opening import open_safely
from .spans import Span


class Slot(NamedTuple):
    """A run of a file's bytes and its place.

    Attributes:
        offset: in the part file; None where the part file has no place, since no other file has bytes in that piece.
        begin: in the file.
        length: bytes.
    """

    offset: int | None
    begin: int
    length: int


class PartLayout:
    """Which byte of which file has which place in the part file.

    Args:
        info: of the torrent.
    """

    def __init__(self, info: Info) -> None:
        self._info = info
        self._slots: dict[int, int] = {}
        """By piece; counted from 0 over the pieces with bytes of more than one stored file, ascending."""
        before = -1
        for file in info.files:
            if file.pad or not file.length:
                continue
            first = file.offset // info.piece_size
            if first == before and first not in self._slots:
                self._slots[first] = len(self._slots)
            before = (file.offset + file.length - 1) // info.piece_size

    def slots(self, file: int, begin: int, length: int) -> Iterator[Slot]:
        """Where `length` bytes at `begin` of the file numbered `file` are; one run for each piece."""
        size = self._info.piece_size
        base = self._info.files[file].offset
        end = begin + length
        while begin < end:
            piece, inside = divmod(base + begin, size)
            run = min(size - inside, end - begin)
            slot = self._slots.get(piece)
            yield Slot(None if slot is None else slot * size + inside, begin, run)
            begin += run

    def edges(self, file: int) -> Iterator[Slot]:
        """The runs of a file that have a place: of its first and its last piece, at most."""
        geometry, entry = self._info.geometry, self._info.files[file]
        pieces = geometry.pieces_of(entry.offset, entry.length)
        for piece in {pieces[0], pieces[-1]} if pieces else ():
            if piece in self._slots:
                begin = max(0, geometry.offset(piece) - entry.offset)
                end = min(entry.length, geometry.offset(piece) + geometry.piece_size - entry.offset)
                yield from self.slots(file, begin, end - begin)


class PartFile:
    """The part file of one torrent; made with the first byte that needs it.

    Not for several threads at once, but for `spans` and `holds`.

    Args:
        info: of the torrent.
        path: where it is.
        handles: open files.
    """

    def __init__(self, info: Info, path: str, handles: Handles) -> None:
        self.path = path
        self._info = info
        self._handles = handles

    @cached_property
    def _layout(self) -> PartLayout:
        return PartLayout(self._info)  # few torrents ever need one

    def holds(self, file: int) -> bool:
        """Whether bytes of `file` have a place here."""
        return any(True for _ in self._layout.edges(file))

    def spans(self, file: int, begin: int, length: int, elsewhere: str) -> Iterator[Span]:
        """Where bytes of `file` are; those without a place here are in `elsewhere`."""
        for offset, start, count in self._layout.slots(file, begin, length):
            yield Span(elsewhere, start, count) if offset is None else Span(self.path, offset, count)

    def write(self, file: int, begin: int, data: memoryview) -> bool:
        """Write bytes of `file`; False, and nothing is written, when not all of them have a place.

        Raises:
            OSError: not all of it is written.
        """
        slots = list(self._layout.slots(file, begin, len(data)))
        if any(slot.offset is None for slot in slots):
            return False
        with self._handles.opened(self.path, write=True) as handle:
            for offset, start, length in slots:
                assert offset is not None
                write_all(handle, data[start - begin : start - begin + length], offset)
        return True

    def read(self, file: int, begin: int, into: memoryview) -> bool:
        """Fill `into`; False when not all of the bytes are here.

        Raises:
            OSError: it cannot be read.
        """
        slots = list(self._layout.slots(file, begin, len(into)))
        if any(slot.offset is None for slot in slots):
            return False
        with self._handles.opened(self.path, write=False) as handle:
            for offset, start, length in slots:
                assert offset is not None
                if read_all(handle, into[start - begin : start - begin + length], offset) < length:
                    return False
        return True

    def lift(self, file: int, path: str, trusted: Sequence[str]) -> None:
        """Make `file` at `path` of what is here of it, at once or not at all; nothing is made when nothing is here.

        What is here stays until `delete`.

        Raises:
            OSError: the file could not be made, or something is in its place.
        """
        edges = self._layout.edges(file)
        found = [(begin, data) for offset, begin, length in edges if (data := self._all(offset, length))]
        if not found:
            return
        if os.path.lexists(path):
            raise FileExistsError(17, "File exists", path)
        draft = os.path.join(os.path.dirname(path), os.path.basename(self.path) + ".draft")
        descriptor = open_safely(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC, trusted)
        try:
            with os.fdopen(descriptor, "r+b") as file_object:
                for begin, data in found:
                    file_object.seek(begin)
                    file_object.write(data)
                file_object.flush()
                os.fsync(descriptor)
        except BaseException:
            with suppress(OSError):
                os.unlink(draft)
            raise
        os.rename(draft, path)
        sync_folder(os.path.dirname(path))

    def delete(self) -> None:
        """Delete it, if it is there."""
        self._handles.forget(self.path)
        with suppress(OSError):
            os.unlink(self.path)

    def _all(self, offset: int | None, length: int) -> bytes:
        """The bytes of a place; none when nothing was ever written there."""
        assert offset is not None
        data = bytearray(length)
        try:
            with self._handles.opened(self.path, write=False) as handle:
                read_all(handle, memoryview(data), offset)
        except FileNotFoundError:
            return b""
        return bytes(data) if data.count(0) < length else b""
