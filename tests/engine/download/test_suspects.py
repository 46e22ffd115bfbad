from dataclasses import dataclass, field
from typing import cast

from bittern.base.address import Address
from bittern.base.geometry import BLOCK
from bittern.engine.download.evidence import Evidence
from bittern.engine.download.open_pieces import Extent
from bittern.engine.download.slabs import Slab
from bittern.engine.download.suspects import STRIKES, judge, weigh
from bittern.engine.swarm.peer import Peer


@dataclass
class Parole:
    paroled: bool = False
    proven: bool = False


@dataclass
class Someone:
    pipeline: Parole = field(default_factory=Parole)
    strikes: int = 0
    address: Address = field(default_factory=lambda: Address("10.0.0.1", 1))


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


def test_who_had_a_part_in_a_good_piece_has_proven_itself() -> None:
    those = peers(3)
    judge([1, 2], None, those, good=True)
    assert [peer.pipeline.proven for peer in those.values() if peer.pipeline] == [True, True, False]


def test_the_second_copy_of_a_piece_names_the_liar_and_ends_the_parole_of_the_others() -> None:
    those, evidence = peers(3), Evidence()
    copies = []
    for lie in (b"a", b"b"):
        extent = Extent(7, 0, 2 * BLOCK, Slab(2 * BLOCK))
        extent.bodies[0][:] = lie * BLOCK
        extent.authors = [1, 2]
        copies.append(extent)
    evidence.note(copies[0])
    judge([1, 2], None, those, good=False)
    assert weigh(evidence, 7, [1, 2], those, good=False) == ()
    evidence.note(copies[1])
    assert weigh(evidence, 7, [3], those, good=True) == ("10.0.0.1",)
    assert paroled(those) == [1]
    assert weigh(evidence, 7, [3], those, good=True) == ()
