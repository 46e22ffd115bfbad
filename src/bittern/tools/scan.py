"""What a file or folder holds, in the order in which a torrent lists it."""

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, unique
from pathlib import Path

from bittern.base.errors import BitternError

MAX_DEPTH = 90
"""Folders inside each other: a file tree nests as deep, and decoders stop at 100 (`codec.bencode.Limits`)."""


class ContentError(BitternError):
    """Files cannot become a torrent as they are, or changed while they were read; the message says which."""


@unique
class Symlinks(Enum):
    """What becomes of symbolic links."""

    FOLLOW = "follow"
    """Their targets are stored in their place."""
    KEEP = "keep"
    """Links within the content stay links (BEP 47); others are refused."""
    SKIP = "skip"
    """They are left out."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to put into a torrent.

    Attributes:
        path: where it is.
        parts: its path below the torrent's root; `(name,)` for a single file.
        size: bytes; 0 for a link.
        mtime_ns: when it was last changed, to notice a change.
        executable: by its owner.
        hidden: its name begins with a dot.
        symlink: the target's path below the torrent's root; None for a real file.
    """

    path: str
    parts: tuple[str, ...]
    size: int
    mtime_ns: int
    executable: bool = False
    hidden: bool = False
    symlink: tuple[str, ...] | None = None

    @property
    def shown(self) -> str:
        """The path below the root, for messages."""
        return "/".join(self.parts)

    def unchanged(self) -> bool:
        """Whether size and time of change are still those of the scan."""
        if self.symlink is not None:
            return Path(self.path).is_symlink()
        try:
            now = os.stat(self.path)  # noqa: PTH116 - paths stay text: 100,000 Path objects cost a second
        except OSError:
            return False
        return (now.st_size, now.st_mtime_ns) == (self.size, self.mtime_ns)


@dataclass(frozen=True, slots=True)
class Content:
    """What `scan` found.

    Attributes:
        name: of the file or root folder.
        multi_file: whether it is a folder.
        files: in the order of BEP 52, which v1 lists too: by the bytes of each path component.
    """

    name: str
    multi_file: bool
    files: tuple[SourceFile, ...]

    @property
    def total_size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


def scan(
    root: Path,
    *,
    symlinks: Symlinks = Symlinks.FOLLOW,
    excluded: Callable[[str], bool] = lambda _: False,
) -> Content:
    """List the file or folder `root`.

    Args:
        root: the content; links in this path itself are always followed.
        symlinks: what becomes of links below it.
        excluded: told the path below `root` of each file and folder; true leaves it out.

    Raises:
        ContentError: nothing to share, a device or socket among the files, a name that is not UTF-8, a
            link that leads out or nowhere.
        OSError: a folder cannot be read.
    """
    root = root.resolve(strict=True)
    status = root.stat()
    if stat.S_ISREG(status.st_mode):
        return Content(_checked(root.name, str(root)), False, (_file(str(root), (root.name,), status),))
    if not stat.S_ISDIR(status.st_mode):
        raise ContentError(f"{root}: neither a file nor a folder; name one of these")
    if not root.name:
        raise ContentError(f"{root}: a torrent needs a name; name a folder below it")
    files = list(_walk(root, symlinks, excluded))
    if not any(file.symlink is None for file in files):
        raise ContentError(f"{root}: there is no file in this folder; a torrent needs at least one")
    files.sort(key=lambda file: [part.encode() for part in file.parts])
    return Content(_checked(root.name, str(root)), True, tuple(files))


def _walk(root: Path, symlinks: Symlinks, excluded: Callable[[str], bool]) -> Iterator[SourceFile]:
    folders: list[tuple[str, tuple[str, ...], frozenset[tuple[int, int]]]] = [(str(root), (), frozenset())]
    while folders:
        folder, parts, above = folders.pop()
        here = os.stat(folder)  # noqa: PTH116 - text paths, as above
        inside = above | {(here.st_dev, here.st_ino)}
        if len(parts) >= MAX_DEPTH:
            raise ContentError(f"{folder}: more than {MAX_DEPTH} folders deep; move it up")
        with os.scandir(folder) as entries:
            for entry in entries:
                path = (*parts, _checked(entry.name, entry.path))
                if excluded("/".join(path)):
                    continue
                if entry.is_symlink() and symlinks is not Symlinks.FOLLOW:
                    if symlinks is Symlinks.KEEP:
                        yield _link(root, entry.path, path)
                    continue
                status = _target(entry)
                if stat.S_ISREG(status.st_mode):
                    yield _file(entry.path, path, status)
                elif not stat.S_ISDIR(status.st_mode):
                    raise ContentError(f"{entry.path}: not a regular file; exclude it or move it away")
                elif (status.st_dev, status.st_ino) in inside:
                    raise ContentError(f"{entry.path}: the link leads back to a folder above it; remove it")
                else:
                    folders.append((entry.path, path, inside))


def _target(entry: "os.DirEntry[str]") -> os.stat_result:
    try:
        return entry.stat()
    except FileNotFoundError:
        raise ContentError(f"{entry.path}: the link leads nowhere; mend or remove it") from None


def _file(path: str, parts: tuple[str, ...], status: os.stat_result) -> SourceFile:
    return SourceFile(
        path,
        parts,
        status.st_size,
        status.st_mtime_ns,
        executable=bool(status.st_mode & stat.S_IXUSR),
        hidden=parts[-1].startswith("."),
    )


def _link(root: Path, path: str, parts: tuple[str, ...]) -> SourceFile:
    target = Path(path).resolve()
    if not target.is_relative_to(root) or target == root or not target.exists():
        raise ContentError(f"{path}: the link leads out of {root.name} or nowhere; follow, skip or remove it")
    status = os.lstat(path)
    below = target.relative_to(root).parts
    return SourceFile(path, parts, 0, status.st_mtime_ns, hidden=parts[-1].startswith("."), symlink=below)


def _checked(name: str, path: str) -> str:
    try:
        name.encode()
    except UnicodeEncodeError:
        raise ContentError(f"{path}: the name is not UTF-8, which torrents require; rename it") from None
    return name
