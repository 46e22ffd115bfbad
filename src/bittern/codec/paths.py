"""The one place where names from outside become names of files.

Every file and folder name that a torrent, a magnet link or an API brings goes through `safe_name`. What
comes out cannot leave its folder, hide from the reader, or mean a device on any common file system.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import count
from unicodedata import normalize

from bittern.base.errors import MetainfoError

from .text import decode_text

MAX_NAME_BYTES = 255
"""Bytes of UTF-8 in one file name: the limit of ext4, XFS, APFS and others."""

MAX_DEPTH = 100
"""Components of one path."""

MAX_RENAMED = 500
"""Colliding names in one torrent that are resolved; a torrent with more is hostile."""

_MAX_SUFFIX_BYTES = 32

_PLAIN = re.compile(r"[\w\-()\[\]!&,+@#%'= ~]+(?:\.[\w\-()\[\]!&,+@#%'= ~]+)*", re.ASCII)
_DROPPED = re.compile(
    "[\x00-\x1f\x7f-\x9f/\\\\"  # controls and separators
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # bidi: evil.exe shown as lexe.txt
    "\u2028\u2029\ufeff\ud800-\udfff]"  # line separators, byte order mark, surrogates
)
_RESERVED = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$"}
    | {device + digit for device in ("com", "lpt") for digit in "0123456789\xb9\xb2\xb3"}
)


def safe_name(raw: bytes | str, encoding: str | None = None) -> str:
    """`raw` as the name of one file or folder, at most 255 bytes of UTF-8; empty when nothing is left of it.

    Separators, controls and bidi marks are dropped, `:` becomes `_` (it opens a stream on NTFS), dots and
    spaces at the end go (Windows drops them itself), names made of dots become `_`, device names of Windows
    get a `_` in front, and a name too long loses the end of its stem, not its extension.

    Args:
        raw: the name as it came.
        encoding: as for `decode_text`.
    """
    name = raw if isinstance(raw, str) else decode_text(raw, encoding)
    if not _PLAIN.fullmatch(name):
        name = _DROPPED.sub("", name).replace(":", "_")
        if name and not name.strip(". "):
            return "_"
    name = name.rstrip(". ")
    if name.partition(".")[0].rstrip(" ").lower() in _RESERVED:
        name = "_" + name
    return name if len(name) <= MAX_NAME_BYTES // 4 else _fit(name)


def safe_path(parts: Iterable[bytes | str], encoding: str | None = None) -> tuple[str, ...]:
    """`parts` as a relative path of safe components; never empty.

    Parts that are empty are left out; parts of which nothing is left become `_`.
    """
    names = tuple([part for part in parts if part]) or ("_",)
    return (*_safe_folders(names[:-1], encoding), safe_name(names[-1], encoding) or "_")


@lru_cache(maxsize=1024)  # the files of a folder come together
def _safe_folders(folders: tuple[bytes | str, ...], encoding: str | None) -> tuple[str, ...]:
    return tuple([safe_name(folder, encoding) or "_" for folder in folders])


def distinct_paths(paths: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Safe `paths` of files with every collision resolved, order kept.

    No two results are equal, and none is a folder of another, on file systems that ignore case or
    normalise Unicode too. The later file of two gets a number before its extension: `a.txt`, `a.1.txt`.

    Raises:
        MetainfoError: more than 500 collisions.
    """
    keys = [_fold("/".join(path)) for path in paths]
    folders: set[str] = set()
    for key in keys:
        folder = key.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    free = set(keys)
    if len(free) == len(keys) and folders.isdisjoint(free):
        return list(paths)
    return _renamed(paths, keys, folders)


def _renamed(paths: Sequence[tuple[str, ...]], keys: list[str], folders: set[str]) -> list[tuple[str, ...]]:
    taken = folders.copy()
    forbidden = folders.union(keys)
    numbers: dict[str, Iterator[int]] = {}
    result: list[tuple[str, ...]] = []
    renamed = 0
    for path, key in zip(paths, keys, strict=True):
        if key not in taken:
            taken.add(key)
            result.append(path)
            continue
        renamed += 1
        if renamed > MAX_RENAMED:
            raise MetainfoError("info.files", f"more than {MAX_RENAMED} file names collide")
        fresh, candidate = path, key
        while candidate in forbidden:
            fresh = (*path[:-1], _numbered(path[-1], next(numbers.setdefault(key, count(1)))))
            candidate = _fold("/".join(fresh))
        forbidden.add(candidate)
        result.append(fresh)
    return result


def _fold(path: str) -> str:
    """The form in which paths are compared: caseless and canonical (Unicode 3.13, D145)."""
    return path.lower() if path.isascii() else normalize("NFD", normalize("NFD", path).casefold())


def _numbered(name: str, number: int) -> str:
    stem, suffix = _split(name)
    return _fit(f"{stem}.{number}{suffix}", f".{number}{suffix}")


def _split(name: str) -> tuple[str, str]:
    """Stem and extension with its dot; the extension is empty when there is none worth keeping."""
    stem, dot, extension = name.rpartition(".")
    if not stem or len(extension.encode()) >= _MAX_SUFFIX_BYTES:
        return name, ""
    return stem, dot + extension


def _fit(name: str, suffix: str | None = None) -> str:
    """`name` within 255 bytes of UTF-8, shortened before `suffix`, which is its extension by default."""
    raw = name.encode()
    if len(raw) <= MAX_NAME_BYTES:
        return name
    end = (_split(name)[1] if suffix is None else suffix).encode()
    stem = raw[: len(raw) - len(end)][: MAX_NAME_BYTES - len(end)]
    short = (stem + end).decode(errors="ignore")
    return short if end else short.rstrip(". ") or "_"
