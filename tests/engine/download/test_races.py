"""Blocks that are asked of several, against a model: sets of askers by block."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bittern.engine.download.races import Races

BLOCKS = [(0, 0), (0, 1), (3, 9)]


class Runner:
    """One who was asked; `stubborn` ones do not have the request any more."""

    def __init__(self, number: int, *, stubborn: bool) -> None:
        self.number = number
        self.stubborn = stubborn
        self.shared: dict[tuple[int, int], None] = {}
        self.withdrawn: list[tuple[int, int]] = []

    def withdraw(self, piece: int, block: int) -> bool:
        self.withdrawn.append((piece, block))
        return not self.stubborn


class Track(RuleBasedStateMachine):
    """Four who are asked for three blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.races = Races()
        self.runners = [Runner(number, stubborn=number == 3) for number in range(4)]
        self.asked: dict[tuple[int, int], list[Runner]] = {key: [] for key in BLOCKS}
        self.superfluous: list[tuple[Runner, int, int]] = []

    keys = st.sampled_from(BLOCKS)

    @rule(key=keys, number=st.integers(0, 3))
    def asks(self, key: tuple[int, int], number: int) -> None:
        asked, runner = self.asked[key], self.runners[number]
        if runner in asked:
            return
        if asked:
            self.races.join(*key, asked[0], runner)
        asked.append(runner)

    @precondition(lambda self: any(self.asked.values()))
    @rule(key=keys, at=st.integers(0, 3))
    def comes(self, key: tuple[int, int], at: int) -> None:
        asked = self.asked[key]
        if asked:
            winner = asked[at % len(asked)]
            self.races.won(*key, winner)
            losers = [runner for runner in asked if runner is not winner]
            self.superfluous += [(runner, *key) for runner in losers if not runner.stubborn]
            assert all(runner.withdrawn[-1] == key for runner in losers)
            asked.clear()

    @precondition(lambda self: any(self.asked.values()))
    @rule(key=keys, at=st.integers(0, 3))
    def gives_up(self, key: tuple[int, int], at: int) -> None:
        asked = self.asked[key]
        if asked:
            runner = asked[at % len(asked)]
            assert self.races.left(*key, runner) is (len(asked) > 1)
            asked.remove(runner)

    @rule()
    def cancels_are_sent(self) -> None:
        assert self.races.take_superfluous() == self.superfluous
        self.superfluous = []

    @invariant()
    def who_shares_a_block_knows_it(self) -> None:
        for runner in self.runners:
            shared = {key for key, asked in self.asked.items() if runner in asked and len(asked) > 1}
            assert set(runner.shared) == shared


Track.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestTrack = Track.TestCase
