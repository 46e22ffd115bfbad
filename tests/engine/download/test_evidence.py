"""What two copies of a piece tell, against senders whose lies are known."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.geometry import BLOCK
from bittern.codec.merkle import leaf_hashes
from bittern.engine.download import evidence as module
from bittern.engine.download.evidence import Evidence, Verdict
from bittern.engine.download.open_pieces import Extent
from bittern.engine.download.slabs import Slab

BLOCKS = 4
HOSTS = {number: f"10.0.0.{number}" for number in range(1, 6)}


def extent(piece: int, senders: list[int], wrong: list[bool], first: int = 0) -> Extent:
    """Blocks as their senders brought them; a wrong one is different each time."""
    whole = Extent(piece, first, len(senders) * BLOCK, Slab(len(senders) * BLOCK))
    whole.authors = list(senders)
    for at, body in enumerate(whole.bodies):
        body[:] = Random(piece * 100 + first + at).randbytes(BLOCK)
        if wrong[at]:
            body[at * 7] ^= 1 + at + senders[at]
    return whole


SENDERS = st.lists(st.integers(1, 5), min_size=BLOCKS, max_size=BLOCKS)
WRONG = st.lists(st.booleans(), min_size=BLOCKS, max_size=BLOCKS)


@given(st.lists(st.tuples(SENDERS, WRONG), max_size=3), SENDERS)
def test_who_sent_what_the_good_copy_has_not_is_a_liar_and_nobody_else(
    bad: list[tuple[list[int], list[bool]]], good: list[int]
) -> None:
    evidence = Evidence()
    liars: set[int] = set()
    beside: set[int] = set()
    for senders, wrong in bad:
        evidence.note(extent(3, senders, wrong))
        evidence.failed(3, HOSTS)
        found = {sender for sender, lie in zip(senders, wrong, strict=True) if lie}
        liars |= found
        beside |= set(senders) if found else set()
    evidence.note(extent(3, good, [False] * BLOCKS))
    verdict = evidence.proven(3)
    assert sorted(verdict.liars) == [HOSTS[number] for number in sorted(liars)]
    assert {*verdict.cleared} == beside - liars
    assert 3 not in evidence


def test_what_was_not_noted_accuses_nobody() -> None:
    """Of a large piece the first bad copy is remembered in part."""
    evidence = Evidence()
    evidence.note(extent(0, [1], [True], first=4))
    evidence.failed(0, HOSTS)
    evidence.note(extent(0, [2], [False], first=0))
    assert evidence.proven(0) == Verdict((), ())


def test_who_had_left_when_the_piece_failed_has_no_address_to_ban() -> None:
    evidence = Evidence()
    evidence.note(extent(0, [1, 2], [True, False]))
    evidence.failed(0, {2: HOSTS[2]})
    evidence.note(extent(0, [2, 2], [False, False]))
    assert evidence.proven(0) == Verdict((), (2,))


def test_of_too_many_failures_the_oldest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BLOCKS", 4)
    evidence = Evidence()
    for piece in range(3):
        evidence.note(extent(piece, [1, 2], [True, True]))
        evidence.failed(piece, HOSTS)
    assert [piece in evidence for piece in range(3)] == [False, True, True]


@given(SENDERS, WRONG, st.integers(0, BLOCKS), SENDERS)
def test_a_first_copy_that_is_known_by_its_hashes_is_as_good_as_one_that_was_seen(
    senders: list[int], wrong: list[bool], hashed: int, good: list[int]
) -> None:
    """Of blocks without a hash nothing is concluded: the end of a hybrid's file before its pad."""
    evidence = Evidence()
    copy = extent(0, senders, wrong)
    half = BLOCKS // 2
    authors = {0: senders[:half], half: senders[half:]}
    evidence.note_hashes(0, authors, leaf_hashes(copy.data)[: hashed * 32])
    evidence.failed(0, HOSTS)
    assert evidence.senders_of(0, range(BLOCKS)) == tuple(dict.fromkeys(HOSTS[number] for number in senders))
    evidence.note(extent(0, good, [False] * BLOCKS))
    liars = dict.fromkeys(HOSTS[number] for number, lies in list(zip(senders, wrong, strict=True))[:hashed] if lies)
    assert evidence.proven(0).liars == tuple(liars)


def test_what_was_seen_counts_before_what_was_read_again() -> None:
    evidence = Evidence()
    evidence.note(extent(0, [1, 1, 1, 1], [True, False, False, False]))
    evidence.note_hashes(0, {0: [2, 2, 2, 2]}, bytes(4 * 32))
    evidence.failed(0, HOSTS)
    evidence.note(extent(0, [3, 3, 3, 3], [False] * 4))
    assert evidence.proven(0).liars == (HOSTS[1],)
