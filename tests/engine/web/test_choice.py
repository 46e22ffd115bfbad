"""Which pieces a web seed is to bring, against the rule in plain words."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from bittern.base.bitfield import Bitfield
from bittern.base.geometry import BLOCK
from bittern.engine.download.download import Download
from bittern.engine.settings import EngineSettings
from bittern.engine.web.choice import next_run, passing_run, ranges_of, rest_of_begun
from bittern.engine.web.runs import run_mask
from bittern.engine.web.seed import WebSeed
from bittern.wire.webseed import WebLayout, WebUrl
from tests.engine.content import info_of

PIECES = 20
INFO, _ = info_of(PIECES * BLOCK - 7, BLOCK)

pieces = st.sets(st.integers(0, PIECES - 1))


def case(have: set[int], *, slabs: int = 100) -> tuple[Download, WebSeed]:
    config = EngineSettings(buffer_bytes=slabs * BLOCK)
    download = Download(1, INFO, Bitfield(PIECES, have), Bitfield.full(PIECES), config, Random(1))
    url = WebUrl.parse("http://a/")
    assert url is not None
    return download, WebSeed(-1, "http://a/", url, Random(1))


def lack(seed: WebSeed, lacking: set[int]) -> None:
    for piece in lacking:
        seed.lacks |= run_mask(piece, piece + 1, PIECES)


def longest(free: set[int]) -> int:
    """Of its runs of neighbours."""
    return max((next(n for n in range(1, PIECES + 2) if piece + n not in free) for piece in free), default=0)


@given(
    have=pieces,
    lacking=pieces,
    last=st.integers(-1, PIECES - 1),
    most=st.integers(1, 8),
    in_order=st.booleans(),
)
def test_the_next_run_is_free_and_long_and_behind_the_last_if_it_can_be(
    *, have: set[int], lacking: set[int], last: int, most: int, in_order: bool
) -> None:
    download, seed = case(have)
    lack(seed, lacking)
    seed.stretch = most * BLOCK
    free = {*range(PIECES)} - have - lacking
    run = next_run(download, seed, last, in_order=in_order)
    assert free.issuperset(run)
    if not free:
        assert not run
    elif in_order:
        assert run[0] == min(free)
    else:
        assert min(longest(free), most) <= 2 * len(run) <= 2 * most
        following = longest(free & {*range(last + 1, PIECES)}) and last + 1 in free
        if following and run[0] != last + 1:
            assert len(run) > 2 * next(n for n in range(PIECES) if last + 1 + n not in free)


def test_what_is_needed_first_comes_first() -> None:
    download, seed = case({0, 1})
    download.urgent.set(9, 1.0)
    assert next_run(download, seed, 3, in_order=False)[0] == 9


@given(pieces, pieces, st.integers(0, PIECES * BLOCK), st.integers(0, PIECES * BLOCK))
def test_of_what_comes_anyway_the_first_free_run_is_taken(
    have: set[int], lacking: set[int], at: int, until: int
) -> None:
    download, seed = case(have)
    lack(seed, lacking)
    passing = {piece for piece in {*range(PIECES)} - have - lacking if at <= piece * BLOCK < until}
    run = passing_run(download, seed, at, until)
    assert [*run][:1] == sorted(passing)[:1]
    assert passing.issuperset(run)


def test_the_rest_of_a_begun_piece_is_asked_for_unless_it_is_anothers() -> None:
    big, _ = info_of(4 * 3 * BLOCK - 5, 3 * BLOCK)
    download = Download(1, big, Bitfield(4), Bitfield.full(4), EngineSettings(), Random(1))
    _, seed = case(set())
    for piece, owner, left_to in ((0, 7, None), (1, None, 7), (2, None, None)):
        download.picker.begun(piece)
        download.assembly.open(piece, owner, 0.0, left_to=left_to)
        download.assembly.allot(piece, 1)
    runs = rest_of_begun(download, seed, alone=False)
    assert [(run.piece, run.first, run.count) for run in runs] == [(2, 1, 2)]
    parts = ranges_of(download, WebLayout(big), runs)
    assert [(part.offset, part.length) for part in parts] == [(7 * BLOCK, 2 * BLOCK)]
    assert [run.piece for run in rest_of_begun(download, seed, alone=True)] == [1]
    assert rest_of_begun(download, seed, alone=True) == []
