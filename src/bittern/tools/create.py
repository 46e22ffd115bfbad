"""Make torrents: v1 (BEP 3), v2 (BEP 52), or hybrids of both, which pad files align (BEP 47)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, unique
from threading import Event

from bittern.base.errors import BitternError
from bittern.base.geometry import BLOCK
from bittern.codec.bencode import encode
from bittern.codec.info import MAX_PIECES
from bittern.codec.merkle import piece_level, subtree_root, tree_width
from bittern.codec.metainfo import Metainfo
from bittern.io.disk.hashing import HashJob, HashResult, hash_pieces
from bittern.io.disk.spans import Span, Trouble
from bittern.version import __version__

from .scan import Content, ContentError, SourceFile

MIN_PIECE_SIZE = BLOCK
MAX_PIECE_SIZE = 128 * 1024 * 1024
"""Beyond it other clients refuse a torrent."""
_AUTO_MAX = 16 * 1024 * 1024
_AUTO_PIECES = 2048

Progress = Callable[[int, int], None]
"""Told bytes done and bytes in all, after every few pieces."""


class CreateError(BitternError):
    """The options do not make a torrent; the message says what to change."""


@unique
class Version(Enum):
    """Which BitTorrent the torrent is for."""

    V1 = "v1"
    V2 = "v2"
    HYBRID = "hybrid"

    @property
    def has_v1(self) -> bool:
        """Whether clients of BEP 3 can use it."""
        return self is not Version.V2

    @property
    def has_v2(self) -> bool:
        """Whether it has the merkle trees of BEP 52."""
        return self is not Version.V1


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateOptions:
    """What goes into a torrent beside the files.

    Attributes:
        version: for which clients.
        piece_size: bytes, a power of two of at least 16 KiB; None to fit the content.
        trackers: URLs by tier (BEP 12).
        web_seeds: URLs of HTTP servers that have the files (BEP 19).
        nodes: host and port of nodes of the distributed hash table to begin with (BEP 5); none where it is private.
        private: no peers but those of the trackers (BEP 27).
        source: a tag that makes the info hash differ from that of the same files elsewhere.
        comment: for people.
        created_by: the program; None leaves it out.
        creation_date: seconds since 1970; None leaves it out.
        similar: info hashes (20 or 32 bytes) of torrents that share files (BEP 38).
        collections: names of collections (BEP 38).
    """

    version: Version = Version.HYBRID
    piece_size: int | None = None
    trackers: Sequence[Sequence[str]] = ()
    web_seeds: Sequence[str] = ()
    nodes: Sequence[tuple[str, int]] = ()
    private: bool = False
    source: str | None = None
    comment: str | None = None
    created_by: str | None = f"bittern/{__version__}"
    creation_date: int | None = None
    similar: Sequence[bytes] = ()
    collections: Sequence[str] = ()

    def __post_init__(self) -> None:
        size = self.piece_size
        if size is not None and not (MIN_PIECE_SIZE <= size <= MAX_PIECE_SIZE and size & (size - 1) == 0):
            raise CreateError(f"pieces of {size} bytes: take a power of two from 16k to 128M")
        if self.private and self.nodes:
            raise CreateError("a private torrent is in no distributed hash table: it names no nodes of one")
        if any(len(info_hash) not in (20, 32) for info_hash in self.similar):
            raise CreateError("a similar torrent is named by its info hash: 40 or 64 hexadecimal digits")


@dataclass(frozen=True, slots=True)
class Created:
    """A new torrent.

    Attributes:
        data: the .torrent file.
        metainfo: the same, parsed.
        renamed: files (as on disk, as stored) whose names other systems do not allow, so that they will be
            downloaded under another name.
    """

    data: bytes
    metainfo: Metainfo
    renamed: tuple[tuple[str, str], ...]


def auto_piece_size(total_size: int) -> int:
    """The least power of two that makes at most 2048 pieces, within 16 KiB and 16 MiB."""
    size = 1 << max(0, -(-total_size // _AUTO_PIECES) - 1).bit_length()
    return min(max(size, MIN_PIECE_SIZE), _AUTO_MAX)


def create(
    content: Content,
    options: CreateOptions,
    *,
    threads: int | None = None,
    progress: Progress = lambda _done, _total: None,
    stop: Event | None = None,
) -> Created:
    """Read and hash `content` and make its torrent.

    Args:
        content: from `scan`.
        options: what else goes in.
        threads: to hash with; None for one for each processor.
        progress: told how far it is.
        stop: when set from another thread, ends it with ContentError.

    Raises:
        CreateError: too many pieces of the size asked for.
        ContentError: a file cannot be read or changed meanwhile, or it was stopped.
    """
    piece_size = options.piece_size or auto_piece_size(content.total_size)
    layout = _Layout(content, piece_size, options.version)
    if not layout.files:
        raise ContentError(f"{content.name}: all files are empty; a torrent needs at least one byte")
    if layout.piece_count > MAX_PIECES:
        raise CreateError(f"{layout.piece_count} pieces, but {MAX_PIECES} is the limit: take larger pieces")
    pieces, roots = bytearray(), bytearray()
    done, total = 0, layout.total_length
    for result in hash_pieces(layout.jobs(), threads=threads, stop=stop):
        _check(result)
        pieces += result.sha1 or b""
        roots += result.root or b""
        done += result.length
        progress(done, total)
    if stop is not None and stop.is_set() and done < total:
        raise ContentError("stopped before all files were hashed")
    for file in content.files:
        if not file.unchanged():
            raise ContentError(f"{file.path}: changed while it was hashed; run it again when nobody writes to it")
    data = _assemble(content, options, layout, bytes(pieces), bytes(roots))
    metainfo = Metainfo.from_bytes(data)
    return Created(data, metainfo, _renamed(content, metainfo))


class _Layout:
    """Where the files lie in the pieces."""

    def __init__(self, content: Content, piece_size: int, version: Version) -> None:
        self.piece_size = piece_size
        self.version = version
        self.files = [file for file in content.files if file.size]
        self.padded = version is Version.HYBRID and content.multi_file

    def pad(self, file: SourceFile) -> int:
        """Zeros between `file` and the next."""
        return -file.size % self.piece_size if self.padded and file is not self.files[-1] else 0

    @property
    def total_length(self) -> int:
        """Bytes to hash, pads included."""
        return sum(file.size + self.pad(file) for file in self.files)

    @property
    def piece_count(self) -> int:
        """Pieces of the torrent."""
        if self.version.has_v2:
            return sum(self.pieces_in(file) for file in self.files)
        return -(-self.total_length // self.piece_size)

    def pieces_in(self, file: SourceFile) -> int:
        """Pieces of a file that begins one."""
        return -(-file.size // self.piece_size)

    def jobs(self) -> Iterator[HashJob]:
        """Every piece, in order."""
        return self._aligned_jobs() if self.version.has_v2 else self._packed_jobs()

    def _aligned_jobs(self) -> Iterator[HashJob]:
        piece = 0
        for file in self.files:
            width = tree_width(file.size, self.piece_size)
            for offset in range(0, file.size, self.piece_size):
                length = min(self.piece_size, file.size - offset)
                spans = [Span(file.path, offset, length)]
                if length < self.piece_size and (pad := self.pad(file)):
                    spans.append(Span(None, 0, pad))
                yield HashJob(piece, spans, sha1=self.version.has_v1, leaves=width)
                piece += 1

    def _packed_jobs(self) -> Iterator[HashJob]:
        piece = 0
        spans: list[Span] = []
        room = self.piece_size
        for file in self.files:
            offset = 0
            while offset < file.size:
                length = min(room, file.size - offset)
                spans.append(Span(file.path, offset, length))
                offset, room = offset + length, room - length
                if not room:
                    yield HashJob(piece, spans)
                    piece, spans, room = piece + 1, [], self.piece_size
        if spans:
            yield HashJob(piece, spans)


def _check(result: HashResult) -> None:
    for fault in result.faults:
        if fault.trouble is Trouble.SHORT:
            raise ContentError(f"{fault.path}: changed while it was hashed; run it again when nobody writes to it")
        detail = f" ({fault.detail})" if fault.detail else ""
        raise ContentError(f"{fault.path}: {fault.trouble.value}{detail}; mend or exclude it")


def _renamed(content: Content, metainfo: Metainfo) -> tuple[tuple[str, str], ...]:
    stored = [file for file in metainfo.info.files if not file.pad]
    pairs = zip(content.files, stored, strict=True)
    return tuple((file.shown, "/".join(safe.path)) for file, safe in pairs if file.parts != safe.path)


def _assemble(content: Content, options: CreateOptions, layout: _Layout, pieces: bytes, roots: bytes) -> bytes:
    """The .torrent file around the hashes."""
    info: dict[str, object] = {"name": content.name, "piece length": layout.piece_size}
    top: dict[str, object] = {"info": info}
    if options.version.has_v1:
        info["pieces"] = pieces
        info.update(_file_list(content, layout) if content.multi_file else _described(content.files[0]))
    if options.version.has_v2:
        tree, layers = _file_tree(content, layout, roots)
        info.update({"meta version": 2, "file tree": tree})
        top["piece layers"] = layers
    optional = {"source": options.source, "similar": [*options.similar], "collections": [*options.collections]}
    info.update({key: value for key, value in optional.items() if value})
    if options.private:
        info["private"] = 1
    return encode(top | _outside(options))


def _outside(options: CreateOptions) -> dict[str, object]:
    """What is not part of the info hash."""
    tiers = [list(tier) for tier in options.trackers if tier]
    found: dict[str, object | None] = {
        "announce": tiers[0][0] if tiers else None,
        "announce-list": tiers if sum(map(len, tiers)) > 1 else None,
        "url-list": list(options.web_seeds) or None,
        "nodes": [list(node) for node in options.nodes] or None,
        "comment": options.comment or None,
        "created by": options.created_by or None,
        "creation date": options.creation_date,
    }
    return {key: value for key, value in found.items() if value is not None}


def _file_list(content: Content, layout: _Layout) -> dict[str, object]:
    """The `files` of a v1 or hybrid torrent."""
    listed: list[dict[str, object]] = []
    for file in content.files:
        listed.append({"path": list(file.parts), **_described(file)})
        if file.size and (pad := layout.pad(file)):
            listed.append({"attr": "p", "length": pad, "path": [".pad", str(pad)]})
    return {"files": listed}


def _described(file: SourceFile) -> dict[str, object]:
    attributes = "x" * file.executable + "h" * file.hidden + "l" * (file.symlink is not None)
    found: dict[str, object] = {"length": file.size}
    if attributes:
        found["attr"] = attributes
    if file.symlink is not None:
        found["symlink path"] = list(file.symlink)
    return found


def _file_tree(content: Content, layout: _Layout, roots: bytes) -> tuple[dict[str, object], dict[bytes, bytes]]:
    """The `file tree` and the piece layers (BEP 52); `roots` holds the root of every piece in order."""
    tree: dict[str, object] = {}
    layers: dict[bytes, bytes] = {}
    level = piece_level(layout.piece_size)
    at = 0
    for file in content.files:
        leaf = _described(file)
        if file.size:
            layer = roots[at : at + 32 * layout.pieces_in(file)]
            at += len(layer)
            root = layer if len(layer) == 32 else subtree_root(layer, level)
            leaf["pieces root"] = root
            if len(layer) > 32:
                layers[root] = layer
        folder = tree
        for part in file.parts[:-1]:
            below = folder.setdefault(part, {})
            assert isinstance(below, dict)
            folder = below
        folder[file.parts[-1]] = {"": leaf}
    return tree, layers
