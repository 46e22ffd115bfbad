"""Runs of blocks in memory: how many there are, and where each lies in its slab."""

import pytest

from bittern.base.geometry import BLOCK
from bittern.engine.download.open_pieces import Extent, OpenPiece
from bittern.engine.download.slabs import SlabPool


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (1, [1]),
        (BLOCK, [BLOCK]),
        (2 * BLOCK + 7, [BLOCK, BLOCK, 7]),
        (4 * BLOCK, [BLOCK] * 4),
    ],
)
def test_the_blocks_of_an_extent_are_views_of_its_slab_one_after_the_other(length: int, expected: list[int]) -> None:
    slab = SlabPool(4 * BLOCK, 1).take()
    assert slab is not None
    extent = Extent(3, 64, length, slab)
    assert [len(body) for body in extent.bodies] == expected
    assert (extent.missing, len(extent.states), extent.begin, len(extent.data)) == (
        len(expected),
        len(expected),
        64 * BLOCK,
        length,
    )
    for number, body in enumerate(extent.bodies):
        body[:] = bytes([number + 1]) * len(body)
    whole = b"".join(bytes([number + 1]) * size for number, size in enumerate(expected))
    assert extent.data == whole


def test_a_piece_begins_with_all_its_extents_unopened_and_with_nobody() -> None:
    opened = OpenPiece(7, 3)
    assert (opened.piece, list(opened.unopened), opened.extents, opened.free) == (7, [0, 1, 2], {}, 0)
    assert (opened.owner, opened.left_to, opened.former_owner, opened.shelved) == (None, None, None, False)
