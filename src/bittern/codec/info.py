"""The info dictionary: what a torrent is made of (BEP 3, BEP 27, BEP 47, BEP 52)."""

from dataclasses import dataclass, field, replace
from hashlib import sha1, sha256
from typing import Self

from bittern.base.errors import LocalProtocolError, MetainfoError
from bittern.base.geometry import BLOCK, Geometry
from bittern.base.ids import InfoHashV1, InfoHashV2

from .bencode import Value, decode_prefix
from .layout import Entry, File, aligned, entries_v1, entries_v2, merged, place
from .paths import safe_name
from .text import decode_text

MAX_PIECES = 2_097_152
"""Pieces of one torrent: a bitfield of 256 KiB."""

MAX_PIECE_SIZE = 512 * 1024 * 1024
"""Bytes of one piece."""

SHA1_BYTES = 20


@dataclass(frozen=True, slots=True)
class Info:
    """A checked info dictionary.

    Attributes:
        raw: its bencoding as it came; the info hashes are over these bytes.
        name: safe name of the file, or of the root folder.
        piece_size: bytes of a piece.
        files: in the order of the byte space, pads included; those of a v2-only torrent are made up from
            its gaps.
        multi_file: whether a root folder named `name` holds the files.
        private: no peers from DHT, PEX or LSD (BEP 27).
        source: the `source` key that some trackers ask for.
        piece_hashes: SHA-1 of each piece, 20 bytes each; empty for v2 only.
        info_hash_v1: SHA-1 of `raw`; None for v2 only.
        info_hash_v2: SHA-256 of `raw`; None for v1 only.
        similar: info hashes of torrents that may share files, as they came (BEP 38).
        collections: names of collections it belongs to (BEP 38).
        total_size: bytes of all files without pads.
        total_length: bytes of the byte space, pads included.
        geometry: pieces and blocks of the byte space.
    """

    raw: bytes = field(repr=False)
    name: str
    piece_size: int
    files: tuple[File, ...] = field(repr=False)
    multi_file: bool
    private: bool = False
    source: str | None = None
    piece_hashes: bytes = field(default=b"", repr=False)
    info_hash_v1: InfoHashV1 | None = None
    info_hash_v2: InfoHashV2 | None = None
    similar: tuple[bytes, ...] = ()
    collections: tuple[str, ...] = ()
    total_size: int = field(init=False, repr=False)
    total_length: int = field(init=False, repr=False)
    geometry: Geometry = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        end = self.files[-1].offset + self.files[-1].length if self.files else 0
        object.__setattr__(self, "total_size", sum([file.length for file in self.files if not file.pad]))
        object.__setattr__(self, "total_length", end)
        short: dict[int, int] = {}
        if self.info_hash_v2 is not None and self.info_hash_v1 is None:
            # BEP 52: no piece holds any of the gap behind a file.
            gaps = [file.offset for file in self.files if file.pad]
            short = {offset // self.piece_size: offset % self.piece_size for offset in gaps}
        object.__setattr__(self, "geometry", Geometry(end, self.piece_size, short))

    @classmethod
    def parse(cls, raw: bytes | bytearray | memoryview, encoding: str | None = None) -> Self:
        """Check the bencoded dictionary `raw`.

        Keys may be in any order but none may appear twice: two programs must not read two torrents
        out of one info hash.

        Args:
            raw: exactly the dictionary, as in the .torrent file or from peers (BEP 9).
            encoding: of names that are not UTF-8, from the `encoding` key beside `info`.

        Raises:
            BencodeError: not bencode.
            MetainfoError: not a valid info dictionary.
        """
        raw = bytes(raw)
        value, end = decode_prefix(raw, strict=False, unique=True)
        if end != len(raw):
            raise MetainfoError("info", "bytes after the dictionary")
        return cls.of(raw, value, encoding)

    @classmethod
    def of(cls, raw: bytes, value: Value, encoding: str | None = None) -> Self:
        """As `parse`, for `raw` that is decoded already, with equal keys refused.

        Raises:
            MetainfoError: not a valid info dictionary.
        """
        if not isinstance(value, dict):
            raise MetainfoError("info", "not a dictionary")
        version = value.get(b"meta version", 1)
        if version not in (1, 2):
            raise MetainfoError("info.meta version", "of a version of BitTorrent that is not known here")
        has_v2 = version == 2
        if b"file tree" in value and not has_v2:
            raise MetainfoError("info.meta version", "missing beside a file tree")
        has_v1 = not has_v2 or not value.keys().isdisjoint((b"pieces", b"files", b"length"))
        name = _name(value)
        piece_size = _piece_size(value, has_v2=has_v2)
        entries = _entries(value, name, piece_size, has_v1=has_v1, has_v2=has_v2)
        files = place(entries, encoding)
        hash_v1 = InfoHashV1(sha1(raw).digest()) if has_v1 else None
        hash_v2 = InfoHashV2(sha256(raw).digest()) if has_v2 else None
        multi_file = b"files" in value if has_v1 else _has_folder(value, files)
        safe = safe_name(name, encoding) if multi_file or has_v1 else files[0].path[0]
        safe = safe or str(hash_v1 or hash_v2)
        _check_layers(files, piece_size)
        if not multi_file:
            files = (replace(files[0], path=(safe,)),)
        info = cls(
            raw=raw,
            name=safe,
            piece_size=piece_size,
            files=files,
            multi_file=multi_file,
            private=value.get(b"private") == 1,
            source=text_field(value, b"source", encoding),
            piece_hashes=_pieces(value, files, piece_size) if has_v1 else b"",
            info_hash_v1=hash_v1,
            info_hash_v2=hash_v2,
            similar=hash_list(value.get(b"similar")),
            collections=text_list(value.get(b"collections"), encoding),
        )
        if info.geometry.piece_count > MAX_PIECES:
            raise MetainfoError("info.piece length", f"makes more than {MAX_PIECES} pieces")
        return info

    @property
    def wire_hash(self) -> InfoHashV1:
        """What handshakes, trackers and the DHT carry: the v1 hash, or the v2 hash truncated (BEP 52)."""
        if self.info_hash_v1 is not None:
            return self.info_hash_v1
        assert self.info_hash_v2 is not None
        return self.info_hash_v2.truncated()

    def piece_hash(self, piece: int) -> bytes:
        """The SHA-1 of `piece`.

        Raises:
            LocalProtocolError: there is no such piece, or no v1 part.
        """
        begin = piece * SHA1_BYTES
        if not 0 <= begin < len(self.piece_hashes):
            raise LocalProtocolError(f"no SHA-1 for piece {piece}")
        return self.piece_hashes[begin : begin + SHA1_BYTES]


def text_field(box: dict[bytes, Value], key: bytes, encoding: str | None) -> str | None:
    """The text under `key`, or None when there is none; `KEY.utf-8` is preferred."""
    for name in (key + b".utf-8", key):
        value = box.get(name)
        if isinstance(value, bytes):
            return decode_text(value, encoding)
    return None


def text_list(value: Value | None, encoding: str | None) -> tuple[str, ...]:
    """The texts in a list; what is not text is left out."""
    items = value if isinstance(value, list) else []
    return tuple([decode_text(item, encoding) for item in items if isinstance(item, bytes) and item])


def hash_list(value: Value | None) -> tuple[bytes, ...]:
    """The info hashes in a list; what is none is left out."""
    items = value if isinstance(value, list) else []
    return tuple([item for item in items if isinstance(item, bytes) and len(item) in (20, 32)])


def _name(info: dict[bytes, Value]) -> bytes:
    for key in (b"name.utf-8", b"name"):
        name = info.get(key)
        if isinstance(name, bytes):
            return name
    raise MetainfoError("info.name", "missing")


def _piece_size(info: dict[bytes, Value], *, has_v2: bool) -> int:
    size = info.get(b"piece length")
    if not isinstance(size, int) or not 0 < size <= MAX_PIECE_SIZE:
        raise MetainfoError("info.piece length", f"not 1..{MAX_PIECE_SIZE}")
    if has_v2 and (size < BLOCK or size & (size - 1)):
        raise MetainfoError("info.piece length", "not a power of two of at least 16384")  # BEP 52
    return size


def _entries(info: dict[bytes, Value], name: bytes, piece_size: int, *, has_v1: bool, has_v2: bool) -> list[Entry]:
    if not has_v2:
        return entries_v1(info, name)
    tree = entries_v2(info.get(b"file tree", {}))
    return merged(entries_v1(info, name), tree, piece_size) if has_v1 else aligned(tree, piece_size)


def _has_folder(value: dict[bytes, Value], files: tuple[File, ...]) -> bool:
    """Whether a tree is more than one file; an empty folder beside the file counts, as it does for libtorrent."""
    tree = value.get(b"file tree")
    return len(files[0].path) > 1 or (isinstance(tree, dict) and len(tree) > 1)


def _check_layers(files: tuple[File, ...], piece_size: int) -> None:
    """No piece layer has two lengths: files that share a root have the same bytes (BEP 52)."""
    lengths: dict[bytes, int] = {}
    for file in files:
        root = file.pieces_root
        if root is not None and file.length > piece_size and lengths.setdefault(root, file.length) != file.length:
            raise MetainfoError("info.file tree.pieces root", "two files of different lengths share it")


def _pieces(info: dict[bytes, Value], files: tuple[File, ...], piece_size: int) -> bytes:
    pieces = info.get(b"pieces")
    count = Geometry(files[-1].offset + files[-1].length, piece_size).piece_count
    if pieces is None:
        raise MetainfoError("info.pieces", "missing")
    if not isinstance(pieces, bytes) or len(pieces) != count * SHA1_BYTES:
        raise MetainfoError("info.pieces", f"must be a hash of {SHA1_BYTES} bytes for each of the {count} pieces")
    return pieces
