"""Pieces of hybrid torrents, which have two hashes: both must be right (BEP 52).

What a piece should hash to is written as one row of bytes: the SHA-1 (20 bytes), or the root of its hash tree (32), or
of a hybrid both, the SHA-1 first (52).
"""

from hashlib import sha1

from bittern.base.errors import MetainfoError

from .info import SHA1_BYTES, Info
from .layers import Layers
from .merkle import HASH_BYTES, PieceHasher, leaf_hashes

BOTH_BYTES = SHA1_BYTES + HASH_BYTES
STEP = 128 << 10
"""Bytes that are hashed one way and then the other while they are still in the processor's cache."""


class HybridHasher(PieceHasher):
    """Hashes one piece both ways, in one pass.

    Args:
        width: leaves under the root, a power of two (`tree_width`).
        data_length: bytes of the piece that are of its file: the pad behind them is in no tree.

    Attributes:
        leaves: hashes of the blocks that came until now.
    """

    __slots__ = ("_left", "_sha1")

    def __init__(self, width: int, data_length: int) -> None:
        super().__init__(width)
        self._sha1 = sha1()
        self._left = data_length

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """The next bytes of the piece; but for the last, a multiple of 16 KiB."""
        view = memoryview(data)
        for at in range(0, len(view), STEP):
            part = view[at : at + STEP]
            self._sha1.update(part)
            if self._left > 0:
                self.leaves += leaf_hashes(part[: self._left])
                self._left -= len(part)

    def digest(self) -> bytes:
        """The SHA-1 and the root, 52 bytes."""
        return self._sha1.digest() + super().digest()


def expectation(info: Info, layers: Layers | None, piece: int) -> tuple[bytes | None, int]:
    """What `piece` must hash to, and the leaves of its tree; 0 where only its SHA-1 is known.

    None while no hash of it is known.

    Args:
        info: of the torrent.
        layers: its hash trees, as far as they are known; None for a torrent of version 1.
        piece: its number.
    """
    root = layers.hash_of(piece) if layers is not None else None
    if info.info_hash_v1 is None:
        return root, layers.width_of(piece) if layers is not None else 0
    if root is None or layers is None:
        return info.piece_hash(piece), 0
    return info.piece_hash(piece) + root, layers.width_of(piece)


def contradicts(digest: bytes, expected: bytes) -> bool:
    """Whether a piece has one of a hybrid's two hashes and not the other: no data has both."""
    if len(expected) != BOTH_BYTES or len(digest) != BOTH_BYTES:
        return False
    return (digest[:SHA1_BYTES] == expected[:SHA1_BYTES]) != (digest[SHA1_BYTES:] == expected[SHA1_BYTES:])


def contradiction(piece: int) -> MetainfoError:
    """What to say of a torrent with such a piece."""
    return MetainfoError("info", f"piece {piece} has one of its two hashes and not the other: no data has both")
