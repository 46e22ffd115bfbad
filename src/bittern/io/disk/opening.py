"""Opening files of a torrent without following links that are not ours.

A torrent's folder may be writable for others, or hold links from before: a link in the place of a file or folder
must lead no write outside. Components below a trusted folder are walked one by one (openat), none of them a link.
"""

import errno
import os
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from io import FileIO

_EXTRA = (
    getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)  # a FIFO in the place of a file must not hang a thread
    | getattr(os, "O_BINARY", 0)
)
_FOLDER = getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_PATH", 0)
_CAN_WALK = os.open in os.supports_dir_fd and os.mkdir in os.supports_dir_fd  # not on Windows


def open_safely(path: str, flags: int, trusted: Sequence[str] = ()) -> int:
    """Open the regular file at `path`; with O_CREAT, missing folders are made.

    Args:
        path: absolute.
        flags: as for os.open.
        trusted: folders of the user's choice, which may themselves be links. Below the one that holds `path`, no
            component may be a link; where none does, only the last.

    Raises:
        OSError: as os.open; ELOOP or ENOTDIR for a link, EISDIR for what is no regular file.
    """
    below = trusted_above(path, trusted)
    if below is None:
        return _regular(_open_plain(path, flags), path)
    folder, _, name = path.rpartition("/")
    at = open_folder(below, folder, make=bool(flags & os.O_CREAT))
    try:
        return open_in(at, name, flags)
    finally:
        os.close(at)


def trusted_above(path: str, trusted: Sequence[str]) -> str | None:
    """Which of `trusted` holds `path`; None where there is none, or components cannot be walked (Windows)."""
    if not _CAN_WALK:
        return None
    return next((folder for folder in trusted if path.startswith(folder.rstrip("/") + "/")), None)


def open_in(at: int, name: str, flags: int) -> int:
    """Open the regular file `name` in the open folder `at`.

    Raises:
        OSError: as `open_safely`.
    """
    return _regular(os.open(name, flags | _EXTRA, 0o666, dir_fd=at), name)


def open_folder(below: str, path: str, *, make: bool) -> int:
    """Open the folder `path`, which is `below` or under it, following no link under that.

    Raises:
        OSError: as `open_safely`.
    """
    try:
        at = os.open(below, _FOLDER)
    except FileNotFoundError:
        if not make:
            raise
        os.makedirs(below, exist_ok=True)
        at = os.open(below, _FOLDER)
    for folder in path[len(below.rstrip("/")) + 1 :].split("/"):
        if folder:
            try:
                inner = _enter(at, folder, make=make)
            finally:
                os.close(at)
            at = inner
    return at


def reader(trusted: Sequence[str]) -> Callable[[str], FileIO]:
    """What opens files for hashing, as `open_safely` does."""
    return lambda path: FileIO(open_safely(path, os.O_RDONLY, trusted))


def _open_plain(path: str, flags: int) -> int:
    try:
        return os.open(path, flags | _EXTRA, 0o666)
    except FileNotFoundError:
        if not flags & os.O_CREAT:
            raise
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return os.open(path, flags | _EXTRA, 0o666)


def _regular(descriptor: int, path: str) -> int:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EISDIR, "Not a regular file", path)
    return descriptor


def _enter(at: int, folder: str, *, make: bool) -> int:
    flags = _FOLDER | getattr(os, "O_NOFOLLOW", 0)
    try:
        return os.open(folder, flags, dir_fd=at)
    except FileNotFoundError:
        if not make:
            raise
    with suppress(FileExistsError):  # another thread was faster
        os.mkdir(folder, dir_fd=at)
    return os.open(folder, flags, dir_fd=at)
