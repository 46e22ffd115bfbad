"""What is begun is finished first: the choice against a model that thinks it over from the start each time."""

from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from bittern.base.bitfield import Bitfield
from bittern.base.geometry import BLOCK
from bittern.engine.download.begun import too_many
from bittern.engine.download.download import Download
from bittern.engine.download.requests import Pipeline
from bittern.engine.settings import EngineSettings
from tests.engine.content import info_of

PIECES, BLOCKS, PEERS = 10, 3, 4
SIZE = BLOCKS * BLOCK
FAST, SLOW = float(SIZE), 100.0


def download_of(pieces: int = PIECES) -> Download:
    info, _ = info_of(pieces * SIZE, SIZE)
    return Download(1, info, Bitfield(pieces), Bitfield.full(pieces), EngineSettings(), Random(1))


def pipeline_of(download: Download, number: int, rate: float = SLOW) -> Pipeline:
    pipeline = download.pipeline(number)
    pipeline.proven = True
    pipeline.steer(rate)
    return pipeline


def bring(download: Download, pipeline: Pipeline) -> None:
    """The peer sends the oldest block that it owes; what is whole is stored."""
    pipeline.landed_run(pipeline.runs[0], 1, 1.0)
    for job in download.take_jobs():
        download.extent_done(job)
        download.piece_checked(job.piece, good=True)


class Finishing(RuleBasedStateMachine):
    """Four peers, and for each piece: the blocks that are free, whom the others were asked of, and whose it is."""

    def __init__(self) -> None:
        super().__init__()
        self.download = download_of()
        self.download.crowd = 1
        self.pipelines = [pipeline_of(self.download, number) for number in range(PEERS)]
        self.swift = [False] * PEERS
        self.free: dict[int, set[int]] = {}
        self.asked: list[list[tuple[int, int]]] = [[] for _ in range(PEERS)]
        self.whose: dict[int, int | None] = {}

    def allowed(self, peer: int, has: set[int]) -> set[int]:
        """The pieces of which one block may be asked of `peer` now."""
        partial = {piece for piece, free in self.free.items() if free}
        own = {piece for piece in partial & has if self.whose[piece] == peer}
        shared = {piece for piece in partial & has if self.whose[piece] is None}
        of_others = partial & has - own - shared
        new = has - self.free.keys()
        crowded = 2 * len(partial) >= 3 * self.download.crowd
        if self.swift[peer]:
            order = [own, shared, of_others, new] if crowded else [own, new, shared, of_others]
        else:
            order = [own | shared, of_others, new] if crowded else [own | shared, new, of_others]
        return next((choice for choice in order if choice), set())

    @rule(peer=st.integers(0, PEERS - 1), has=st.sets(st.integers(0, PIECES - 1)))
    def ask(self, peer: int, has: set[int]) -> None:
        pipeline = self.pipelines[peer]
        allowed = self.allowed(peer, has) if pipeline.room else set[int]()
        runs = self.download.ask(pipeline, Bitfield(PIECES, has), 1, 0.0)
        if not allowed:
            assert runs == []
            return
        [run] = runs
        assert run.piece in allowed
        if run.piece not in self.free:
            self.free[run.piece] = set(range(BLOCKS))
            self.whose[run.piece] = peer if self.swift[peer] else None
        self.free[run.piece].remove(run.first)
        self.asked[peer].append((run.piece, run.first))

    @rule(peer=st.integers(0, PEERS - 1))
    def brings(self, peer: int) -> None:
        if self.asked[peer]:
            self.asked[peer].pop(0)
            bring(self.download, self.pipelines[peer])

    @rule(peer=st.integers(0, PEERS - 1))
    def chokes(self, peer: int) -> None:
        self.pipelines[peer].give_up(forgive=True)
        for piece, block in self.asked[peer]:
            self.free[piece].add(block)
        self.asked[peer] = []
        self.slows_down(peer)

    @rule(peer=st.integers(0, PEERS - 1))
    def speeds_up(self, peer: int) -> None:
        self.pipelines[peer].steer(FAST)
        self.swift[peer] = True

    @rule(peer=st.integers(0, PEERS - 1))
    def slows_down(self, peer: int) -> None:
        self.pipelines[peer].steer(SLOW)
        self.swift[peer] = False
        self.whose.update({piece: None for piece, whose in self.whose.items() if whose == peer})

    @rule(crowd=st.integers(1, 6))
    def peers_come_and_go(self, crowd: int) -> None:
        self.download.crowd = crowd

    @invariant()
    def agrees(self) -> None:
        self.download.check_invariants()
        assert self.download.assembly.asked == sum(map(len, self.asked))


TestFinishing = Finishing.TestCase
TestFinishing.settings = settings(max_examples=120, stateful_step_count=50)


def asked_of(download: Download, pipeline: Pipeline, has: Bitfield, most: int) -> dict[int, int]:
    """Blocks of each piece that it is asked for now."""
    counts: dict[int, int] = {}
    for run in download.ask(pipeline, has, most, 0.0):
        counts[run.piece] = counts.get(run.piece, 0) + run.count
    return counts


def test_fast_peers_have_pieces_of_their_own_and_slow_ones_share_one() -> None:
    download, everything = download_of(), Bitfield.full(PIECES)
    download.crowd = 10
    fast = [pipeline_of(download, number, FAST) for number in (1, 2)]
    slow = [pipeline_of(download, number) for number in (3, 4, 5)]
    [shared] = {piece for each in slow for piece in asked_of(download, each, everything, 1)}
    own = [asked_of(download, each, everything, 1) for each in fast for _ in range(BLOCKS)]
    assert len({*own[0], *own[3], shared}) == 3
    assert own == [own[0]] * BLOCKS + [own[3]] * BLOCKS, "each block of a piece comes from one peer"


@pytest.mark.parametrize("how", ["slows down", "chokes", "rejects", "goes on"])
def test_what_a_fast_peer_began_is_for_all_as_soon_as_it_does_not_go_on(how: str) -> None:
    download = download_of()
    download.crowd = 10
    fast, slow = pipeline_of(download, 1, FAST), pipeline_of(download, 2)
    assert asked_of(download, fast, Bitfield(PIECES, [3]), 1) == {3: 1}
    match how:
        case "slows down":
            fast.steer(SLOW)
        case "chokes":
            fast.give_up(forgive=True)
        case "rejects":
            assert fast.rejected(3, 0)
    goes_on = how == "goes on"
    assert asked_of(download, slow, Bitfield(PIECES, [3, 7]), 1) == ({7: 1} if goes_on else {3: 1})
    download.check_invariants()


def test_with_nothing_left_to_begin_who_can_helps() -> None:
    download, everything = download_of(1), Bitfield.full(1)
    download.crowd = 10
    one, other, slow = pipeline_of(download, 1, FAST), pipeline_of(download, 2, FAST), pipeline_of(download, 3)
    assert [asked_of(download, each, everything, 1) for each in (one, other, slow)] == [{0: 1}] * 3


@pytest.mark.parametrize(("partial", "peers", "enough"), [(0, 0, False), (1, 1, False), (2, 1, True), (15, 10, True)])
def test_three_pieces_for_two_peers_are_enough(partial: int, peers: int, enough: bool) -> None:  # noqa: FBT001 - a parameter
    assert too_many(partial, peers) is enough
