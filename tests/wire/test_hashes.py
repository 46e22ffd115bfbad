import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.errors import LocalProtocolError, Offence, RemoteProtocolError
from bittern.wire.hashes import HASH_BYTES, Hashes, HashRange, HashRequest, parse_hashes

ROOT = b"\x07" * HASH_BYTES


def payload(base: int, index: int, length: int, proofs: int) -> bytes:
    return ROOT + b"".join(number.to_bytes(4) for number in (base, index, length, proofs))


@pytest.mark.parametrize(
    ("base", "index", "length", "proofs"),
    [(0, 0, 0, 0), (0, 0, 3, 0), (0, 1, 2, 0), (0, 256, 512, 3), (65, 0, 2, 0), (0, 0, 2, 65), (2**32 - 1, 0, 2, 0)],
)
def test_rows_that_no_tree_has_are_an_offence(base: int, index: int, length: int, proofs: int) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        HashRange.parse(payload(base, index, length, proofs))
    assert caught.value.offence is Offence.BAD_HASH_REQUEST


@given(st.integers(0, 9), st.integers(1, 20))
def test_a_row_and_its_uncles_reach_the_root(width: int, height: int) -> None:
    """BEP 52: of the proof layers, the first log2(length) - 1 follow from the row itself and are left out."""
    span = HashRange(ROOT, 0, 0, 1 << width, max(width, height) - 1)
    assert span.uncles == max(width, height) - width


@given(st.integers(-64, 64).filter(bool))
def test_an_answer_of_another_length_than_it_says_is_an_offence(change: int) -> None:
    body = payload(0, 0, 4, 3) + bytes(HASH_BYTES * 6 + change)
    with pytest.raises(RemoteProtocolError) as caught:
        parse_hashes(body)
    assert caught.value.offence is Offence.BAD_MESSAGE_LENGTH
    right = parse_hashes(payload(0, 0, 4, 3) + bytes(HASH_BYTES * 6))
    assert right == Hashes(HashRange(ROOT, 0, 0, 4, 3), bytes(HASH_BYTES * 6))


def test_we_cannot_name_a_row_that_does_not_fit_the_wire() -> None:
    for span in (HashRange(b"short", 0, 0, 2, 0), HashRange(ROOT, 0, 1 << 32, 2, 0)):
        with pytest.raises(LocalProtocolError):
            HashRequest(span).encode()
