"""The files of a torrent as its info dictionary lists them, and where each lies in the byte space."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bittern.base.errors import MetainfoError

from .bencode import INTEGER_MAX, Value
from .merkle import HASH_BYTES
from .paths import MAX_DEPTH, distinct_paths, safe_path


@dataclass(frozen=True, slots=True)
class File:
    """One file of a torrent.

    Attributes:
        path: safe components below the torrent's root folder; `(name,)` in a single-file torrent.
        length: bytes; 0 for a symlink.
        offset: of its first byte in the torrent's byte space, in which pads count.
        pad: filler of zeros that aligns the next file to a piece (BEP 47); never stored, shown or asked for.
        executable: attribute `x` of BEP 47.
        hidden: attribute `h` of BEP 47.
        symlink: safe components of the target below the torrent's root (BEP 47); None for a real file.
        pieces_root: root of the file's merkle tree (BEP 52); None when empty or not in the v2 part.
    """

    path: tuple[str, ...]
    length: int
    offset: int
    pad: bool = False
    executable: bool = False
    hidden: bool = False
    symlink: tuple[str, ...] | None = None
    pieces_root: bytes | None = None


class Entry(NamedTuple):
    """A file as listed: raw names, no offset yet.

    Attributes:
        names: every spelling of the path that the torrent gives, the best first.
        length: bytes.
        attributes: letters of BEP 47.
        target: raw path of a symlink's target.
        root: of the merkle tree.
    """

    names: tuple[tuple[bytes, ...], ...]
    length: int
    attributes: bytes
    target: tuple[bytes, ...]
    root: bytes | None

    @property
    def pad(self) -> bool:
        """Whether this is filler (BEP 47)."""
        return b"p" in self.attributes


def entries_v1(info: dict[bytes, Value], name: bytes) -> list[Entry]:
    """The files of the v1 part (BEP 3, BEP 47).

    Raises:
        MetainfoError: it does not list its files properly.
    """
    if (b"length" in info) == (b"files" in info):
        raise MetainfoError("info.files", "exactly one of `length` and `files` must be there")
    if b"length" in info:
        return [_entry(info, ((name,),), "info")]
    items = info[b"files"]
    if not isinstance(items, list) or not items:
        raise MetainfoError("info.files", "not a list of files")
    return [_listed(item) for item in items]


def _listed(item: Value) -> Entry:
    if not isinstance(item, dict):
        raise MetainfoError("info.files", "not a list of dictionaries")
    spellings = tuple(filter(None, (_names(item.get(b"path.utf-8")), _names(item.get(b"path")))))
    entry = _entry(item, spellings, "info.files")
    # BEP 47: clients should not require a path on padding files.
    if not spellings and not entry.pad:
        raise MetainfoError("info.files.path", f"not a list of 1..{MAX_DEPTH} names")
    return entry


def entries_v2(tree: Value) -> list[Entry]:
    """The files of a v2 `file tree` (BEP 52), in its order.

    Raises:
        MetainfoError: it is not a tree of files.
    """
    if not isinstance(tree, dict) or b"" in tree:
        raise MetainfoError("info.file tree", "not a folder")
    found: list[Entry] = []
    path: list[bytes] = []
    open_folders = [_in_order(tree)]
    while open_folders:
        for name, node in open_folders[-1]:
            if not name:
                continue  # properties of the folder itself, of which none is known
            if not isinstance(node, dict):
                raise MetainfoError("info.file tree", "an entry is not a dictionary")
            leaf = node.get(b"", {})
            if not isinstance(leaf, dict):
                raise MetainfoError("info.file tree", "the properties of an entry are not a dictionary")
            path.append(name)
            if b"length" in leaf or node.keys() == {b""}:
                if len(node) > 1:
                    raise MetainfoError("info.file tree", "a file has siblings inside itself")
                found.append(_leaf(leaf, tuple(path)))
                path.pop()
            else:
                open_folders.append(_in_order(node))
                break
        else:
            open_folders.pop()
            if path:
                path.pop()
    if not found:
        raise MetainfoError("info.file tree", "no files")
    return found


def _in_order(folder: dict[bytes, Value]) -> Iterator[tuple[bytes, Value]]:
    """What is in a folder of the tree.

    Raises:
        MetainfoError: not in the order of bencode: who sorts it would number the pieces in another way.
    """
    names = list(folder)
    if names != sorted(names):
        raise MetainfoError("info.file tree", "names out of order")
    return iter(folder.items())


def _leaf(leaf: dict[bytes, Value], path: tuple[bytes, ...]) -> Entry:
    entry = _entry(leaf, (path,), "info.file tree")
    if entry.pad:
        raise MetainfoError("info.file tree.attr", "pads do not belong into a file tree")
    if not entry.length:
        return entry
    root = leaf.get(b"pieces root")
    if not isinstance(root, bytes) or len(root) != HASH_BYTES or not any(root):
        raise MetainfoError("info.file tree.pieces root", "not a SHA-256 hash")
    return entry._replace(root=root)


def _entry(item: dict[bytes, Value], names: tuple[tuple[bytes, ...], ...], field: str) -> Entry:
    attributes = item.get(b"attr", b"")
    if not isinstance(attributes, bytes):
        attributes = b""
    if b"l" in attributes:
        target = _names(item.get(b"symlink path"))
        if not target:
            raise MetainfoError(f"{field}.symlink path", "a symlink without a target")
        return Entry(names, 0, attributes, target, None)
    length = item.get(b"length")
    if not isinstance(length, int) or length < 0:
        raise MetainfoError(f"{field}.length", "not a length")
    return Entry(names, length, attributes, (), None)


def _names(value: Value | None) -> tuple[bytes, ...]:
    """`value` as raw path components; empty when it is not a proper path."""
    if not isinstance(value, list) or len(value) > MAX_DEPTH:
        return ()
    names = tuple([name for name in value if isinstance(name, bytes)])
    return names if len(names) == len(value) else ()


def aligned(entries: Sequence[Entry], piece_size: int) -> list[Entry]:
    """`entries` with the gaps of the v2 piece space as pads: every file begins a piece (BEP 52)."""
    last = max((at for at, entry in enumerate(entries) if entry.length), default=0)
    result: list[Entry] = []
    for at, entry in enumerate(entries):
        result.append(entry)
        gap = -entry.length % piece_size
        if gap and at < last:
            result.append(Entry(((b".pad", b"%d" % gap),), gap, b"p", (), None))
    return result


def merged(v1: Sequence[Entry], v2: Sequence[Entry], piece_size: int) -> list[Entry]:
    """The v1 list of a hybrid torrent with the roots of its v2 tree.

    Raises:
        MetainfoError: the two parts do not describe the same bytes (BEP 52).
    """
    expected = iter(v2)
    result: list[Entry] = []
    gap = 0  # bytes of pads since the last file with content
    needed = 0  # bytes from its end to that of its last piece
    for entry in v1:
        if entry.pad:
            gap += entry.length
            result.append(entry)
            continue
        twin = next(expected, None)
        if not twin or not _same(entry, twin):
            raise MetainfoError("info.files", "the v1 and v2 parts list different files")
        if entry.length:
            if gap != needed:
                raise MetainfoError("info.files", "pads do not align the files to pieces")
            gap, needed = 0, -entry.length % piece_size
        result.append(entry._replace(root=twin.root, names=twin.names))
    if next(expected, None) or gap > needed:
        raise MetainfoError("info.files", "the v1 and v2 parts end differently")
    return result


def _same(entry: Entry, twin: Entry) -> bool:
    return entry.length == twin.length and twin.names[0] in entry.names and entry.target == twin.target


def place(entries: Iterable[Entry], encoding: str | None) -> tuple[File, ...]:
    """`entries` as files with safe, distinct paths and their offsets.

    Raises:
        MetainfoError: too many names collide, or the bytes are more than 64 bits count.
    """
    entries = list(entries)
    real = [entry for entry in entries if not entry.pad]
    paths = iter(distinct_paths([safe_path(entry.names[0], encoding) for entry in real]))
    files: list[File] = []
    offset = 0
    for entry in entries:
        attributes = entry.attributes
        if entry.pad:
            files.append(File((".pad", str(entry.length)), entry.length, offset, pad=True))
        elif attributes or entry.root:
            target = safe_path(entry.target, encoding) if entry.target else None
            executable, hidden = b"x" in attributes, b"h" in attributes
            files.append(File(next(paths), entry.length, offset, False, executable, hidden, target, entry.root))
        else:
            files.append(File(next(paths), entry.length, offset))
        offset += entry.length
    if offset > INTEGER_MAX:
        raise MetainfoError("info.files", "more bytes than 63 bits can count")
    return tuple(files)
