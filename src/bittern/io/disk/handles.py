"""Open files of all torrents: a bounded number, the least used closed first, safe to use from several threads."""

import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from bittern.io import capabilities

from .opening import open_safely


@dataclass(slots=True, eq=False)
class Handle:
    """An open file. Held between `Handles.acquire` and `Handles.release`."""

    fd: int
    writable: bool
    users: int = 0
    stale: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)
    """For platforms where reading at a position takes two steps."""


class Handles:
    """Files kept open for reuse.

    Args:
        limit: open files at most, while none more are in use at once.
    """

    def __init__(self, limit: int = 128) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._open: OrderedDict[str, Handle] = OrderedDict()

    def acquire(self, path: str, *, write: bool, trusted: Sequence[str] = ()) -> Handle:
        """The open file at `path`; created, with its folders, when it is opened for writing and missing.

        Args:
            path: absolute.
            write: for writing, too.
            trusted: folders below which no component may be a link (see `open_safely`).

        Raises:
            OSError: as os.open; a symbolic link is not followed.
        """
        with self._lock:
            handle = self._open.get(path)
            if handle is not None and (handle.writable or not write):
                handle.users += 1
                self._open.move_to_end(path)
                return handle
        fd = open_safely(path, os.O_RDWR | os.O_CREAT if write else os.O_RDONLY, trusted)
        with self._lock:
            known = self._open.get(path)
            if known is not None and (known.writable or not write):
                os.close(fd)  # another thread was faster
                known.users += 1
                return known
            if known is not None:
                self._retire(path, known)
            handle = Handle(fd, writable=write, users=1)
            self._open[path] = handle
            self._trim()
            return handle

    def release(self, handle: Handle) -> None:
        """The file is not used any more by this caller."""
        with self._lock:
            handle.users -= 1
            if handle.stale and not handle.users:
                os.close(handle.fd)

    def forget(self, path: str) -> None:
        """Close the file at `path`, which is another one, or none, from now on."""
        with self._lock:
            handle = self._open.get(path)
            if handle is not None:
                self._retire(path, handle)

    def close(self, prefix: str = "") -> None:
        """Close the files whose path begins with `prefix`."""
        with self._lock:
            for path in [path for path in self._open if path.startswith(prefix)]:
                self._retire(path, self._open[path])

    def _retire(self, path: str, handle: Handle) -> None:
        del self._open[path]
        handle.stale = True
        if not handle.users:
            os.close(handle.fd)

    def _trim(self) -> None:
        while len(self._open) > self._limit:
            oldest = next((path for path, handle in self._open.items() if not handle.users), None)
            if oldest is None:
                return
            self._retire(oldest, self._open[oldest])


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
