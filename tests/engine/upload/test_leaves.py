"""Leaves served with their proofs, against trees built from the content."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bittern.base.bitfield import Bitfield
from bittern.base.geometry import BLOCK
from bittern.codec.layers import Layers
from bittern.codec.merkle import HASH_BYTES, climb, leaf_hashes, subtree_root
from bittern.engine.upload.leaves import answer_with, piece_of
from bittern.sim.content import make_content_v2
from bittern.sim.world import World
from bittern.wire.hashes import HashRange

PIECE = 4 * BLOCK
CONTENT = make_content_v2(World(Random, 1), sizes=(5 * PIECE + BLOCK + 7, 3 * BLOCK), piece_size=PIECE)
LAYERS = Layers(CONTENT.info, CONTENT.metainfo.piece_layers)
ALL = Bitfield.full(CONTENT.info.geometry.piece_count)
LONG, SHORT = (file.pieces_root or b"" for file in CONTENT.info.files if not file.pad)


def leaves_of(piece: int) -> bytes:
    offset = CONTENT.info.geometry.offset(piece)
    return leaf_hashes(CONTENT.data[offset : offset + LAYERS.data_length(piece)])


@settings(max_examples=60, deadline=None)
@given(root=st.sampled_from([LONG, SHORT]), width=st.integers(0, 2), at=st.integers(0, 31), to_root=st.booleans())
def test_leaves_and_their_proof_lead_to_the_root_or_to_the_piece(
    *, root: bytes, width: int, at: int, to_root: bool
) -> None:
    height = LAYERS.height_of(root)
    assert height is not None
    at %= 1 << (height - width)
    span = HashRange(root, 0, at << width, 1 << width, (height if to_root else min(height, 2)) - 1)
    piece = piece_of(LAYERS, span, ALL)
    if piece is None:  # beyond the end of the file
        assert root == LONG
        assert span.index >= 6 * 4
        return
    hashes = answer_with(LAYERS, piece, span, leaves_of(piece))
    assert hashes is not None
    assert len(hashes) == span.answer_bytes
    row, uncles = hashes[: span.length * HASH_BYTES], hashes[span.length * HASH_BYTES :]
    assert climb(subtree_root(row), at, uncles) == (root if to_root else LAYERS.hash_of(piece))


@pytest.mark.parametrize(
    ("root", "index", "length", "proofs"),
    [
        (LONG, 0, 8, 4),  # of two pieces
        (LONG, 0, 4, 5),  # more proof than there is tree
        (LONG, 24, 4, 4),  # a piece that the file does not have
        (LONG, 32, 4, 4),  # outside the tree
        (SHORT, 4, 4, 1),
        (bytes(32), 0, 4, 1),
    ],
)
def test_what_no_piece_has_is_refused(root: bytes, index: int, length: int, proofs: int) -> None:
    assert piece_of(LAYERS, HashRange(LONG, 0, 4, 4, 4), ALL) == 1
    assert piece_of(LAYERS, HashRange(root, 0, index, length, proofs), ALL) is None


def test_only_what_is_stored_is_hashed() -> None:
    span = HashRange(LONG, 0, 4, 4, 4)
    assert piece_of(LAYERS, span, Bitfield(ALL.size, [0, 2])) is None
    assert piece_of(LAYERS, span, Bitfield(ALL.size, [1])) == 1
    without = Layers(CONTENT.info, {})
    assert answer_with(without, 1, span, leaves_of(1)) is None
    assert answer_with(without, 1, HashRange(LONG, 0, 4, 4, 1), leaves_of(1)) == leaves_of(1)
