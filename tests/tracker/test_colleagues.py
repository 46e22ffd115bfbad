from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from bittern.tracker.colleagues import (
    MAX_DATAGRAM,
    MAX_UNSENT,
    PATIENCE_SECONDS,
    Colleagues,
    home_of,
)


def echo(question: bytes) -> bytes:
    return question[::-1]


class Pair:
    """Two workers, and how often each wanted to be heard."""

    def __init__(self) -> None:
        self.woken = [0, 0]
        self.both = [Colleagues(index, 2, echo, partial(self._wake, index)) for index in (0, 1)]
        self.answers: list[list[bytes] | None] = []

    def ask(self, *questions: bytes) -> None:
        errand = self.both[0].errand([(1, each) for each in questions], list, None)
        errand(self.answers.append)

    def carry(self, sender: int) -> list[bytearray]:
        """What it says to the other, delivered."""
        datagrams = self.both[sender].take_unsent().get(1 - sender, [])
        for datagram in datagrams:
            self.both[1 - sender].received(bytes(datagram))
        return datagrams

    def _wake(self, index: int) -> None:
        self.woken[index] += 1


def test_replies_come_in_the_order_of_the_questions() -> None:
    pair = Pair()
    pair.ask(b"abc", b"", b"de")
    assert pair.answers == []
    pair.carry(0)
    pair.carry(1)
    assert pair.answers == [[b"cba", b"", b"ed"]]


def test_what_a_turn_has_to_say_is_one_datagram_and_one_call() -> None:
    pair = Pair()
    for number in range(100):
        pair.ask(b"%d" % number)
    assert len(pair.carry(0)) == len(pair.carry(1)) == 1
    assert pair.woken == [1, 1]
    assert pair.answers == [[echo(b"%d" % number)] for number in range(100)]


@given(st.lists(st.integers(0, 8000), max_size=60))
def test_datagrams_stay_below_their_limit_and_lose_nothing(sizes: list[int]) -> None:
    pair = Pair()
    for size in sizes:
        pair.ask(bytes(size))
    for sender in (0, 1):
        assert all(len(datagram) <= MAX_DATAGRAM for datagram in pair.carry(sender))
    assert [len(answer[0]) for answer in pair.answers if answer] == sizes


def test_who_is_not_replied_to_gives_up_and_hears_of_it_once() -> None:
    pair = Pair()
    asker = pair.both[0]
    asker.advance(100.0)
    pair.ask(b"a", b"b")
    asker.advance(100.0 + PATIENCE_SECONDS)
    assert pair.answers == []
    asker.advance(100.0 + 2 * PATIENCE_SECONDS)
    assert pair.answers == [None]
    pair.carry(0)
    pair.carry(1)  # too late
    assert pair.answers == [None]


def test_a_reply_within_the_patience_counts() -> None:
    pair = Pair()
    pair.both[0].advance(100.0)
    pair.ask(b"ab")
    pair.both[0].advance(100.0 + PATIENCE_SECONDS)
    pair.carry(0)
    pair.carry(1)
    pair.both[0].advance(100.0 + 9 * PATIENCE_SECONDS)
    assert pair.answers == [[b"ba"]]


def test_too_much_that_waits_is_not_asked() -> None:
    pair = Pair()
    for _ in range(2 * MAX_UNSENT // 50_000):
        pair.ask(bytes(50_000))
    refused = pair.answers.count(None)
    assert 0 < refused < 2 * MAX_UNSENT // 50_000
    assert sum(map(len, pair.carry(0))) <= MAX_UNSENT + 2 * MAX_DATAGRAM
    pair.ask(b"a")
    assert len(pair.answers) == refused


def test_what_could_not_be_sent_goes_before_what_came_since() -> None:
    pair = Pair()
    pair.ask(b"a")
    held = pair.both[0].take_unsent()[1]
    pair.ask(b"b")
    pair.both[0].put_back(1, held)
    assert [bytes(each)[-1:] for each in pair.carry(0)] == [b"a", b"b"]


def test_replies_to_a_predecessor_are_passed_over() -> None:
    pair = Pair()
    pair.ask(b"a")
    pair.carry(0)
    pair.both[0] = Colleagues(0, 2, echo, lambda: None, number=500)
    pair.ask(b"xy")
    pair.carry(1)
    assert pair.answers == []
    pair.carry(0)
    pair.carry(1)
    assert pair.answers == [[b"yx"]]


@given(st.binary(min_size=20, max_size=20), st.integers(1, 64))
def test_every_swarm_has_one_home(info_hash: bytes, workers: int) -> None:
    assert home_of(info_hash, workers) == int(info_hash[:4].hex(), 16) % workers
