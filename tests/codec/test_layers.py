from hashlib import sha256
from random import Random

import pytest

from bittern.base.bitfield import Bitfield
from bittern.base.geometry import BLOCK
from bittern.codec.layers import PORTION, Layers, proved
from bittern.codec.merkle import HASH_BYTES, PieceHasher
from bittern.sim.content import Content, make_content_v2
from bittern.sim.world import World

PIECE = 2 * BLOCK
SIZES = (5 * PIECE + 100, 17, PIECE, 3 * BLOCK)


def content(sizes: tuple[int, ...] = SIZES, piece_size: int = PIECE, *, hybrid: bool = False) -> Content:
    return make_content_v2(World(Random, 1), sizes=sizes, piece_size=piece_size, hybrid=hybrid)


@pytest.mark.parametrize("hybrid", [False, True])
def test_every_piece_hashes_to_what_the_layers_say(*, hybrid: bool) -> None:
    torrent = content(hybrid=hybrid)
    info, layers = torrent.info, Layers(torrent.info, torrent.metainfo.piece_layers)
    assert layers.complete
    assert layers.rows() == torrent.metainfo.piece_layers
    for piece in range(info.geometry.piece_count):
        file, at = layers.place_of(piece)
        begin = file.offset + at * PIECE
        tree = PieceHasher(layers.width_of(piece))
        tree.update(torrent.data[begin : min(begin + PIECE, file.offset + file.length)])
        assert tree.digest() == layers.hash_of(piece)


def test_in_version_2_alone_pieces_end_with_their_files() -> None:
    geometry = content().info.geometry
    lengths = [PIECE] * 5 + [100, 17, PIECE, PIECE, BLOCK]
    assert [geometry.piece_length(piece) for piece in range(geometry.piece_count)] == lengths
    hybrid = content(hybrid=True).info.geometry
    assert [hybrid.piece_length(piece) for piece in range(hybrid.piece_count)] == [PIECE] * 9 + [BLOCK]


def test_what_is_learned_in_portions_is_the_whole() -> None:
    torrent = content((PIECE, (PORTION + 3) * BLOCK), BLOCK)
    info, known = torrent.info, torrent.metainfo.piece_layers
    layers = Layers(info, {})
    everything = Bitfield.full(info.geometry.piece_count)
    root = next(root for root, row in known.items() if len(row) > PORTION * HASH_BYTES)
    assert [portion for of, portion in layers.missing() if of == root] == [0, 1]
    assert layers.unknown(everything) == list(everything)
    for of, portion in list(layers.missing()):
        assert layers.nodes(of, 0, portion * PORTION, 1) is None
        row = known[of][portion * PORTION * HASH_BYTES :]
        pieces = layers.learn(of, portion, row + bytes(HASH_BYTES * PORTION))
        assert layers.hash_of(pieces[0]) == row[:HASH_BYTES]
    assert layers.complete
    assert layers.rows() == known
    assert layers.portion_width(root) == PORTION
    assert layers.nodes(root, 0, PORTION, 3) == known[root][-3 * HASH_BYTES :]


def test_two_files_with_the_same_bytes_learn_together() -> None:
    torrent = content((3 * PIECE,))
    root = torrent.info.files[0].pieces_root
    assert root is not None
    layers = Layers(torrent.info, {})
    assert layers.pieces_of(root, 0) == [0, 1, 2]
    assert layers.height_of(root) == 3
    assert layers.height_of(sha256(b"another").digest()) is None


def test_layers_from_elsewhere_are_proved_by_their_roots() -> None:
    torrent = content()
    known = dict(torrent.metainfo.piece_layers)
    root, row = next(iter(known.items()))
    for damaged in (row[:-1], row[:-HASH_BYTES], bytes(len(row)), b""):
        assert proved(torrent.info, {**known, root: damaged}) == {of: it for of, it in known.items() if of != root}
    assert proved(torrent.info, {bytes(32): row}) == {}
