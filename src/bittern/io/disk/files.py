"""One torrent's bytes in its files: positioned, vectored, dumb. No hashing, no policy, no threads."""

import errno
import os
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bittern.base.errors import StorageError
from bittern.codec.filemap import FileMap
from bittern.codec.metainfo import Info
from bittern.io import capabilities

from .allocating import allocated, free_bytes, set_aside
from .failures import storage_error
from .handles import Handle, Handles, read_all, write_all
from .linking import Linking
from .moving import carry
from .parking import Parking
from .spans import Span
from .suffixes import Suffixes
from .unfinished import SUFFIX
from .unsynced import Unsynced
from .whereabouts import Whereabouts


class FileStorage:
    """The files of one torrent.

    Args:
        info: names and lengths.
        folder: where the file, or the root folder, is or goes.
        handles: open files, shared by all torrents.
        paths: where each of `info.files` is, when not below `folder` under its own name.

    Attributes:
        map: which bytes are of which file.
        where: the files are.
        paths, suffixed: of `where`.
        parking: the files that are not made.
        parked: their numbers.
        parts: the part file, which has what there is of them.
        suffixes: the files that are not complete, and whose names say so.
        links: the symbolic links.
    """

    def __init__(self, info: Info, folder: Path, handles: Handles, paths: Sequence[str] | None = None) -> None:
        self.map = FileMap(info.files)
        root = folder / info.name if info.multi_file else folder
        given = list(paths) if paths else [os.path.join(root, *file.path) for file in info.files]  # noqa: PTH118 - plain strings: a hundred thousand
        self.where = Whereabouts(info, root, given, () if paths else (str(folder),))
        self._unsynced = Unsynced(self.where, handles)
        self.parking = Parking(self.where, str(folder / f".{info.wire_hash}.parts"), self._unsynced, handles)
        self.suffixes = Suffixes(self.where, self.map, self.parking.files, self._unsynced, handles)
        self.links = Linking(self.where)
        self.paths = self.where.paths
        self.parked = self.parking.files
        self.suffixed = self.where.suffixed
        self.parts = self.parking.parts
        self._info = info
        self._handles = handles
        self._nowait = capabilities.READ_NOWAIT
        self._in_memory: bool | None = None
        self._written: set[int] = set()

    def want(self, wanted: Collection[int]) -> None:
        """Only the files numbered `wanted` are to be made from now on. Blocks; may be called while pieces are written.

        Raises:
            StorageError: a file could not be made; its bytes are in the part file as before.
        """
        with self.where.lock:
            self.parking.want(wanted)
            self.suffixes.drop()

    def move(
        self, paths: Sequence[str], parts: str, folder: str, stop: threading.Event, progress: Callable[[int], None]
    ) -> None:
        """Move its files to `paths`, one by one; reading goes on meanwhile, nothing may be written. Blocks.

        Symbolic links do not move: see `relink`.

        Args:
            paths: for each of the torrent's files, where it goes.
            parts: where the part file goes.
            folder: that all of this is in.
            stop: when set, ends it early.
            progress: told the bytes that were moved so far.

        Raises:
            StorageError: a file could not be moved; it is as it was, those before it have moved.
            MoveStoppedError: `stop` was set.
        """
        if self.where.trusted and folder not in self.where.trusted:
            self.where.trusted = (*self.where.trusted, folder)
        moved = 0

        def count(step: int) -> None:
            nonlocal moved
            moved += step
            progress(moved)

        for number, target in enumerate(paths):
            source, file = self.paths[number], self._info.files[number]
            place = target + SUFFIX if number in self.suffixed else target
            if source == place:
                continue
            if file.symlink is not None:
                self.paths[number] = place  # what it says may change: see `relink`
                continue
            before = moved
            self._carry(source, place, partial(self._now_at, number, place), stop, count)
            moved = before + file.length
            progress(moved)
        if self.parts.path != parts:
            self._carry(self.parts.path, parts, partial(setattr, self.parts, "path", parts), stop, lambda _: None)

    def _now_at(self, number: int, path: str) -> None:
        self.paths[number] = path

    def _carry(
        self, source: str, target: str, switch: Callable[[], None], stop: threading.Event, count: Callable[[int], None]
    ) -> None:
        self._handles.forget(target)  # of a file that was there before
        try:
            carry(source, target, switch, self.where.lock, stop, count)
        except OSError as error:
            raise storage_error(error, target if os.path.lexists(source) else source) from error
        self._handles.forget(source)
        self._unsynced.forget(source)

    def places(self, offset: int, length: int) -> Iterator[Span]:
        """Where `length` bytes at `offset` of the torrent are, for reading them apart from this."""
        for number, begin, count, pad in self.map.spans(offset, length):
            if number in self.parked:
                yield from self.parking.spans(number, begin, count)
            else:
                yield Span(None if pad else self.paths[number], begin, count)

    def create_empty(self, wanted: Collection[int] | None = None) -> None:
        """Make the folders and files that no piece would make: those without any bytes.

        Args:
            wanted: numbers of the files that may be made; None for all.

        Raises:
            StorageError: one could not be made.
        """
        for number, file in enumerate(self._info.files):
            if wanted is not None and number not in wanted:
                continue
            if not file.length and not file.pad and file.symlink is None:
                with self._opened(number, write=True):
                    pass

    def allocate(self, wanted: Collection[int]) -> None:
        """Have the system set aside all the room that files need, before anything is fetched. Blocks.

        Args:
            wanted: numbers of the files.

        Raises:
            StorageError: there is not enough room, which is found out first, or a file cannot be made.
        """
        short: dict[int, int] = {}
        for number in sorted(wanted):
            file, path = self._info.files[number], self.paths[number]
            if file.length and not file.pad:
                missing = file.length - allocated(path)
                if missing > 0:
                    short[number] = missing
        if not short:
            return
        free = free_bytes(self.where.trusted[0] if self.where.trusted else os.path.dirname(self.paths[0]))  # noqa: PTH120 - plain text
        if sum(short.values()) > free:
            detail = f"{sum(short.values())} bytes are needed, {free} are free"
            raise StorageError(StorageError.Kind.DISK_FULL, str(self.where.root), detail)
        for number in short:
            with self._opened(number, write=True) as handle:
                set_aside(handle.fd, self._info.files[number].length)

    def mark_executable(self, wanted: Collection[int]) -> None:
        """Let those who may read a file run it, where the torrent says that it is a program (BEP 47). Blocks.

        Args:
            wanted: numbers of the files that are complete.

        Raises:
            StorageError: the system refuses.
        """
        for number, file in enumerate(self._info.files):
            if not file.executable or number not in wanted or number in self.parked or not hasattr(os, "fchmod"):
                continue
            with self._opened(number, write=False) as handle:
                mode = os.fstat(handle.fd).st_mode & 0o7777
                os.fchmod(handle.fd, mode | (mode & 0o444) >> 2)

    def write(self, offset: int, data: memoryview) -> None:
        """Write `data` at `offset` of the torrent; what falls into pads is dropped.

        Raises:
            StorageError: not all of it is in the files.
        """
        at = 0
        for number, begin, length, pad in self.map.spans(offset, len(data)):
            if number in self.parked:
                self._write_parked(number, begin, data[at : at + length])
            elif not pad:
                self._write_file(number, begin, data[at : at + length])
            at += length

    def read_into(self, offset: int, into: memoryview) -> None:
        """Fill `into` from `offset` of the torrent; pads are zeros. May wait for the disk.

        Raises:
            StorageError: a file is missing, too short or unreadable.
        """
        at = 0
        for number, begin, length, pad in self.map.spans(offset, len(into)):
            part = into[at : at + length]
            if pad:
                part[:] = bytes(length)
            elif number in self.parked and self.parking.read(number, begin, part):
                pass
            elif not self._read_file(number, begin, part, 0):
                raise StorageError(StorageError.Kind.IO, self.paths[number], "shorter than it should be")
            at += length

    def read_now(self, offset: int, into: memoryview) -> bool:
        """As `read_into`, but only if that needs no waiting and finds all of it; else False."""
        if not self._nowait and not self._in_memory:
            return False
        at = 0
        try:
            for number, begin, length, pad in self.map.spans(offset, len(into)):
                part = into[at : at + length]
                if pad:
                    part[:] = bytes(length)
                elif number in self.parked or not self._read_file(number, begin, part, self._nowait):
                    return False
                at += length
        except StorageError:
            return False  # the reading that may wait meets it again, and reports it
        return True

    @property
    def untouched(self) -> bool:
        """Whether nothing was written since the last `take_written`, and everything before that is on the disk."""
        return not self._written and not self._unsynced

    def take_written(self) -> set[int]:
        """Numbers of the files that were written to since the last call, perhaps in vain; not of what is parked."""
        found = set()
        while self._written:  # threads may be adding to it
            found.add(self._written.pop())
        return found

    def sync(self) -> None:
        """Wait until what was written is on the disk.

        Raises:
            StorageError: the system cannot say so for a file.
        """
        self._unsynced.sync_all(fleeting=self.parts.path)

    def close(self) -> None:
        """Close its files."""
        self._handles.forget(self.parts.path)
        self._handles.close(str(self.where.root))

    @contextmanager
    def _opened(self, number: int, *, write: bool) -> Iterator[Handle]:
        """A file, for what is done to it seldom; what the system refuses is a StorageError."""
        path = self.paths[number]
        try:
            with self._handles.opened(path, write=write, trusted=self.where.trusted) as handle:
                yield handle
        except OSError as error:
            raise storage_error(error, path) from error

    def _write_parked(self, number: int, begin: int, data: memoryview) -> None:
        with self.where.lock:
            if not self.parking.write(number, begin, data):
                self._write_file(number, begin, data)

    def _write_file(self, number: int, begin: int, data: memoryview) -> None:
        path = self.paths[number]
        try:
            handle = self._handles.acquire(path, write=True, trusted=self.where.trusted)
            try:
                write_all(handle, data, begin)
            finally:
                self._handles.release(handle)
        except OSError as error:
            raise storage_error(error, path) from error
        finally:
            self._written.add(number)
        self._unsynced.note(path)

    def _read_file(self, number: int, begin: int, into: memoryview, flags: int) -> bool:
        """Fill `into`; False when the file is too short, or with `flags` when that would wait."""
        path = self.paths[number]
        try:
            handle = self._handles.acquire(path, write=False, trusted=self.where.trusted)
            try:
                return read_all(handle, into, begin, flags) == len(into)
            finally:
                self._handles.release(handle)
        except BlockingIOError:
            return False
        except OSError as error:
            if flags and error.errno == errno.EOPNOTSUPP:
                self._nowait = 0
                self._in_memory = capabilities.in_memory(Path(path).stat().st_dev)
                return self._in_memory and self._read_file(number, begin, into, 0)
            if isinstance(error, FileNotFoundError) and self.where.moved(number, path):
                return self._read_file(number, begin, into, flags)
            raise storage_error(error, path) from error
