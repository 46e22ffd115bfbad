"""A torrent written by hand, so that no code of ours vouches for itself."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from random import Random

PIECE = 65536
BLOCK = 16384
NAME = "wanted.bin"
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
    """One file of noise below `folder`, and the .torrent file that names it."""

    folder: Path
    path: Path
    data: bytes
    info_hash: bytes

    @property
    def pieces(self) -> int:
        """How many there are; all of them are whole."""
        return len(self.data) // PIECE

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
    digests = b"".join(hashlib.sha1(data[at : at + PIECE]).digest() for at in range(0, len(data), PIECE))
    return bencode({"length": len(data), "name": name, "piece length": PIECE, "pieces": digests})


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
    return Torrent(folder, path, data, hashlib.sha1(info_of(data)).digest())
