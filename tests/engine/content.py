"""Small torrents for the engine's tests."""

from hashlib import sha1

from bittern.codec.bencode import encode
from bittern.codec.info import Info
from tests.wire.wiring import pattern


def info_of(size: int, piece_size: int, name: str = "content") -> tuple[Info, bytes]:
    """A single-file torrent and its bytes, each block of which names its place."""
    data = b"".join(
        pattern(piece, block, length=min(16384, end - at))
        for piece, start in enumerate(range(0, size, piece_size))
        for end in [min(size, start + piece_size)]
        for block, at in enumerate(range(start, end, 16384))
    )
    hashes = b"".join(sha1(data[at : at + piece_size]).digest() for at in range(0, size, piece_size))
    return Info.parse(encode({"length": size, "name": name, "piece length": piece_size, "pieces": hashes})), data
