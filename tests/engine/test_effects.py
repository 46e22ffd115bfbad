"""What the disk is asked about a piece with a hash tree, and what it answers."""

import hashlib
from random import Random

import pytest

from bittern.codec.hybrid import HybridHasher
from bittern.codec.merkle import PieceHasher
from bittern.engine.effects import PieceChecked, StoreExtent

DATA = Random(1).randbytes(32768)
LEAVES = b"".join(hashlib.sha256(DATA[at : at + 16384]).digest() for at in (0, 16384))
ROOT, SHA1 = hashlib.sha256(LEAVES).digest(), hashlib.sha1(DATA).digest()
WRONG_ROOT, WRONG_SHA1 = bytes(32), bytes(20)


def job(expected: bytes) -> StoreExtent:
    """With the whole piece 7 of torrent 3, which has two leaves."""
    data = memoryview(DATA)
    return StoreExtent(3, 7, 0, data, 7 * len(data), len(data), expected, None, leaves=2, data_length=len(data))


@pytest.mark.parametrize(("expected", "kind"), [(ROOT, PieceHasher), (SHA1 + ROOT, HybridHasher)])
def test_a_piece_is_hashed_to_what_is_expected_of_it(expected: bytes, kind: type[PieceHasher]) -> None:
    hasher = job(expected).hasher()
    hasher.update(DATA)
    assert type(hasher) is kind
    assert PieceChecked.of(job(expected), expected, hasher) == PieceChecked(3, 7, good=True)


@pytest.mark.parametrize(
    ("expected", "contradictory"),
    [
        (WRONG_ROOT, False),
        (WRONG_SHA1 + WRONG_ROOT, False),
        (SHA1 + WRONG_ROOT, True),
        (WRONG_SHA1 + ROOT, True),
    ],
)
def test_of_a_bad_piece_the_leaves_are_told_and_whether_the_torrent_contradicts_itself(
    expected: bytes,
    contradictory: bool,  # noqa: FBT001 - a case
) -> None:
    hasher = job(expected).hasher()
    hasher.update(DATA)
    checked = PieceChecked.of(job(expected), expected, hasher)
    assert checked == PieceChecked(3, 7, good=False, leaves=LEAVES, contradictory=contradictory)
