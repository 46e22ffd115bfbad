"""Rows served from whole layers, against trees built from the leaves up."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bittern.base.geometry import BLOCK
from bittern.codec.layers import Layers
from bittern.codec.merkle import HASH_BYTES, climb, leaf_hashes, piece_level, subtree_root
from bittern.engine.upload.hashes import answer
from bittern.sim.content import Content, make_content_v2
from bittern.sim.world import World
from bittern.wire.hashes import HashRange

PIECE = 2 * BLOCK
LEVEL = piece_level(PIECE)


def layers_of(content: Content) -> tuple[Layers, bytes]:
    root = content.info.files[0].pieces_root
    assert root is not None
    return Layers(content.info, content.metainfo.piece_layers), root


def row_span(root: bytes, height: int, width: int, at: int) -> HashRange:
    return HashRange(root, LEVEL, at << width, 1 << width, height - LEVEL - 1)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 40), st.data())
def test_every_row_and_its_proof_lead_to_the_root(pieces: int, data: st.DataObject) -> None:
    content = make_content_v2(World(Random, pieces), sizes=(pieces * PIECE - 5,), piece_size=PIECE)
    layers, root = layers_of(content)
    height = layers.height_of(root)
    assert height is not None
    width = data.draw(st.integers(0, height - LEVEL))
    at = data.draw(st.integers(0, (1 << (height - LEVEL - width)) - 1))
    span = row_span(root, height, width, at)
    hashes = answer(layers, span)
    assert hashes is not None
    row, uncles = hashes[: span.length * HASH_BYTES], hashes[span.length * HASH_BYTES :]
    assert climb(subtree_root(row, LEVEL), at, uncles) == root
    tree = leaf_hashes(content.data)
    first = tree[2 * span.index * HASH_BYTES : 2 * (span.index + 1) * HASH_BYTES]
    if first:
        assert row[:HASH_BYTES] == subtree_root(first, width=2)


def test_a_layer_longer_than_a_portion_is_proved_through_what_is_above_it() -> None:
    content = make_content_v2(World(Random, 1), sizes=(1500 * BLOCK,), piece_size=BLOCK)
    layers, root = layers_of(content)
    for at in range(4):
        span = HashRange(root, 0, 512 * at, 512, 10)
        hashes = answer(layers, span)
        assert hashes is not None
        assert climb(subtree_root(hashes[: 512 * 32]), at, hashes[512 * 32 :]) == root
    span = HashRange(root, 0, 1498, 2, 10)
    hashes = answer(layers, span)
    assert hashes is not None
    assert climb(subtree_root(hashes[:64]), 749, hashes[64:]) == root


LONG = make_content_v2(World(Random, 1), sizes=(1500 * BLOCK,), piece_size=BLOCK)
WHOLE, TOP = layers_of(LONG)


@settings(max_examples=60, deadline=None)
@given(st.sets(st.integers(0, 2)), st.integers(0, 9), st.integers(0, 2047), st.integers(0, 10))
def test_what_is_known_of_a_layer_is_served_before_all_of_it_is_there(
    told: set[int], width: int, at: int, proofs: int
) -> None:
    """As it would be served from the whole layer, or not at all; where the portion came, always (BEP 52)."""
    known = Layers(LONG.info, {})
    for portion in told:
        hashes = answer(WHOLE, HashRange(TOP, 0, 512 * portion, 512, 10))
        assert hashes is not None
        known.learn(TOP, portion, hashes[: 512 * HASH_BYTES], hashes[512 * HASH_BYTES :])
    span = HashRange(TOP, 0, at >> width << width, 1 << width, proofs)
    given = answer(known, span)
    assert given in (None, answer(WHOLE, span))
    assert (given is not None) == (at // 512 in told or (len(told) == 3 and at // 512 == 3))


@pytest.mark.parametrize(
    ("base", "index", "length", "proofs"),
    [
        (LEVEL, 0, 1024, 0),  # more than anybody may ask
        (LEVEL, 0, 16, 3),  # wider than the tree
        (LEVEL, 8, 8, 2),  # beyond its end
        (LEVEL, 0, 4, 3),  # a layer of proof above the root
        (0, 0, 2, 3),  # leaves
        (LEVEL + 1, 0, 2, 1),  # another layer
    ],
)
def test_what_we_cannot_give_is_refused(base: int, index: int, length: int, proofs: int) -> None:
    content = make_content_v2(World(Random, 1), sizes=(5 * PIECE, 100), piece_size=PIECE)
    layers, root = layers_of(content)
    assert answer(layers, HashRange(root, LEVEL, 0, 8, 2)) is not None
    assert answer(layers, HashRange(root, base, index, length, proofs)) is None
    small = content.info.files[-1].pieces_root
    assert small is not None
    assert answer(layers, HashRange(bytes(32), LEVEL, 0, 8, 2)) is None
    assert answer(layers, HashRange(small, LEVEL, 0, 2, 0)) is None
    assert answer(Layers(content.info, {}), HashRange(root, LEVEL, 0, 8, 2)) is None
