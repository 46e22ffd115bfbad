from hashlib import sha1
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.errors import MetainfoError
from bittern.base.geometry import BLOCK
from bittern.codec.hybrid import BOTH_BYTES, STEP, HybridHasher, contradiction, contradicts, expectation
from bittern.codec.layers import Layers
from bittern.codec.merkle import PieceHasher
from bittern.sim.content import make_content_v2
from bittern.sim.world import World

DATA = Random(1).randbytes(2 * STEP + 3 * BLOCK)


@given(
    data_length=st.integers(1, len(DATA)),
    pad=st.integers(0, 2 * BLOCK),
    cuts=st.lists(st.integers(1, len(DATA) // BLOCK)),
)
def test_both_hashes_are_those_of_each_version_however_the_bytes_come(
    data_length: int, pad: int, cuts: list[int]
) -> None:
    """The SHA-1 is over the pad, too; the tree is not."""
    piece = DATA[:data_length] + bytes(pad)
    hasher, tree = HybridHasher(32, data_length), PieceHasher(32)
    edges = sorted({0, len(piece), *[cut * BLOCK for cut in cuts if cut * BLOCK < len(piece)]})
    for begin, end in pairwise(edges):
        hasher.update(memoryview(piece)[begin:end])
    tree.update(DATA[:data_length])
    assert hasher.digest() == sha1(piece).digest() + tree.digest()
    assert hasher.leaves == tree.leaves


ONE, TWO = sha1(b"a").digest(), bytes(range(32))


@pytest.mark.parametrize(("v1", "v2"), [(True, True), (True, False), (False, True), (False, False)])
def test_a_piece_contradicts_its_torrent_when_one_hash_is_right_and_the_other_is_not(*, v1: bool, v2: bool) -> None:
    digest = (ONE if v1 else bytes(20)) + (TWO if v2 else bytes(32))
    assert contradicts(digest, ONE + TWO) == (v1 != v2)


def test_one_hash_alone_never_contradicts() -> None:
    assert not contradicts(ONE, bytes(20))
    assert not contradicts(TWO, bytes(32))


def test_of_a_hybrid_both_are_expected_as_far_as_they_are_known() -> None:
    content = make_content_v2(World(Random, 1), sizes=(3 * BLOCK, 5), piece_size=BLOCK, hybrid=True)
    info, known = content.info, Layers(content.info, content.metainfo.piece_layers)
    assert known.hash_of(0) is not None
    assert expectation(info, known, 0) == (info.piece_hash(0) + (known.hash_of(0) or b""), 1)
    assert len(expectation(info, known, 3)[0] or b"") == BOTH_BYTES
    assert expectation(info, Layers(info, {}), 0) == (info.piece_hash(0), 0)
    assert expectation(info, None, 0) == (info.piece_hash(0), 0)


def test_of_version_2_alone_nothing_is_expected_until_the_layer_is_known() -> None:
    content = make_content_v2(World(Random, 1), sizes=(3 * BLOCK, 5), piece_size=BLOCK)
    info, known = content.info, Layers(content.info, content.metainfo.piece_layers)
    assert expectation(info, known, 1) == (known.hash_of(1), 1)
    assert expectation(info, Layers(info, {}), 1)[0] is None


def test_the_error_names_the_piece() -> None:
    assert isinstance(contradiction(7), MetainfoError)
    assert "piece 7" in str(contradiction(7))
