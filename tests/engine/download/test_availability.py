"""Counts in planes, against a plain list of counts."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from bittern.base.bitfield import Bitfield, members
from bittern.engine.download.availability import Availability

SIZE = 19
SETS = st.frozensets(st.integers(0, SIZE - 1))


class Counts(RuleBasedStateMachine):
    """What is counted piece by piece is counted by sets of pieces."""

    def __init__(self) -> None:
        super().__init__()
        self.counted = Availability(SIZE)
        self.model = [0] * SIZE

    @rule(piece=st.integers(0, SIZE - 1), times=st.integers(1, 9))
    def gain(self, piece: int, times: int) -> None:
        for _ in range(times):
            self.counted.gain(piece)
        self.model[piece] += times

    @rule(piece=st.integers(0, SIZE - 1))
    def lose(self, piece: int) -> None:
        if self.model[piece]:
            self.counted.lose(piece)
            self.model[piece] -= 1

    @rule(pieces=SETS, times=st.integers(1, 5))
    def gain_all(self, pieces: frozenset[int], times: int) -> None:
        for _ in range(times):
            self.counted.gain_all(Bitfield(SIZE, pieces).as_int())
        for piece in pieces:
            self.model[piece] += times

    @rule(pieces=SETS)
    def lose_all(self, pieces: frozenset[int]) -> None:
        had = [piece for piece in pieces if self.model[piece]]
        self.counted.lose_all(Bitfield(SIZE, had).as_int())
        for piece in had:
            self.model[piece] -= 1

    @rule(pieces=SETS)
    def the_best_of_a_set(self, pieces: frozenset[int]) -> None:
        bits = Bitfield(SIZE, pieces).as_int()
        counts = [self.model[piece] for piece in pieces]
        rarest = {piece for piece in pieces if self.model[piece] == min(counts)}
        commonest = {piece for piece in pieces if self.model[piece] == max(counts)}
        assert {*members(self.counted.rarest(bits), SIZE)} == rarest
        assert {*members(self.counted.commonest(bits), SIZE)} == commonest

    @invariant()
    def agrees(self) -> None:
        assert [self.counted.of(piece) for piece in range(SIZE)] == self.model
        assert members(self.counted.counted(), SIZE) == [piece for piece in range(SIZE) if self.model[piece]]


TestCounts = Counts.TestCase
TestCounts.settings = settings(max_examples=60, stateful_step_count=40)
