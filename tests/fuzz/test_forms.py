"""Mutations that keep an input's form."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from bittern.codec.bencode import decode_prefix, encode
from fuzz.plays import MOST_ACTS, act, acts, play_edit, written
from fuzz.trees import tree_edit

PLAYS = st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=300)), max_size=MOST_ACTS)
TREES = st.recursive(
    st.integers(-(2**63), 2**63 - 1) | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.binary(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@given(PLAYS)
def test_a_play_reads_back(play: list[tuple[int, bytes]]) -> None:
    assert list(acts(written(play))) == play


@given(st.binary(max_size=400))
def test_any_bytes_are_a_play(data: bytes) -> None:
    assert len(list(acts(data))) <= MOST_ACTS


@given(PLAYS, st.integers(0, 1000))
@settings(max_examples=50)
def test_an_edited_play_is_one(play: list[tuple[int, bytes]], seed: int) -> None:
    edit = play_edit([b"hd" + act(1, b"one") + act(2, b"two")], head=2)
    edited = edit(b"hd" + written(play), Random(seed))
    assert written(acts(edited[2:])) == edited[2:]


@given(TREES, st.integers(0, 1000))
@settings(max_examples=100)
def test_an_edited_tree_is_one(tree: object, seed: int) -> None:
    edited = tree_edit((b"key",))(encode(tree) + b"rest", Random(seed))
    if isinstance(tree, (list, dict)) and tree:
        value, size = decode_prefix(edited, strict=False)
        assert encode(value) + b"rest" == edited
        assert size == len(edited) - 4
