"""Moving one file: a rename where that is possible, else copy, sync, rename, delete; a whole file at every instant.

A copy is made under another name and takes the file's own only when its bytes are on the disk; the source goes after
that. So whoever goes on after a crash knows: what has its final name is complete.
"""

import errno
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from threading import Event

from .atomic import sync_folder

_STEP = 1 << 20


class MoveStoppedError(Exception):
    """`stop` was set; source and target are as they were."""


def draft_of(path: str) -> str:
    """The name under which a copy is made."""
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name[:60]}.bittern-move")


def carry(
    source: str,
    target: str,
    switch: Callable[[], None],
    lock: AbstractContextManager[object],
    stop: Event,
    progress: Callable[[int], None],
) -> None:
    """Make `target` what `source` is, and `source` nothing. May be repeated after a crash. Blocks.

    Args:
        source: a regular file; when there is none, nothing is to be done.
        target: where it goes; missing folders are made.
        switch: called when the file is at `target`; users look there from now on.
        lock: held while the file changes its place, `switch` included.
        stop: when set, ends it early.
        progress: told the bytes of a copy as they are written.

    Raises:
        MoveStoppedError: `stop` was set.
        OSError: EEXIST if something else is at `target`; else as the system says. The source is as it was.
    """
    if not os.path.lexists(source):
        with lock:
            switch()
        return
    if stop.is_set():
        raise MoveStoppedError
    if os.path.lexists(target):
        if not _is_copy(source, target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target)
        with lock:  # a crash came between the last two steps
            switch()
            os.unlink(source)
        return
    os.makedirs(os.path.dirname(target), exist_ok=True)
    try:
        with lock:
            os.rename(source, target)
            switch()
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
    else:
        sync_folder(os.path.dirname(target))
        return
    draft = draft_of(target)
    try:
        _copy(source, draft, stop, progress)
    except BaseException:
        with suppress(OSError):
            os.unlink(draft)
        raise
    with lock:
        os.rename(draft, target)
        sync_folder(os.path.dirname(target))
        switch()
        os.unlink(source)


def _is_copy(source: str, target: str) -> bool:
    before, after = os.lstat(source), os.lstat(target)
    return (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)


def _copy(source: str, draft: str, stop: Event, progress: Callable[[int], None]) -> None:
    """Copy bytes, holes, times and permissions; they are on the disk when this returns."""
    nofollow = getattr(os, "O_NOFOLLOW", 0)
    with suppress(FileNotFoundError):
        os.unlink(draft)  # of a crash
    with (
        open(source, "rb", buffering=0, opener=lambda path, flags: os.open(path, flags | nofollow)) as old,
        open(draft, "xb", buffering=0) as new,
    ):
        status = os.fstat(old.fileno())
        new.truncate(status.st_size)
        buffer = memoryview(bytearray(_STEP))
        at = _next_data(old.fileno(), 0, status.st_size)
        while at < status.st_size:
            if stop.is_set():
                raise MoveStoppedError
            old.seek(at)
            count = old.readinto(buffer)
            if not count:
                raise OSError(errno.EIO, "shorter than it was", source)
            new.seek(at)
            done = 0
            while done < count:
                done += new.write(buffer[done:count])
            progress(count)
            at = _next_data(old.fileno(), at + count, status.st_size)
        os.chmod(draft, status.st_mode & 0o7777)
        new.flush()
        os.utime(draft, ns=(status.st_atime_ns, status.st_mtime_ns))
        os.fsync(new.fileno())


def _next_data(descriptor: int, at: int, size: int) -> int:
    """Where the next bytes are that are no hole; `size` when there are none."""
    whence = getattr(os, "SEEK_DATA", None)
    if whence is None or at >= size:
        return at
    try:
        return os.lseek(descriptor, at, whence)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return size
        return at  # the file system knows no holes
