"""Where bytes land, against a plain list of what came."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.bitfield import Bitfield
from bittern.base.geometry import BLOCK
from bittern.engine.download.download import Download
from bittern.engine.settings import EngineSettings
from bittern.engine.web.cursor import Cursor
from tests.engine.content import info_of

PIECES, BLOCKS = 6, 3
SIZE = PIECES * BLOCKS * BLOCK - 100


def download(slabs: int = 100) -> tuple[Download, bytes]:
    info, data = info_of(SIZE, BLOCKS * BLOCK)
    config = EngineSettings(buffer_bytes=slabs * BLOCKS * BLOCK)
    return Download(1, info, Bitfield(PIECES), Bitfield.full(PIECES), config, Random(1)), data


def bring(cursor: Cursor, data: bytes, at: int, stop: int, step: int = 1 << 20) -> int:
    """Bytes come as far as there is room; where that ended."""
    while at < stop and (places := cursor.place(at, min(step, stop - at))):
        count = 0
        for place in places:
            place[:] = data[at + count : at + count + len(place)]
            count += len(place)
        assert 0 < count <= stop - at
        cursor.landed(at, count)
        at += count
    return at


def stored(case: Download) -> dict[int, bytes]:
    """Whole pieces that the disk was given, which it says are good."""
    found = {}
    for job in case.take_jobs():
        found[job.piece] = bytes(job.data)
        case.extent_done(job)
        case.piece_checked(job.piece, good=True)
    case.check_invariants()
    return found


@given(
    st.sets(st.integers(0, PIECES - 1), min_size=1), st.integers(0, SIZE - 1), st.sampled_from([1000, BLOCK, 70_000])
)
def test_bytes_of_the_run_land_in_their_pieces_and_others_fall(pieces: set[int], begin: int, step: int) -> None:
    """As from a server that sends the whole file, or from some byte on."""
    case, data = download()
    geometry = case.geometry
    expected = [piece for piece in sorted(pieces) if geometry.offset(piece) >= begin]
    cursor = Cursor(-1, case, memoryview(bytearray(5000)))
    cursor.begin(expected, 0.0)
    case.check_invariants()
    assert bring(cursor, data, begin, SIZE, step) == SIZE
    assert not cursor.busy
    spans = {piece: geometry.offset(piece) for piece in expected}
    assert stored(case) == {piece: data[at : at + geometry.piece_length(piece)] for piece, at in spans.items()}


@given(st.integers(0, 3 * BLOCKS * BLOCK - 1))
def test_what_is_given_up_may_be_asked_of_others(stop: int) -> None:
    case, data = download()
    cursor = Cursor(-1, case, memoryview(bytearray(5000)))
    cursor.begin(range(3), 0.0)
    bring(cursor, data, 0, stop)
    cursor.give_up()
    assert not cursor.busy
    case.check_invariants()
    assert case.assembly.asked == 0
    whole = stop // (BLOCKS * BLOCK)
    assert sorted(stored(case)) == [*range(whole)]
    for piece in range(whole + 1, PIECES):
        assert piece in case.picker
    other = Cursor(-2, case, memoryview(bytearray(5000)))
    runs = [run for piece in [*case.assembly.askable] for run in [case.assembly.allot(piece, 64)] if run is not None]
    other.help(runs)
    for run in runs:
        bring(other, data, case.geometry.offset(run.piece, run.first * BLOCK), case.geometry.offset(run.piece + 1))
    stored(case)
    assert not case.assembly.asked


def test_without_memory_nothing_lands_and_others_are_told() -> None:
    case, data = download(slabs=2)
    cursor = Cursor(-1, case, memoryview(bytearray(5000)))
    cursor.begin(range(4), 0.0)
    assert bring(cursor, data, 0, SIZE) == 2 * BLOCKS * BLOCK
    assert sorted(stored(case)) == [0, 1]
    assert bring(cursor, data, 2 * BLOCKS * BLOCK, 4 * BLOCKS * BLOCK) == 4 * BLOCKS * BLOCK


def test_pieces_that_nothing_came_of_go_back_the_last_first() -> None:
    case, data = download()
    cursor = Cursor(-1, case, memoryview(bytearray(5000)))
    cursor.begin(range(5), 0.0)
    bring(cursor, data, 0, 10)
    assert cursor.owes() == [0, 1, 2, 3, 4, 0]
    assert cursor.hand_back(3) == [4, 3]
    assert cursor.hand_back(0) == [2, 1]
    assert cursor.hand_back(0) == []
    assert [piece for piece in range(5) if piece in case.picker] == [1, 2, 3, 4]
    case.check_invariants()


def test_nothing_is_shared() -> None:
    case, _ = download()
    assert Cursor(-1, case, memoryview(bytearray(1))).withdraw(0, 0) is False


@pytest.mark.parametrize("at", [0, BLOCK])
def test_of_what_others_began_only_the_rest_lands(at: int) -> None:
    case, data = download()
    case.picker.begun(0)
    case.assembly.open(0)
    first = case.assembly.allot(0, 1)
    rest = case.assembly.allot(0, 64)
    assert first is not None
    assert rest is not None
    cursor = Cursor(-1, case, memoryview(bytearray(5000)))
    cursor.help([rest])
    assert cursor.owes() == [0]
    bring(cursor, data, at, BLOCKS * BLOCK)
    assert not cursor.busy
    assert case.assembly.asked == 1


STEPS = st.lists(
    st.tuples(st.sampled_from(["begin", "body", "body", "back"]), st.integers(0, SIZE - 1), st.integers(1, SIZE)),
    max_size=12,
)


@given(STEPS, st.sampled_from([1000, BLOCK, 70_000, SIZE]))
def test_whatever_comes_lands_in_its_place_or_nowhere(steps: list[tuple[str, int, int]], step: int) -> None:
    """Runs in any order, pieces given back amid what comes, bodies from anywhere; and then what is lacking comes."""
    case, data = download()
    cursor = Cursor(-1, case, memoryview(bytearray(5000)))
    found: dict[int, bytes] = {}
    for kind, at, length in steps:
        if kind == "begin" and (free := [piece for piece in range(PIECES) if piece in case.picker]):
            first = free[at % len(free)]
            cursor.begin([piece for piece in range(first, first + 1 + length % 3) if piece in free], 0.0)
        elif kind == "body":
            bring(cursor, data, at, min(SIZE, at + length), step)
        elif kind == "back":
            cursor.hand_back(length % 3)
        found |= stored(case)
    for offset, length in cursor.lacking():
        assert cursor.awaits(offset, offset + 1)
        assert bring(cursor, data, offset, offset + length, step) == offset + length
        found |= stored(case)
    assert not cursor.busy
    assert cursor.lacking() == []
    assert not cursor.awaits(0, SIZE)
    for piece, body in found.items():
        assert body == data[piece * BLOCKS * BLOCK :][: len(body)]
    assert case.assembly.asked == 0


def test_what_waits_is_taken_in_one_go_over_pieces() -> None:
    case, data = download()
    cursor = Cursor(-1, case, memoryview(bytearray(5000)))
    cursor.begin(range(5), 0.0)
    size = BLOCKS * BLOCK
    offered = []
    at = 0
    for _ in range(3):
        places = cursor.place(at, SIZE)
        offered.append(len(places))
        at = bring(cursor, data, at, at + sum(map(len, places)))
    assert offered == [1, 2, 2]
    assert at == 5 * size
    assert sorted(stored(case)) == [0, 1, 2, 3, 4]


def test_what_trickles_takes_no_memory_ahead() -> None:
    case, _ = download()
    cursor = Cursor(-1, case, memoryview(bytearray(5000)))
    cursor.begin(range(5), 0.0)
    for at in range(0, 2 * BLOCKS * BLOCK, 4096):
        cursor.place(at, SIZE)
        cursor.landed(at, 4096)
        assert case.assembly.slabs.used <= at // (BLOCKS * BLOCK) + 2


def test_bytes_behind_those_that_are_to_come_next_fall() -> None:
    """The pieces before them were chosen later, and are asked for next."""
    case, data = download()
    cursor = Cursor(-1, case, memoryview(bytearray(5000)))
    cursor.begin([0, 1], 0.0)
    size = BLOCKS * BLOCK
    assert not cursor.awaits(2 * size, SIZE)
    bring(cursor, data, 2 * size, 3 * size)
    assert cursor.lacking() == [(0, 2 * size)]
    bring(cursor, data, 0, size + 100)
    assert cursor.lacking() == [(size + 100, size - 100)]
    assert cursor.awaits(size + 100, SIZE)
