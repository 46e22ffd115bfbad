"""The picker's order that is kept up to date, against one that is computed each time."""

from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bittern.base.bitfield import Bitfield
from bittern.engine.download.picker import RANDOM_FIRST, Picker
from bittern.engine.download.priorities import NORMAL

SIZE = 12
PIECES = st.integers(0, SIZE - 1)


class Rarest(RuleBasedStateMachine):
    """A picker and the plainest model of it: a count for each piece, and which are to be had."""

    sequential = False

    def __init__(self) -> None:
        super().__init__()
        missing = Bitfield(SIZE, range(1, SIZE))  # piece 0 is here already
        self.picker = Picker(SIZE, missing, Random(2), sequential=self.sequential)
        self.copies = [0] * SIZE
        self.waiting = set(range(1, SIZE))
        self.begun: list[int] = []
        self.picked = 0
        self.priorities = [NORMAL] * SIZE
        self.members: list[frozenset[int]] = []

    @rule(piece=PIECES)
    def gained(self, piece: int) -> None:
        self.picker.peer_gained(piece)
        self.copies[piece] += 1

    @rule(piece=PIECES, times=st.integers(2, 6))
    def gained_often(self, piece: int, times: int) -> None:
        for _ in range(times):
            self.gained(piece)

    @rule(piece=PIECES)
    def lost(self, piece: int) -> None:
        if self.copies[piece]:
            self.picker.peer_lost(piece)
            self.copies[piece] -= 1

    @rule(has=st.frozensets(PIECES))
    def joined(self, has: frozenset[int]) -> None:
        self.picker.peer_joined(Bitfield(SIZE, has))
        self.members.append(has)
        for piece in has:
            self.copies[piece] += 1

    @precondition(lambda self: self.members)
    @rule(at=st.integers(0, SIZE))
    def left(self, at: int) -> None:
        has = self.members.pop(at % len(self.members))
        has = frozenset(piece for piece in has if self.copies[piece])  # it may have lost some one by one
        self.picker.peer_left(Bitfield(SIZE, has))
        for piece in has:
            self.copies[piece] -= 1

    @rule(priorities=st.lists(st.integers(0, 7), min_size=SIZE, max_size=SIZE))
    def prioritize(self, priorities: list[int]) -> None:
        self.priorities = priorities
        self.waiting = {piece for piece in range(1, SIZE) if priorities[piece] and piece not in self.begun}
        self.picker.prioritize(priorities, Bitfield(SIZE, self.waiting))

    @rule(has=st.one_of(st.just(frozenset(range(SIZE))), st.frozensets(PIECES)), common=st.booleans())
    def pick(self, has: frozenset[int], *, common: bool) -> None:
        if len(has) < SIZE:
            for piece in has:
                self.gained(piece)  # the peer is one that was counted
        picked = self.picker.pick(Bitfield(SIZE, has), common=common)
        wanted = self.waiting & has
        if not wanted:
            assert picked is None
            return
        assert picked in wanted
        highest = max(self.priorities[piece] for piece in wanted)
        wanted = {piece for piece in wanted if self.priorities[piece] == highest}
        assert picked in wanted
        assert picked is not None
        copies = [self.copies[piece] for piece in wanted]
        if self.sequential:
            assert picked == min(wanted)
        elif common:
            assert self.copies[picked] == max(copies)
        elif self.picked >= RANDOM_FIRST:
            assert self.copies[picked] == min(copies)
        self.picker.begun(picked)
        self.picked += 1
        self.waiting.discard(picked)
        self.begun.append(picked)

    @precondition(lambda self: self.begun)
    @rule(at=st.integers(0, SIZE))
    def returned(self, at: int) -> None:
        piece = self.begun.pop(at % len(self.begun))
        if self.priorities[piece]:
            self.picker.returned(piece)
            self.waiting.add(piece)

    @invariant()
    def agrees(self) -> None:
        self.picker.check_invariants()
        assert len(self.picker) == len(self.waiting)
        assert [piece in self.picker for piece in range(SIZE)] == [piece in self.waiting for piece in range(SIZE)]
        assert [self.picker.availability(piece) for piece in range(SIZE)] == self.copies
        assert [self.picker.priority(piece) for piece in range(SIZE)] == self.priorities


class InOrder(Rarest):
    """As Rarest, lowest piece first."""

    sequential = True


TestRarest = Rarest.TestCase
TestRarest.settings = settings(max_examples=60, stateful_step_count=40)
TestInOrder = InOrder.TestCase
TestInOrder.settings = settings(max_examples=25, stateful_step_count=30)


def picks(seed: int) -> list[int]:
    picker = Picker(100, Bitfield.full(100), Random(seed))
    order = []
    while (piece := picker.pick(Bitfield.full(100))) is not None:
        picker.begun(piece)
        order.append(piece)
    return order


def test_pieces_of_equal_availability_come_in_an_order_of_chance() -> None:
    """Else every peer of a new swarm would fetch the same pieces."""
    assert sorted(picks(1)) == list(range(100))
    assert picks(1) != picks(2)
    assert picks(1) == picks(1)


def test_the_first_pieces_are_random_even_where_a_rarer_one_is() -> None:
    first = set()
    for seed in range(40):
        picker = Picker(50, Bitfield.full(50), Random(seed))
        for piece in range(1, 50):
            picker.peer_gained(piece)
        first.add(picker.pick(Bitfield.full(50)))
    assert len(first) > 10


def test_what_only_seeds_have_is_not_looked_through_for_a_peer_with_few_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    size, looked = 50_000, 0
    few = Bitfield(size, range(0, size, 500))
    picker = Picker(size, Bitfield.full(size), Random(4))
    for piece in few:
        picker.peer_gained(piece)
    contains = Bitfield.__contains__

    def counted(pieces: Bitfield, piece: int) -> bool:
        nonlocal looked
        looked += 1
        return contains(pieces, piece)

    monkeypatch.setattr(Bitfield, "__contains__", counted)
    picked = []
    while (following := picker.pick(few)) is not None:
        picker.begun(following)
        picked.append(following)
    assert sorted(picked) == list(few)
    assert looked < 150 * len(picked)


def test_the_next_piece_of_a_peer_is_the_rarest_of_its_own_wherever_that_is_in_the_order() -> None:
    size = 5000
    own = Bitfield(size, range(4000, 4200))
    picker = Picker(size, Bitfield.full(size), Random(4))
    for _ in range(RANDOM_FIRST):
        picker.begun(picker.pick(Bitfield.full(size)) or 0)
    for common in (Bitfield.full(size), own):
        for piece in common:
            picker.peer_gained(piece)
    picker.peer_lost(4100)
    assert picker.pick(own) == 4100


def neighbours(group: int) -> int:
    """How many of 400 pieces follow right upon the one before that the same of two peers was asked for."""
    picker, last, count = Picker(4000, Bitfield.full(4000), Random(6), group=group), [-9, -9], 0
    for at in range(400):
        picked = picker.pick(Bitfield.full(4000), last[at % 2])
        assert picked is not None
        picker.begun(picked)
        count += picked == last[at % 2] + 1
        last[at % 2] = picked
    return count


def test_of_pieces_that_are_equally_rare_a_peer_is_asked_for_those_of_one_extent_one_after_the_other() -> None:
    """Writes are few and long where four pieces that lie together come together."""
    assert neighbours(4) > 150
    assert neighbours(1) < 20
