from dataclasses import dataclass, field
from typing import cast

from bittern.engine.download.suspects import STRIKES, judge
from bittern.engine.swarm.peer import Peer


@dataclass
class Parole:
    paroled: bool = False


@dataclass
class Someone:
    pipeline: Parole = field(default_factory=Parole)
    strikes: int = 0


def peers(count: int) -> dict[int, Peer]:
    return {number: cast("Peer", Someone()) for number in range(1, count + 1)}


def paroled(those: dict[int, Peer]) -> list[int]:
    return [number for number, peer in those.items() if peer.pipeline and peer.pipeline.paroled]


def test_who_sent_a_bad_piece_alone_is_banned_at_once() -> None:
    those = peers(2)
    assert judge([1], None, those, good=False) == [those[1]]


def test_several_senders_of_a_bad_piece_are_put_on_parole_and_nobody_is_banned() -> None:
    those = peers(3)
    for _ in range(10 * STRIKES):
        assert judge([1, 2], None, those, good=False) == []
    assert paroled(those) == [1, 2]


def test_a_good_piece_of_its_own_ends_a_parole_and_one_with_others_does_not() -> None:
    those = peers(2)
    judge([1, 2], None, those, good=False)
    assert judge([1, 2], None, those, good=True) == []
    assert paroled(those) == [1, 2]
    assert judge([2], None, those, good=True) == []
    assert paroled(those) == [1]


def test_who_never_finishes_pieces_of_its_own_that_fail_is_banned_in_the_end() -> None:
    those = peers(2)
    verdicts = [judge([1, 2], 1, those, good=False) for _ in range(STRIKES)]
    assert verdicts == [[]] * (STRIKES - 1) + [[those[1]]]


def test_who_has_left_is_left_alone() -> None:
    those = peers(1)
    assert judge([7], None, those, good=False) == []
    assert judge([1, 7], 7, those, good=False) == []
    assert paroled(those) == [1]
