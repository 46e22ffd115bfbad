"""A torrent written by hand, so that no code of ours vouches for itself."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

PIECE = 65536
BLOCK = 16384
NAME = "wanted.bin"
ALBUM = "wanted album"
MIB = 1 << 20
_DRAW = 64 * MIB  # randbytes gives less than 256 MiB at a time


def bencode(value: int | bytes | str | list[object] | dict[str, object]) -> bytes:
    """The little that torrents and trackers' answers need; keys of dictionaries in the order given."""
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, str):
        return bencode(value.encode())
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    if isinstance(value, list):
        return b"l" + b"".join(map(bencode, value)) + b"e"  # type: ignore[arg-type]
    return b"d" + b"".join(bencode(key) + bencode(item) for key, item in value.items()) + b"e"  # type: ignore[arg-type]


@dataclass(frozen=True)
class Torrent:
    """Noise below `folder`, and the .torrent file that names it.

    Attributes:
        folder: that holds the content.
        path: of the .torrent file.
        data: of all files, one after the other.
        info_hash: of the torrent.
        files: path below the download folder and length of each.
    """

    folder: Path
    path: Path
    data: bytes
    info_hash: bytes
    files: tuple[tuple[str, int], ...]

    @property
    def pieces(self) -> int:
        """How many there are; all of them are whole."""
        return len(self.data) // PIECE

    @property
    def root(self) -> str:
        """What the download folder has of it: the one file, or the folder of all."""
        return self.files[0][0].partition("/")[0]

    def place(self, into: Path, name: str) -> Path:
        """Where a file of the torrent is below `into`, under the name that it has so far."""
        own, other = into / name, into / f"{name}.part"
        return other if other.exists() and not own.exists() else own

    def right(self, into: Path) -> set[int]:
        """The pieces that are right in the files below `into`."""
        there = bytearray()
        for name, length in self.files:
            path = self.place(into, name)
            there += (path.read_bytes() if path.is_file() else b"")[:length].ljust(length, b"\0")
        spans = [slice(piece * PIECE, (piece + 1) * PIECE) for piece in range(self.pieces)]
        return {piece for piece, span in enumerate(spans) if there[span] == self.data[span]}

    def block(self, piece: int, begin: int, length: int) -> bytes:
        """What an honest peer answers."""
        return self.data[piece * PIECE + begin : piece * PIECE + begin + length]

    def with_trackers(self, folder: Path, *urls: str) -> Path:
        """The same torrent, with trackers, in a file of its own; each in a tier of its own."""
        path = folder / "tracked.torrent"
        path.write_bytes(metainfo(self.data, *urls))
        return path


def info_of(data: bytes, name: str = NAME) -> bytes:
    """The info dictionary."""
    return bencode({"length": len(data), "name": name, "piece length": PIECE, "pieces": _digests(data)})


def _digests(data: bytes) -> bytes:
    return b"".join(hashlib.sha1(data[at : at + PIECE]).digest() for at in range(0, len(data), PIECE))


def metainfo(data: bytes, *urls: str) -> bytes:
    """The whole .torrent file."""
    tiers = b"8:announce" + bencode(urls[0]) + b"13:announce-list" + bencode([[url] for url in urls]) if urls else b""
    return b"d" + tiers + b"4:info" + info_of(data) + b"e"


def make(folder: Path, size: int, seed: int = 1) -> Torrent:
    """Write `size` bytes of repeatable noise (whole pieces) and their torrent."""
    rng = Random(seed)
    data = b"".join(rng.randbytes(min(_DRAW, size - at)) for at in range(0, size, _DRAW))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / NAME).write_bytes(data)
    path = folder / "wanted.torrent"
    path.write_bytes(metainfo(data))
    return Torrent(folder, path, data, hashlib.sha1(info_of(data)).digest(), ((NAME, size),))


def make_album(folder: Path, sizes: Sequence[int], seed: int = 1) -> Torrent:
    """As `make`, a folder of files of these sizes; their sum is so many whole pieces."""
    data = Random(seed).randbytes(sum(sizes))
    names = [(f"disc {number % 3}", f"{number}.bin") for number in range(len(sizes))]
    at = 0
    for (disc, name), size in zip(names, sizes, strict=True):
        (folder / ALBUM / disc).mkdir(parents=True, exist_ok=True)
        (folder / ALBUM / disc / name).write_bytes(data[at : at + size])
        at += size
    files: list[object] = [{"length": size, "path": list(name)} for name, size in zip(names, sizes, strict=True)]
    info = bencode({"files": files, "name": ALBUM, "piece length": PIECE, "pieces": _digests(data)})
    path = folder / "album.torrent"
    path.write_bytes(b"d4:info" + info + b"e")
    layout = tuple((f"{ALBUM}/{disc}/{name}", size) for (disc, name), size in zip(names, sizes, strict=True))
    return Torrent(folder, path, data, hashlib.sha1(info).digest(), layout)


def tree_of(data: bytes) -> tuple[bytes, bytes]:
    """Of a file of 2**n pieces (BEP 52): the root of its tree, and the layer that has a hash for each piece."""
    row = [hashlib.sha256(data[at : at + BLOCK]).digest() for at in range(0, len(data), BLOCK)]
    layer = b""
    while len(row) > 1:
        row = [hashlib.sha256(row[at] + row[at + 1]).digest() for at in range(0, len(row), 2)]
        if len(row) == len(data) // PIECE:
            layer = b"".join(row)
    return row[0], layer


def make_tree(folder: Path, size: int, seed: int = 1) -> Torrent:
    """As `make`, of version 2; there are 2**n pieces."""
    data = Random(seed).randbytes(size)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / NAME).write_bytes(data)
    root, layer = tree_of(data)
    file: dict[str, object] = {"": {"length": size, "pieces root": root}}
    info = bencode({"file tree": {NAME: file}, "meta version": 2, "name": NAME, "piece length": PIECE})
    path = folder / "tree.torrent"
    path.write_bytes(b"d4:info" + info + b"12:piece layersd" + bencode(root) + bencode(layer) + b"ee")
    return Torrent(folder, path, data, hashlib.sha256(info).digest()[:20], ((NAME, size),))
