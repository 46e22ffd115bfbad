from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bittern.base.geometry import BLOCK
from bittern.codec.merkle import (
    HASH_BYTES,
    TreeBuilder,
    check_layer,
    climb,
    leaf_hashes,
    pad_hash,
    piece_hash,
    piece_level,
    subtree_root,
)

rows = st.integers(1, 40).map(lambda count: b"".join(sha256(b"%d" % n).digest() for n in range(count)))
piece_sizes = st.sampled_from([BLOCK, 2 * BLOCK, 4 * BLOCK, 8 * BLOCK])


def split(row: bytes) -> list[bytes]:
    return [row[at : at + HASH_BYTES] for at in range(0, len(row), HASH_BYTES)]


def naive_rows(leaves: bytes) -> list[list[bytes]]:
    """Every level of the whole tree, zero leaves included, as BEP 52 describes it."""
    row = split(leaves)
    while len(row) & (len(row) - 1):
        row.append(bytes(HASH_BYTES))
    levels = [row]
    while len(row) > 1:
        row = [sha256(row[at] + row[at + 1]).digest() for at in range(0, len(row), 2)]
        levels.append(row)
    return levels


def test_leaves_are_hashes_of_16_kib_and_the_last_is_not_padded() -> None:
    data = bytes(range(256)) * 100
    assert leaf_hashes(data) == sha256(data[:BLOCK]).digest() + sha256(data[BLOCK:]).digest()
    assert leaf_hashes(b"") == b""


@given(rows)
def test_root_is_that_of_the_whole_tree(leaves: bytes) -> None:
    assert subtree_root(leaves) == naive_rows(leaves)[-1][0]


@given(rows, st.integers(0, 3))
def test_root_above_any_level_fills_up_with_pad_hashes(leaves: bytes, level: int) -> None:
    levels = naive_rows(leaves)
    level = min(level, len(levels) - 1)
    used = -(-len(leaves) // HASH_BYTES // 2**level)
    row = b"".join(levels[level][:used])
    assert subtree_root(row, level, width=len(levels[level])) == levels[-1][0]


def test_pad_hashes_are_roots_of_zero_leaves() -> None:
    for level in range(5):
        assert pad_hash(level) == naive_rows(bytes(HASH_BYTES * 2**level))[-1][0]


@pytest.mark.parametrize(("row", "width"), [(b"", 0), (b"x", 0), (bytes(33), 0), (bytes(96), 2)])
def test_what_is_no_row_has_no_root(row: bytes, width: int) -> None:
    with pytest.raises(ValueError, match="hashes"):
        subtree_root(row, width=width)


@given(rows, piece_sizes, st.data())
def test_building_in_portions_gives_the_root_and_the_piece_layer(
    leaves: bytes, piece_size: int, data: st.DataObject
) -> None:
    builder = TreeBuilder(piece_size)
    at = 0
    while at < len(leaves):
        step = HASH_BYTES * data.draw(st.integers(1, 9))
        builder.add(leaves[at : at + step])
        at += step
    root, layer = builder.finish()
    levels = naive_rows(leaves)
    length = len(leaves) // HASH_BYTES * BLOCK
    pieces = -(-length // piece_size)
    assert root == levels[-1][0]
    assert layer == (b"" if pieces == 1 else b"".join(levels[piece_level(piece_size)][:pieces]))
    assert check_layer(root, layer, length, piece_size)
    per_piece = piece_size // BLOCK * HASH_BYTES
    hashes = [piece_hash(leaves[n * per_piece : (n + 1) * per_piece], length, piece_size) for n in range(pieces)]
    assert hashes == (split(layer) or [root])


def test_an_empty_file_has_no_root() -> None:
    with pytest.raises(ValueError, match="hashes"):
        TreeBuilder(BLOCK).finish()


def test_a_layer_of_another_size_or_content_is_refused() -> None:
    builder = TreeBuilder(2 * BLOCK)
    builder.add(leaf_hashes(bytes(5 * BLOCK)))
    root, layer = builder.finish()
    assert check_layer(root, layer, 5 * BLOCK, 2 * BLOCK)
    assert not check_layer(root, layer + pad_hash(1), 5 * BLOCK, 2 * BLOCK)
    assert not check_layer(root, layer[:-HASH_BYTES], 5 * BLOCK, 2 * BLOCK)
    assert not check_layer(root, b"", 5 * BLOCK, 2 * BLOCK)
    assert not check_layer(root, bytes([layer[0] ^ 1]) + layer[1:], 5 * BLOCK, 2 * BLOCK)


@settings(max_examples=30)
@given(rows, st.data())
def test_uncles_lead_from_any_leaf_to_the_root(leaves: bytes, data: st.DataObject) -> None:
    levels = naive_rows(leaves)
    index = data.draw(st.integers(0, len(levels[0]) - 1))
    uncles = b"".join(row[(index >> level) ^ 1] for level, row in enumerate(levels[:-1]))
    assert climb(levels[0][index], index, uncles) == levels[-1][0]
