"""One torrent's bytes in its files: positioned, vectored, dumb. No hashing, no policy, no threads."""

import errno
import os
from collections.abc import Sequence
from pathlib import Path

from bittern.base.errors import StorageError
from bittern.codec.filemap import FileMap
from bittern.codec.metainfo import Info
from bittern.io import capabilities

from .handles import Handle, Handles

_KINDS = {
    errno.ENOSPC: StorageError.Kind.DISK_FULL,
    errno.EDQUOT: StorageError.Kind.DISK_FULL,
    errno.EACCES: StorageError.Kind.PERMISSION,
    errno.EPERM: StorageError.Kind.PERMISSION,
    errno.ENOENT: StorageError.Kind.MISSING,
    errno.EISDIR: StorageError.Kind.NOT_A_FILE,
    errno.ENOTDIR: StorageError.Kind.NOT_A_FILE,
    errno.ELOOP: StorageError.Kind.NOT_A_FILE,
    errno.EEXIST: StorageError.Kind.NOT_A_FILE,
    errno.EROFS: StorageError.Kind.READ_ONLY,
    errno.EFBIG: StorageError.Kind.TOO_LARGE,
}


def storage_error(error: OSError, path: str) -> StorageError:
    """What an OSError means for the user."""
    kind = _KINDS.get(error.errno or 0, StorageError.Kind.IO)
    return StorageError(kind, path, error.strerror or "" if kind is StorageError.Kind.IO else "")


class FileStorage:
    """The files of one torrent.

    Args:
        info: names and lengths.
        folder: where the file, or the root folder, is or goes.
        handles: open files, shared by all torrents.
        paths: where each of `info.files` is, when not below `folder` under its own name.
    """

    def __init__(self, info: Info, folder: Path, handles: Handles, paths: Sequence[str] | None = None) -> None:
        self.map = FileMap(info.files)
        root = folder / info.name if info.multi_file else folder
        self.root = root
        self.paths = list(paths) if paths else [str(root.joinpath(*file.path)) for file in info.files]
        self._info = info
        self._handles = handles
        self._dirty: dict[int, None] = {}
        self._nowait = capabilities.READ_NOWAIT
        self._in_memory: bool | None = None

    def create_empty(self) -> None:
        """Make the folders and files that no piece would make: those without any bytes.

        Raises:
            StorageError: one could not be made.
        """
        for number, file in enumerate(self._info.files):
            if not file.length and not file.pad and file.symlink is None:
                try:
                    self._handles.release(self._handles.acquire(self.paths[number], write=True))
                except OSError as error:
                    raise storage_error(error, self.paths[number]) from error

    def write(self, offset: int, data: memoryview) -> None:
        """Write `data` at `offset` of the torrent; what falls into pads is dropped.

        Raises:
            StorageError: not all of it is in the files.
        """
        at = 0
        for number, begin, length, pad in self.map.spans(offset, len(data)):
            if not pad:
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
                elif not self._read_file(number, begin, part, self._nowait):
                    return False
                at += length
        except StorageError:
            return False  # the reading that may wait meets it again, and reports it
        return True

    def sync(self) -> None:
        """Wait until what was written is on the disk.

        Raises:
            StorageError: the system can not say so for a file.
        """
        for number in list(self._dirty):
            del self._dirty[number]
            try:
                handle = self._handles.acquire(self.paths[number], write=True)
                try:
                    getattr(os, "fdatasync", os.fsync)(handle.fd)
                finally:
                    self._handles.release(handle)
            except OSError as error:
                raise storage_error(error, self.paths[number]) from error

    def close(self) -> None:
        """Close its files."""
        self._handles.close(str(self.root))

    def _write_file(self, number: int, begin: int, data: memoryview) -> None:
        path = self.paths[number]
        try:
            handle = self._handles.acquire(path, write=True)
            try:
                done = 0
                while done < len(data):
                    done += _pwrite(handle, data[done:], begin + done)
            finally:
                self._handles.release(handle)
        except OSError as error:
            raise storage_error(error, path) from error
        self._dirty[number] = None

    def _read_file(self, number: int, begin: int, into: memoryview, flags: int) -> bool:
        """Fill `into`; False when the file is too short, or with `flags` when that would wait."""
        path = self.paths[number]
        try:
            handle = self._handles.acquire(path, write=False)
            try:
                done = 0
                while done < len(into):
                    count = _pread(handle, into[done:] if done else into, begin + done, flags)
                    if not count:
                        return False
                    done += count
            finally:
                self._handles.release(handle)
        except BlockingIOError:
            return False
        except OSError as error:
            if flags and error.errno == errno.EOPNOTSUPP:
                self._nowait = 0
                self._in_memory = capabilities.in_memory(Path(path).stat().st_dev)
                return self._in_memory and self._read_file(number, begin, into, 0)
            raise storage_error(error, path) from error
        return True


def _pwrite(handle: Handle, data: memoryview, offset: int) -> int:
    if capabilities.PREADV:
        return os.pwrite(handle.fd, data, offset)
    with handle.lock:
        os.lseek(handle.fd, offset, os.SEEK_SET)
        return os.write(handle.fd, data)


def _pread(handle: Handle, into: memoryview, offset: int, flags: int) -> int:
    if capabilities.PREADV:
        return os.preadv(handle.fd, [into], offset, flags)
    with handle.lock:
        os.lseek(handle.fd, offset, os.SEEK_SET)
        data = os.read(handle.fd, len(into))
    into[: len(data)] = data
    return len(data)
