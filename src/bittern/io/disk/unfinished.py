"""Files that carry `.part` behind their name until they are complete and on the disk.

The name tells everybody, programs that watch the folder among them, that the file is not what it will be. A file gets
its own name by a link, then loses the other: after a crash at any moment it is there under one of them or both.
"""

import errno
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from bittern.base.bitfield import Bitfield
from bittern.codec.metainfo import Info

from .atomic import sync_folder
from .opening import open_folder, trusted_above

SUFFIX = ".part"


class Look(NamedTuple):
    """How a file looks.

    Attributes:
        size: bytes.
        mtime_ns: time of its last change.
        identity: device and inode: two names with the same one are one file.
        names: how many it has.
    """

    size: int
    mtime_ns: int
    identity: tuple[int, int]
    names: int = 1

    @classmethod
    def at(cls, path: str) -> "Look | None":
        """What is at `path`; None when there is nothing, or nobody can say."""
        try:
            status = os.lstat(path)
        except OSError:
            return None
        return cls(status.st_size, status.st_mtime_ns, (status.st_dev, status.st_ino), status.st_nlink)


def has_suffix(
    own: Look | None, other: Look | None, *, length: int, known: tuple[int, int] | None, wanted: bool
) -> bool | None:
    """Which of two names a file of a torrent has: whether it is the one with the suffix.

    Args:
        own: what is under its own name.
        other: what is under the name with the suffix.
        length: of the file, when it is complete.
        known: size and time of the file when it was last seen, if that was noted.
        wanted: which it is to be if there is none.

    Returns:
        None when both are there and nothing tells which is ours: neither may be touched.
    """
    if own is None or other is None:
        return wanted if own is other else own is None
    if own.identity == other.identity:
        return False
    matches = [(look.size, look.mtime_ns) == known for look in (own, other)]
    if any(matches):
        return None if all(matches) else matches[1]
    return False if known is None and own.size == length else None


class Unfinished:
    """Which pieces each of the files with a suffix still lacks.

    Args:
        info: of the torrent.
        have: pieces that are stored.
        files: numbers of the files.
    """

    def __init__(self, info: Info, have: Bitfield, files: Iterable[int]) -> None:
        self._have = have.copy()
        self._left: dict[int, int] = {}
        for number in files:
            file = info.files[number]
            pieces = info.geometry.pieces_of(file.offset, file.length)
            self._left[number] = sum(piece not in have for piece in pieces)

    def stored(self, piece: int, files: Sequence[int]) -> None:
        """A piece is stored, of which `files` have bytes."""
        if piece in self._have:
            return
        self._have.add(piece)
        for number in files:
            if number in self._left:
                self._left[number] -= 1

    def complete(self) -> list[int]:
        """Numbers of the files that lack nothing and are not finished."""
        return [number for number, left in self._left.items() if not left]

    def finished(self, number: int) -> None:
        """A file has its own name."""
        self._left.pop(number, None)


def conclude(path: str, trusted: Sequence[str]) -> str:
    """Give the file at `path`, which ends in the suffix, its own name beside the other, and return it.

    The name with the suffix stays, until `drop_suffix`; where the file system knows no hard links, it is gone already.

    Args:
        path: absolute.
        trusted: as for `open_safely`: below these folders no link is followed.

    Raises:
        OSError: EEXIST when another file has that name; else as the system says. The file is as it was.
    """
    folder, _, name = path.rpartition("/")
    target = name.removesuffix(SUFFIX)
    below = trusted_above(path, trusted)
    at = open_folder(below, folder, make=False) if below is not None else None
    try:
        source, own = (name, target) if at is not None else (path, path.removesuffix(SUFFIX))
        try:
            os.link(source, own, src_dir_fd=at, dst_dir_fd=at, follow_symlinks=False)
        except (FileExistsError, FileNotFoundError):
            raise
        except (OSError, NotImplementedError):
            if os.path.lexists(path.removesuffix(SUFFIX)):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), own) from None
            os.rename(source, own, src_dir_fd=at, dst_dir_fd=at)
    finally:
        if at is not None:
            os.close(at)
    sync_folder(folder)
    return path.removesuffix(SUFFIX)


def drop_suffix(path: str) -> None:
    """Take the name with the suffix from a file that is at `path` under its own."""
    with suppress(OSError):  # where there are no hard links it is gone; where it stays, the next start finds it
        Path(path + SUFFIX).unlink()
