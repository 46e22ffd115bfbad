"""Merkle trees of BEP 52: SHA-256 over 16 KiB leaves, one tree for each file.

Rows of hashes are plain bytes, 32 for each hash. Level 0 is the leaves; `piece layer` means the level at
which one hash covers one piece.
"""

from functools import lru_cache
from hashlib import sha256

from bittern.base.geometry import BLOCK

HASH_BYTES = 32


def leaf_hashes(data: bytes | bytearray | memoryview) -> bytes:
    """The leaves of `data`, which starts at a multiple of 16 KiB in its file; its last block may be short."""
    view = memoryview(data)
    return b"".join([sha256(view[at : at + BLOCK]).digest() for at in range(0, len(view), BLOCK)])


@lru_cache(maxsize=64)
def pad_hash(level: int) -> bytes:
    """The root of a subtree of `level` levels in which every leaf lies beyond the end of the file."""
    node = bytes(HASH_BYTES)
    for _ in range(level):
        node = sha256(node + node).digest()
    return node


def subtree_root(row: bytes, level: int = 0, width: int = 0) -> bytes:
    """The root above `row`.

    Args:
        row: neighbouring hashes of one level, at least one, from the left edge of the subtree.
        level: of `row` in the tree of its file; it says what fills the row up.
        width: hashes under the root, a power of two; 0 for the least that holds `row`.

    Raises:
        ValueError: `row` is no row of hashes, or wider than `width`.
    """
    count, odd = divmod(len(row), HASH_BYTES)
    width = width or 1 << max(0, count - 1).bit_length()
    if odd or not 0 < count <= width:
        raise ValueError(f"{len(row)} bytes are not 1..{width} hashes")
    while width > 1:
        if len(row) // HASH_BYTES % 2:
            row += pad_hash(level)
        row = b"".join([sha256(row[at : at + 64]).digest() for at in range(0, len(row), 2 * HASH_BYTES)])
        level += 1
        width //= 2
    return row


def piece_level(piece_size: int) -> int:
    """The level at which one hash covers `piece_size` bytes, a power of two of at least 16 KiB."""
    return (piece_size // BLOCK).bit_length() - 1


def layer_count(length: int, piece_size: int) -> int:
    """Hashes in the piece layer of a file of `length` bytes; 0 when it fits one piece and has no layer."""
    return 0 if length <= piece_size else -(-length // piece_size)


def tree_width(length: int, piece_size: int) -> int:
    """Leaves under the root of each piece of a file of `length` bytes, at least 1 (BEP 52).

    A file of one piece has a tree of its own size; pieces of longer files have whole trees.
    """
    if length > piece_size:
        return piece_size // BLOCK
    return 1 << tree_height(length)


def tree_height(length: int) -> int:
    """Levels above the leaves in the tree of a file of `length` bytes, at least 1."""
    return (-(-length // BLOCK) - 1).bit_length()


def check_layer(root: bytes, layer: bytes, length: int, piece_size: int) -> bool:
    """Whether `layer` is the piece layer of the file of `length` bytes with that root."""
    if len(layer) != HASH_BYTES * layer_count(length, piece_size):
        return False
    return not layer or subtree_root(layer, piece_level(piece_size)) == root


def piece_hash(leaves: bytes, length: int, piece_size: int) -> bytes:
    """What a piece's leaves must hash to: its entry in the piece layer, or the file's root without one.

    Args:
        leaves: of the piece, short at the end of the file.
        length: of the file, bytes.
        piece_size: bytes.
    """
    return subtree_root(leaves, width=piece_size // BLOCK if length > piece_size else 0)


def climb(node: bytes, index: int, uncles: bytes) -> bytes:
    """The ancestor of `node`, the `index`-th of its level, after joining each of `uncles`, lowest first.

    A `hashes` message proves its row so: `climb(subtree_root(row, ...), ...)` is the file's root.
    """
    for at in range(0, len(uncles), HASH_BYTES):
        uncle = uncles[at : at + HASH_BYTES]
        node = sha256(uncle + node if index & 1 else node + uncle).digest()
        index >>= 1
    return node


class PieceHasher:
    """Hashes one piece as hashlib's objects do, to the root of its leaves.

    Args:
        width: leaves under the root, a power of two (`tree_width`).

    Attributes:
        leaves: hashes of the blocks that came until now.
    """

    __slots__ = ("_width", "leaves")

    def __init__(self, width: int) -> None:
        self._width = width
        self.leaves = b""

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """The next bytes of the piece; but for the last, a multiple of 16 KiB."""
        self.leaves += leaf_hashes(data)

    def digest(self) -> bytes:
        """The root, 32 bytes."""
        return subtree_root(self.leaves, width=self._width)


class TreeBuilder:
    """Builds a file's root and piece layer from its leaves, in order, in any portions."""

    __slots__ = ("_layer", "_leaves", "_width")

    def __init__(self, piece_size: int) -> None:
        self._width = piece_size // BLOCK * HASH_BYTES
        self._leaves = bytearray()
        self._layer = bytearray()

    def add(self, leaves: bytes) -> None:
        """The next leaves of the file."""
        self._leaves += leaves
        # A piece is folded only once a leaf follows it: the tree of a file of one piece ends at its own width.
        while len(self._leaves) > self._width:
            self._layer += subtree_root(bytes(self._leaves[: self._width]))
            del self._leaves[: self._width]

    def finish(self) -> tuple[bytes, bytes]:
        """The root and the piece layer; the layer is empty for a file of one piece.

        Raises:
            ValueError: there was no leaf: an empty file has no root (BEP 52).
        """
        if not self._layer:
            return subtree_root(bytes(self._leaves)), b""
        layer = bytes(self._layer) + subtree_root(bytes(self._leaves), width=self._width // HASH_BYTES)
        return subtree_root(layer, piece_level(self._width // HASH_BYTES * BLOCK)), layer
