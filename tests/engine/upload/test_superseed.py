"""What is shown to whom: never more than is open, nothing twice, and in the end everything."""

from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bittern.base.bitfield import Bitfield
from bittern.engine.upload.superseed import ALONE_AT_A_TIME, AT_A_TIME, FED_COPIES, PATIENCE_ROUNDS, SuperSeed

PIECES = 12


class Showing(RuleBasedStateMachine):
    """Peers come, get pieces from us and from each other, and go."""

    def __init__(self) -> None:
        super().__init__()
        self.part = SuperSeed(PIECES, Random(3))
        self.peers: dict[int, Bitfield] = {}
        self.shown: dict[int, set[int]] = {}
        self.last = 0

    @initialize(knowing=st.integers(0, 2))
    def begin_late(self, knowing: int) -> None:
        """Some were there before, and know everything."""
        self.part = SuperSeed(PIECES, Random(3), range(1, knowing + 1))
        for number in range(1, knowing + 1):
            self.peers[number], self.shown[number] = Bitfield(PIECES), set(range(PIECES))
        self.last = knowing
        self.take(self.part.update(self.peers))

    def take(self, more: list[tuple[int, int]]) -> None:
        for number, piece in more:
            assert piece not in self.shown[number], "shown twice"
            self.shown[number].add(piece)

    @precondition(lambda self: len(self.peers) < 5)
    @rule(has=st.sets(st.integers(0, PIECES - 1), max_size=6))
    def join(self, has: set[int]) -> None:
        self.last += 1
        self.peers[self.last] = Bitfield(PIECES, has)
        self.shown[self.last] = set()
        self.take(self.part.update({self.last: self.peers[self.last]}))

    @precondition(lambda self: self.peers)
    @rule(at=st.integers(0, 9), piece=st.integers(0, PIECES - 1))
    def get(self, at: int, piece: int) -> None:
        number = sorted(self.peers)[at % len(self.peers)]
        others = [has for other, has in self.peers.items() if other != number]
        if piece in self.shown[number] or any(piece in has for has in others):
            self.peers[number].add(piece)
            self.take(self.part.update({number: self.peers[number]}))

    @precondition(lambda self: self.peers)
    @rule(at=st.integers(0, 9))
    def leave(self, at: int) -> None:
        number = sorted(self.peers)[at % len(self.peers)]
        del self.peers[number], self.shown[number]
        self.part.keep_only(self.peers)

    @rule()
    def wait(self) -> None:
        self.take(self.part.next_round())

    @invariant()
    def knows_the_copies(self) -> None:
        copies = [sum(piece in has for has in self.peers.values()) for piece in range(PIECES)]
        assert self.part._copies == copies
        assert self.part.fed == all(count >= FED_COPIES for count in copies)

    @invariant()
    def shows_what_it_says(self) -> None:
        for number, shown in self.shown.items():
            assert {piece for piece in range(PIECES) if self.part.shows(number, piece)} == shown
            hidden = set(range(PIECES)) - shown - set(self.peers[number])
            assert set(self.part.hidden(number)) == hidden
            assert len(self.part._views[number].open) <= ALONE_AT_A_TIME

    def teardown(self) -> None:
        """With patience, every peer is shown what the swarm lacks."""
        for _ in range(PIECES * (PATIENCE_ROUNDS + 1)):
            for number, shown in self.shown.items():
                for piece in shown:
                    self.peers[number].add(piece)
            self.take(self.part.update(self.peers))
            self.take(self.part.next_round())
        if len(self.peers) >= FED_COPIES:
            assert self.part.fed
        elif self.peers:
            assert all(has.complete for has in self.peers.values())


TestShowing = Showing.TestCase
TestShowing.settings = settings(max_examples=50, stateful_step_count=30)


def test_different_peers_are_shown_different_pieces_first() -> None:
    part = SuperSeed(PIECES, Random(1))
    peers = {number: Bitfield(PIECES) for number in range(1, 5)}
    part.update({1: peers[1]})
    shown = [piece for _, piece in part.update({number: peers[number] for number in (2, 3)})]
    assert len(set(shown)) == len(shown) == 2 * AT_A_TIME
    assert not any(part.shows(1, piece) for piece in shown)


def test_a_piece_that_was_passed_on_makes_room_for_the_next() -> None:
    part = SuperSeed(PIECES, Random(1))
    ann, bob = Bitfield(PIECES), Bitfield(PIECES)
    part.update({1: ann, 2: bob})
    mine = next(piece for piece in range(PIECES) if part.shows(1, piece) and not part.shows(2, piece))
    ann.add(mine)
    assert part.update({1: ann}) == []
    bob.add(mine)
    assert [number for number, _ in part.update({2: bob})] in ([1], [])


def test_who_finds_nobody_to_take_a_piece_is_shown_another_after_a_while() -> None:
    part = SuperSeed(PIECES, Random(1))
    ann, bob = Bitfield(PIECES), Bitfield(PIECES)
    part.update({1: ann, 2: bob})
    for piece in range(PIECES):
        if part.shows(1, piece):
            ann.add(piece)
    assert part.update({1: ann}) == []
    rounds = [part.next_round() for _ in range(PATIENCE_ROUNDS)]
    assert rounds[:-1] == [[]] * (PATIENCE_ROUNDS - 1)
    assert {number for number, _ in rounds[-1]} == {1}
