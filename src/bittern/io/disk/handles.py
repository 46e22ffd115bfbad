"""Open files of all torrents: a bounded number, the least used closed first, safe to use from several threads."""

import errno
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from bittern.io import capabilities

from .opening import open_folder, open_in, open_safely, trusted_above

_FOLDERS = 8  # kept open
_TOO_MANY = (errno.EMFILE, errno.ENFILE)
LOOK_SECONDS = 5.0
"""After so long it is seen to that an open file is still the one under its name."""


@dataclass(slots=True, eq=False)
class Handle:
    """An open file. Held between `Handles.acquire` and `Handles.release`."""

    fd: int
    writable: bool
    users: int = 0
    stale: bool = False
    identity: tuple[int, int] = (0, 0)
    """Device and inode."""
    seen_at: float = 0.0
    """When it was known to be under its name."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    """For platforms where reading at a position takes two steps."""


class Handles:
    """Files kept open for reuse.

    Args:
        limit: open files at most, while none more are in use at once.
        clock: monotonic seconds.
    """

    def __init__(self, limit: int = 128, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._lock = threading.Lock()
        self._open: OrderedDict[str, Handle] = OrderedDict()
        self._replaced: set[str] = set()
        self._folders: OrderedDict[str, Handle] = OrderedDict()  # to open files in: walking there costs more

    def acquire(self, path: str, *, write: bool, trusted: Sequence[str] = ()) -> Handle:
        """The open file at `path`; created, with its folders, when it is opened for writing and missing.

        Args:
            path: absolute.
            write: for writing, too.
            trusted: folders below which no component may be a link (see `open_safely`).

        Raises:
            OSError: as os.open; a symbolic link is not followed. ESTALE when another file, or none, took the place of
                the one that was open; so it stays until `forget` or `close`.
        """
        now = self._clock()
        with self._lock:
            handle = self._open.get(path)
            if path in self._replaced or (handle is not None and not self._is_there(path, handle, now)):
                raise OSError(errno.ESTALE, "Another file, or none, took its place", path)
            if handle is not None and (handle.writable or not write):
                handle.users += 1
                self._open.move_to_end(path)
                return handle
        fd = self._open_somehow(path, os.O_RDWR | os.O_CREAT if write else os.O_RDONLY, trusted)
        with self._lock:
            known = self._open.get(path)
            if known is not None and (known.writable or not write):
                os.close(fd)  # another thread was faster
                known.users += 1
                return known
            if known is not None:
                self._retire(self._open, path)
            handle = Handle(fd, writable=write, users=1, identity=_identity(os.fstat(fd)), seen_at=now)
            self._open[path] = handle
            self._trim()
            return handle

    def release(self, handle: Handle) -> None:
        """The file is not used any more by this caller."""
        with self._lock:
            handle.users -= 1
            if handle.stale and not handle.users:
                os.close(handle.fd)

    @contextmanager
    def opened(self, path: str, *, write: bool, trusted: Sequence[str] = ()) -> Iterator[Handle]:
        """The file from `acquire` to `release`, for what is done seldom: this costs some calls more."""
        handle = self.acquire(path, write=write, trusted=trusted)
        try:
            yield handle
        finally:
            self.release(handle)

    def forget(self, path: str) -> None:
        """Close the file at `path`, which is another one, or none, from now on."""
        with self._lock:
            self._replaced.discard(path)
            handle = self._open.get(path)
            if handle is not None:
                self._retire(self._open, path)

    def close(self, prefix: str = "") -> None:
        """Close the files whose path begins with `prefix`."""
        with self._lock:
            self._replaced = {path for path in self._replaced if not path.startswith(prefix)}
            for path in [path for path in self._open if path.startswith(prefix)]:
                self._retire(self._open, path)
            for path in list(self._folders):
                self._retire(self._folders, path)

    def _is_there(self, path: str, handle: Handle, now: float) -> bool:
        """Whether an open file is still under its name; looked at now and then."""
        if now - handle.seen_at >= LOOK_SECONDS:
            try:
                there = _identity(os.lstat(path)) == handle.identity
            except OSError:
                there = False
            if not there:
                self._retire(self._open, path)
                self._replaced.add(path)
                return False
            handle.seen_at = now
        return True

    def _open_somehow(self, path: str, flags: int, trusted: Sequence[str]) -> int:
        """As `_open_file`; where the system allows no more open files, some of ours give way."""
        while True:
            try:
                return self._open_file(path, flags, trusted)
            except OSError as error:
                if error.errno not in _TOO_MANY or not self._give_way():
                    raise

    def _give_way(self) -> bool:
        """Close the less used half of the files that nobody uses just now, or else of the folders; whether it did."""
        with self._lock:
            files = [path for path, handle in self._open.items() if not handle.users]
            for path in files[: (len(files) + 1) // 2]:
                self._retire(self._open, path)
            # The last folder stays: it may be the one that the file is to be opened in.
            folders = [path for path, handle in self._folders.items() if not handle.users and not files]
            for path in folders[: len(folders) // 2]:
                self._retire(self._folders, path)
        return bool(files) or len(folders) > 1

    def _open_file(self, path: str, flags: int, trusted: Sequence[str]) -> int:
        below = trusted_above(path, trusted)
        if below is None:
            return open_safely(path, flags, trusted)
        place, _, name = path.rpartition("/")
        with self._lock:
            folder = self._folders.get(place)
            if folder is not None:
                folder.users += 1
        if folder is not None:
            try:
                if _identity(os.stat(place)) == folder.identity:  # noqa: PTH116 - plain strings on a warm path
                    return open_in(folder.fd, name, flags)
            except FileNotFoundError:  # perhaps the folder itself is gone
                pass
            finally:
                self.release(folder)
        fd = open_folder(below, place, make=bool(flags & os.O_CREAT))
        folder = Handle(fd, writable=False, users=1, identity=_identity(os.fstat(fd)))
        with self._lock:
            if place in self._folders:
                self._retire(self._folders, place)
            self._folders[place] = folder
            if len(self._folders) > _FOLDERS:
                self._retire(self._folders, next(iter(self._folders)))
        try:
            return open_in(folder.fd, name, flags)
        finally:
            self.release(folder)

    @staticmethod
    def _retire(table: MutableMapping[str, Handle], path: str) -> None:
        handle = table.pop(path)
        handle.stale = True
        if not handle.users:
            os.close(handle.fd)

    def _trim(self) -> None:
        while len(self._open) > self._limit:
            oldest = next((path for path, handle in self._open.items() if not handle.users), None)
            if oldest is None:
                return
            self._retire(self._open, oldest)


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def pwrite(handle: Handle, data: memoryview, offset: int) -> int:
    """Write some of `data` at `offset`; how much."""
    if capabilities.PREADV:
        return os.pwrite(handle.fd, data, offset)
    with handle.lock:
        os.lseek(handle.fd, offset, os.SEEK_SET)
        return os.write(handle.fd, data)


def pread(handle: Handle, into: memoryview, offset: int, flags: int) -> int:
    """Read some bytes at `offset`; how many, 0 at the end of the file."""
    if capabilities.PREADV:
        return os.preadv(handle.fd, [into], offset, flags)
    with handle.lock:
        os.lseek(handle.fd, offset, os.SEEK_SET)
        data = os.read(handle.fd, len(into))
    into[: len(data)] = data
    return len(data)


def write_all(handle: Handle, data: memoryview, offset: int) -> None:
    """Write `data` at `offset`."""
    done = 0
    while done < len(data):
        done += pwrite(handle, data[done:], offset + done)


def read_all(handle: Handle, into: memoryview, offset: int, flags: int = 0) -> int:
    """Fill `into` from `offset` on; how many bytes came: fewer than it holds where the file ends."""
    done = 0
    while done < len(into) and (count := pread(handle, into[done:] if done else into, offset + done, flags)):
        done += count
    return done
