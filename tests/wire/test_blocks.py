import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.geometry import BLOCK
from bittern.wire.blocks import HEAD, Run, block_heads, block_requests, heads_from
from bittern.wire.messages import Piece, Request

PIECES = st.integers(0, 2**32 - 1)
FIRSTS = st.integers(0, 2**18 - 17)
COUNTS = st.integers(1, 16)
LASTS = st.integers(1, BLOCK)


def head(piece: int, begin: int, length: int) -> bytes:
    return Piece(piece, begin, bytes(length)).encode()[:HEAD]


@given(PIECES, FIRSTS, COUNTS, LASTS)
def test_headers_made_by_stride_are_those_made_one_by_one(piece: int, first: int, count: int, last: int) -> None:
    lengths = [BLOCK] * (count - 1) + [last]
    wanted = b"".join(head(piece, (first + at) * BLOCK, length) for at, length in enumerate(lengths))
    assert block_heads(piece, first, count, last) == wanted
    assert heads_from(piece, first * BLOCK, (count - 1) * BLOCK + last) == wanted


@given(PIECES, FIRSTS, COUNTS, LASTS)
def test_requests_made_by_stride_are_those_made_one_by_one(piece: int, first: int, count: int, last: int) -> None:
    lengths = [BLOCK] * (count - 1) + [last]
    wanted = b"".join(Request(piece, (first + at) * BLOCK, length).encode() for at, length in enumerate(lengths))
    assert block_requests(piece, first, count, last) == wanted


@given(PIECES, st.integers(0, 2**32 - 1).filter(lambda begin: begin % BLOCK), LASTS)
def test_an_odd_request_has_one_header(piece: int, begin: int, length: int) -> None:
    assert heads_from(piece, begin, length) == head(piece, begin, length)


def bodies(*lengths: int) -> list[memoryview]:
    return [memoryview(bytearray(length)) for length in lengths]


def test_a_run_asks_only_for_what_is_not_done() -> None:
    run = Run(7, 3, bodies(BLOCK, BLOCK, 100))
    run.done = 1
    assert run.blocks == range(4, 6)
    assert run.requests() == Request(7, 4 * BLOCK, BLOCK).encode() + Request(7, 5 * BLOCK, 100).encode()


@pytest.mark.parametrize(("first", "stop"), [(3, 4), (3, 6), (4, 5), (5, 6)])
def test_a_part_of_a_run_keeps_the_places_of_its_blocks(first: int, stop: int) -> None:
    run = Run(7, 3, bodies(BLOCK, BLOCK, 100))
    part = run.part(first, stop)
    assert part.blocks == range(first, stop)
    assert all(ours is theirs for ours, theirs in zip(part.bodies, run.bodies[first - 3 : stop - 3], strict=True))
    assert part.heads == run.heads[(first - 3) * HEAD : (stop - 3) * HEAD]
