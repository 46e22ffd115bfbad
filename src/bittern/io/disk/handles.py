"""Open files of all torrents: a bounded number, the least used closed first, safe to use from several threads."""

import os
import threading
from collections import OrderedDict
from dataclasses import dataclass, field

_EXTRA = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


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

    def acquire(self, path: str, *, write: bool) -> Handle:
        """The open file at `path`; created, with its folders, when it is opened for writing and missing.

        Raises:
            OSError: as os.open; a symbolic link is not followed.
        """
        with self._lock:
            handle = self._open.get(path)
            if handle is not None and (handle.writable or not write):
                handle.users += 1
                self._open.move_to_end(path)
                return handle
        fd = _open(path, write=write)
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


def _open(path: str, *, write: bool) -> int:
    if not write:
        return os.open(path, os.O_RDONLY | _EXTRA)
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | _EXTRA, 0o666)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120 - plain strings on a warm path
        return os.open(path, os.O_RDWR | os.O_CREAT | _EXTRA, 0o666)
