"""Serving hash requests: rows of the piece layers that we know, and the hashes that prove them (BEP 52)."""

from bittern.codec.layers import Layers
from bittern.codec.merkle import HASH_BYTES
from bittern.wire.hashes import MOST_HASHES, HashRange


def answer(layers: Layers, span: HashRange) -> bytes | None:
    """The hashes that answer a request; None when it is to be refused.

    Served are rows of the piece layer, which BEP 52 demands, with what proves them, as far as both follow from what is
    known: the whole layer of the file, or the portions that came. Those of leaves are read from the disk (`leaves`).
    """
    height = layers.height_of(span.pieces_root)
    if height is None or span.base != layers.level or span.length > MOST_HASHES:
        return None
    # There must be so many layers and hashes; the root proves itself.
    if span.proofs >= height - span.base or span.index + span.length > 1 << (height - span.base):
        return None
    row = layers.nodes(span.pieces_root, 0, span.index, span.length)
    if row is None:
        return None
    parts = [row]
    level, index = span.length.bit_length() - 1, span.index // span.length
    for above in range(span.uncles):
        uncle = layers.nodes(span.pieces_root, level + above, (index >> above) ^ 1, 1)
        if uncle is None:
            return None
        parts.append(uncle)
    answer = b"".join(parts)
    return answer if len(answer) == (span.length + span.uncles) * HASH_BYTES else None
