"""Serving leaves: the hashes of a piece's blocks, read from the disk when somebody asks for them (BEP 52).

Who got a bad piece learns from them which of its blocks are wrong, and so who sent those.
"""

from bittern.base.bitfield import Bitfield
from bittern.base.geometry import BLOCK
from bittern.codec.layers import Layers
from bittern.codec.merkle import HASH_BYTES, subtree_root
from bittern.wire.hashes import MOST_HASHES, HashRange

MOST_BYTES = 16 << 20
"""Longest piece that is read for its leaves."""


def piece_of(layers: Layers, span: HashRange, have: Bitfield) -> int | None:
    """The piece that must be hashed to answer a request for leaves; None when it is to be refused."""
    height, first = layers.height_of(span.pieces_root), layers.first_of(span.pieces_root)
    if height is None or first is None or span.base or span.length > MOST_HASHES:
        return None
    piece = first + (span.index >> layers.level)
    # A row of one piece only, and no more proof than leads to the root.
    if span.index >= 1 << height or span.proofs >= height or span.length > layers.width_of(piece):
        return None
    known = piece in have and layers.place_of(piece)[0].pieces_root == span.pieces_root
    return piece if known and layers.width_of(piece) * BLOCK <= MOST_BYTES else None


def answer_with(layers: Layers, piece: int, span: HashRange, leaves: bytes) -> bytes | None:
    """The hashes that answer a request, by the leaves of its piece; None where its proof is not known."""
    width = layers.width_of(piece)
    height = width.bit_length() - 1
    row = leaves.ljust(width * HASH_BYTES, b"\0")
    begin = span.index % width
    parts = [row[begin * HASH_BYTES : (begin + span.length) * HASH_BYTES]]
    level, index = span.length.bit_length() - 1, span.index // span.length
    for _ in range(span.uncles):
        uncle = index ^ 1
        if level < height:
            at = (uncle << level) % width
            node: bytes | None = subtree_root(row[at * HASH_BYTES : (at + (1 << level)) * HASH_BYTES])
        else:
            node = layers.nodes(span.pieces_root, level - layers.level, uncle, 1)
        if node is None:
            return None
        parts.append(node)
        level, index = level + 1, index >> 1
    return b"".join(parts)
