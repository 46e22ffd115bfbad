"""Hybrid torrents whose two versions do not describe the same bytes."""

from dataclasses import replace

from bittern.codec.info import SHA1_BYTES, Info
from bittern.codec.layers import Layers
from bittern.codec.merkle import HASH_BYTES, piece_level, subtree_root
from bittern.codec.metainfo import Metainfo


def torn(meta: Metainfo, piece: int, *, wrong: int) -> Metainfo:
    """`meta`, a hybrid, with a false hash of version `wrong` for `piece`, of a file that is longer than a piece."""
    info, known = meta.info, dict(meta.piece_layers)
    if wrong == 1:
        hashes = bytearray(info.piece_hashes)
        hashes[piece * SHA1_BYTES] ^= 1
        raw = info.raw.replace(info.piece_hashes, bytes(hashes))
    else:
        file, at = Layers(info, known).place_of(piece)
        assert file.pieces_root is not None
        row = bytearray(known.pop(file.pieces_root))
        row[at * HASH_BYTES] ^= 1
        root = subtree_root(bytes(row), piece_level(info.piece_size))
        raw = info.raw.replace(file.pieces_root, root)
        known[root] = bytes(row)
    return replace(meta, info=Info.parse(raw), piece_layers=known)
