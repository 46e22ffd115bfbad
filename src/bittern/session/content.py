"""The files of one torrent, as a session sees them: which bytes count, how they look, what is in their place."""

import logging
import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from types import MappingProxyType

from bittern.base.bitfield import Bitfield
from bittern.base.errors import StorageError
from bittern.codec.hybrid import expectation
from bittern.codec.layers import Layers
from bittern.codec.metainfo import File, Info
from bittern.codec.resume import FileStamp
from bittern.io.disk.failures import storage_error
from bittern.io.disk.files import FileStorage
from bittern.io.disk.handles import Handles
from bittern.io.disk.spans import open_regular

from .options import check_selection

_log = logging.getLogger("bittern.session")

Stamps = list[FileStamp | None]

_MOST_TOLD = 10
"""Links of a torrent that are named because they were not made; there may be thousands."""


def stored(file: File) -> bool:
    """Whether `file` is one on the disk: no pad, no link."""
    return not file.pad and file.symlink is None


class Content:
    """The files, and the arithmetic of what of them is wanted.

    Args:
        info: of the torrent.
        folder: where the file, or the root folder, is or goes.
        handles: open files.
        select: numbers of the wanted ones among the files without pads, from 0; None for all.
        content: the file or root folder itself, where it has another name or place.
        layers: piece layers that are known, by root (BEP 52).

    Raises:
        SessionError: there is no such file.
    """

    def __init__(
        self,
        info: Info,
        folder: Path,
        handles: Handles,
        select: Sequence[int] | None,
        content: Path | None,
        layers: Mapping[bytes, bytes] = MappingProxyType({}),
    ) -> None:
        self.info = info
        self._layers = Layers(info, layers) if info.info_hash_v2 is not None else None
        self.storage = FileStorage(info, folder, handles, _given_paths(info, content) if content else None)
        self.path = content or folder / info.name
        """The file, or the root folder."""
        self.wanted_files = self._chosen(select)
        """Numbers, among all files, of those that may be made."""
        self.wanted = self._wanted()
        """Pieces that are to be fetched."""
        self._pads = self._pad_bytes()
        self.total_bytes = self.bytes_in(Bitfield.full(info.geometry.piece_count))
        """Of wanted pieces, pads not counted."""
        self._stamps: Stamps = [None] * len(info.files)
        self.found = False
        """Whether it is known which files have the suffix of unfinished ones."""

    def place(self, root: Path, paths: Sequence[str]) -> None:
        """The files are not where the torrent would have them."""
        self.path = root
        self.storage.paths[:] = paths
        self.storage.where.root = root if self.info.multi_file else root.parent

    def find(self, known: Sequence[FileStamp | None] | None = None, *, suffix: bool = False) -> None:
        """See which files have the suffix of unfinished ones: see `Suffixes.find`. Blocks."""
        self.storage.suffixes.find(known, suffix=suffix)
        self.found = True

    def park(self) -> None:
        """See where the bytes of each file are; before anything else is done with them. Blocks."""
        self.storage.parking.find(self.wanted_files)

    def choose(self, pieces: Bitfield, files: Iterable[int]) -> None:
        """Other pieces are to be fetched from now on, and other files may be made; `settle` is to follow."""
        self.wanted = pieces
        self.wanted_files = frozenset(files)
        self.total_bytes = self.bytes_in(Bitfield.full(self.info.geometry.piece_count))

    def bytes_in(self, pieces: Bitfield) -> int:
        """Bytes of files in those of `pieces` that are wanted."""
        geometry = self.info.geometry
        members = pieces.as_int() & self.wanted.as_int()
        count: int = members.bit_count() * geometry.piece_size
        last = geometry.piece_count - 1
        if last in pieces and last in self.wanted:
            count -= geometry.piece_size - geometry.piece_length(last)
        return count - sum(pad for piece, pad in self._pads.items() if piece in pieces and piece in self.wanted)

    def bytes_of(self, piece: int) -> int:
        """Bytes of files in `piece`, if it is wanted."""
        geometry = self.info.geometry
        if piece in geometry.short:
            return geometry.short[piece] if piece in self.wanted else 0
        return geometry.piece_length(piece) - self._pads.get(piece, 0) if piece in self.wanted else 0

    def look(self) -> Stamps:
        """How each file looks now; None for one that is not there. Blocks.

        Raises:
            StorageError: something that is no such file is in the place of one.
        """
        self._stamps = [self._stamp(number) for number in range(len(self.info.files))]
        return self._with_parts()

    def look_again(self) -> Stamps:
        """As `look`, but only at the files that we wrote to since the last time. Blocks.

        Others are said to look as they did: what changes them is somebody else, and a check has to find that out.
        """
        for number in sorted(self.storage.take_written()):
            self._stamps[number] = self._stamp(number)
        return self._with_parts()

    @property
    def unchanged(self) -> Stamps | None:
        """What `look_again` would say, where that is known without looking, and nothing is to be synced; else None."""
        return list(self._stamps) if self.storage.untouched and not self.storage.parked else None

    def settle(self) -> Stamps:
        """Give the files that are wanted what the part file has of them; how each file looks then. Blocks.

        Raises:
            StorageError: a file could not be made.
        """
        before = set(self.storage.parked)
        self.storage.want(self.wanted_files)
        for number in before - self.storage.parked:
            self._stamps[number] = self._stamp(number)
        return self._with_parts()

    def expected(self, piece: int) -> tuple[bytes | None, int]:
        """What a piece must hash to, see codec.hybrid."""
        return expectation(self.info, self._layers, piece)

    def lacks_hashes(self, pieces: Iterable[int]) -> bool:
        """Whether there is one among `pieces` that nothing is known to check by."""
        layers = self._layers if not self.info.piece_hashes else None
        return layers is not None and any(layers.hash_of(piece) is None for piece in pieces)

    def learn(self, layers: Mapping[bytes, bytes]) -> None:
        """These are its piece layers, by root."""
        self._layers = Layers(self.info, layers)

    def holds_data(self, number: int) -> bool:
        """Whether anything was ever written to the file: one that is all hole is nobody's loss."""
        status = os.stat(self.storage.paths[number])  # noqa: PTH116 - text paths throughout
        return bool(getattr(status, "st_blocks", status.st_size))

    def sync(self, pieces: Iterable[int]) -> None:
        """Wait until the files with bytes in `pieces`, which a check found good, are on the disk. Blocks.

        Raises:
            StorageError: the system cannot say so for a file.
        """
        for number in self.storage.map.files_of(pieces, self.info.geometry):
            parked = number in self.storage.parked
            path = self.storage.parts.path if parked else self.storage.paths[number]
            try:
                with open_regular(path) as file:
                    os.fsync(file.fileno())
            except OSError as error:
                raise storage_error(error, path) from error

    def finish(self, *, executable: bool, symlinks: bool) -> None:
        """Give complete files what only complete ones have (BEP 47). Blocks.

        Args:
            executable: let those be run that are programs.
            symlinks: make symbolic links; why one is not made is logged.
        """
        if executable:
            try:
                self.storage.mark_executable(self.wanted_files)
            except StorageError as error:
                _log.warning("%s: a complete file could not be marked executable: %s", self.info.wire_hash, error)
        if symlinks:
            self._say_unmade(self.storage.links.make(self.wanted_files))

    def relink(self, before: Mapping[int, tuple[str, str]]) -> None:
        """Let the links follow files that moved: see `Linking.follow`. Blocks."""
        self._say_unmade(self.storage.links.follow(before))

    def _say_unmade(self, problems: Mapping[str, str]) -> None:
        for path, reason in islice(problems.items(), _MOST_TOLD):
            _log.warning("%s: the symbolic link %s was not made: %s", self.info.wire_hash, path, reason)
        if (more := len(problems) - _MOST_TOLD) > 0:
            _log.warning("%s: nor were %d other symbolic links", self.info.wire_hash, more)

    def _stamp(self, number: int) -> FileStamp | None:
        file, path = self.info.files[number], self.storage.paths[number]
        if not stored(file):
            return None
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            return self._stamp(number) if self.storage.where.moved(number, path) else None
        except OSError as error:
            raise storage_error(error, path) from error
        if not stat.S_ISREG(status.st_mode):
            raise StorageError(StorageError.Kind.NOT_A_FILE, path, "something else is in its place")
        if status.st_size > file.length:
            raise StorageError(
                StorageError.Kind.EXISTS, path, f"{status.st_size} bytes instead of at most {file.length}"
            )
        return FileStamp(status.st_size, status.st_mtime_ns)

    def _with_parts(self) -> Stamps:
        """The stamps, with that of the part file for the files that are parked there.

        Its time is negated, so that nobody takes it for that of a file, which would be missing now.
        """
        parked, parts = self.storage.parked, self.storage.parts
        if not parked:
            return list(self._stamps)
        try:
            status = os.lstat(parts.path)
            stamp = FileStamp(status.st_size, -status.st_mtime_ns)
        except OSError:
            stamp = None
        for number in tuple(parked):  # at the same time another thread may make files that are wanted now
            self._stamps[number] = stamp if parts.holds(number) else None
        return list(self._stamps)

    def _chosen(self, select: Sequence[int] | None) -> frozenset[int]:
        shown = [number for number, file in enumerate(self.info.files) if not file.pad]
        if select is None:
            return frozenset(shown)
        check_selection(self.info, select)
        return frozenset([shown[number] for number in select])

    def _wanted(self) -> Bitfield:
        geometry, files = self.info.geometry, self.info.files
        if len(self.wanted_files) == sum(not file.pad for file in files):
            return Bitfield.full(geometry.piece_count)
        chosen = [geometry.pieces_of(files[number].offset, files[number].length) for number in self.wanted_files]
        return Bitfield(geometry.piece_count, (piece for pieces in chosen for piece in pieces))

    def _pad_bytes(self) -> dict[int, int]:
        geometry, pads = self.info.geometry, dict[int, int]()
        for file in self.info.files:
            if file.pad:
                for piece in geometry.pieces_of(file.offset, file.length):
                    begin = max(file.offset, geometry.offset(piece))
                    end = min(file.offset + file.length, geometry.offset(piece + 1))
                    pads[piece] = pads.get(piece, 0) + end - begin
        return pads


def _given_paths(info: Info, content: Path) -> list[str]:
    """Where the files are when the user says what the content is: there, links are the user's own."""
    if not info.multi_file:
        return [os.path.realpath(content)]
    return [os.path.realpath(content.joinpath(*file.path)) for file in info.files]
