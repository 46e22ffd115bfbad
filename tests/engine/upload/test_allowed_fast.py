import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.bitfield import Bitfield
from bittern.base.geometry import BLOCK, Geometry
from bittern.base.ids import InfoHashV1
from bittern.engine.upload.allowed_fast import (
    ALLOWED_BYTES,
    ALLOWED_PIECES,
    allowance,
    allowed_fast_set,
    is_beginner,
    offers_per_round,
)

HASH = InfoHashV1(b"\xaa" * 20)


@pytest.mark.parametrize(
    ("count", "expected"),
    [(7, (1059, 431, 808, 1217, 287, 376, 1188)), (9, (1059, 431, 808, 1217, 287, 376, 1188, 353, 508))],
)
def test_the_examples_of_bep_6(count: int, expected: tuple[int, ...]) -> None:
    assert allowed_fast_set("80.4.4.200", HASH, 1313, count) == expected


def test_neighbours_of_one_network_are_allowed_the_same() -> None:
    assert allowed_fast_set("80.4.4.200", HASH, 1313, 9) == allowed_fast_set("80.4.4.3", HASH, 1313, 9)
    assert allowed_fast_set("80.4.4.200", HASH, 1313, 9) != allowed_fast_set("80.4.5.200", HASH, 1313, 9)
    assert allowed_fast_set("2001:db8::1", HASH, 1313, 9) == allowed_fast_set("2001:db8::2", HASH, 1313, 9)
    assert allowed_fast_set("2001:db8::1", HASH, 1313, 9) != allowed_fast_set("2001:db8:0:1::1", HASH, 1313, 9)


@given(st.ip_addresses(), st.binary(min_size=20, max_size=20), st.integers(0, 50), st.integers(0, 12))
def test_so_many_different_pieces_of_the_torrent(host: object, info_hash: bytes, pieces: int, count: int) -> None:
    chosen = allowed_fast_set(str(host), InfoHashV1(info_hash), pieces, count)
    assert len(set(chosen)) == len(chosen) == min(count, pieces)
    assert all(0 <= piece < pieces for piece in chosen)


@given(st.integers(1, 40).map(lambda power: power * BLOCK * 13), st.integers(1, 60))
def test_what_is_allowed_is_bounded_in_bytes(piece_size: int, pieces: int) -> None:
    geometry = Geometry(pieces * piece_size - 5, piece_size)
    allowed = allowance("80.4.4.200", HASH, geometry)
    assert 1 <= len(allowed) <= ALLOWED_PIECES
    assert len(allowed) == 1 or len(allowed) * piece_size <= ALLOWED_BYTES
    assert all(blocks == geometry.block_count(piece) for piece, blocks in allowed.items())


def test_who_has_more_pieces_than_it_could_be_allowed_is_no_beginner() -> None:
    assert is_beginner(None)
    assert is_beginner(Bitfield(40, range(ALLOWED_PIECES)))
    assert not is_beginner(Bitfield(40, range(ALLOWED_PIECES + 1)))


@pytest.mark.parametrize(("slots", "offers"), [(0, 0), (1, 1), (4, 1), (5, 2), (8, 2)])
def test_offers_follow_the_slots(slots: int, offers: int) -> None:
    assert offers_per_round(slots) == offers
