from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bittern.base.bitfield import Bitfield
from bittern.base.errors import Offence, RemoteProtocolError
from bittern.base.geometry import BLOCK
from bittern.codec.layers import PORTION, Layers
from bittern.engine.download.hashes import PER_PEER, REFUSED_SECONDS, REQUEST_SECONDS, HashFetch
from bittern.engine.upload.hashes import answer
from bittern.sim.content import make_content_v2
from bittern.sim.world import World
from bittern.wire.hashes import HashRange

CONTENT = make_content_v2(World(Random, 1), sizes=((PORTION + 40) * BLOCK, 3 * BLOCK, 5, 2 * BLOCK), piece_size=BLOCK)
INFO, KNOWN = CONTENT.info, CONTENT.metainfo.piece_layers
ALL = Bitfield.full(INFO.geometry.piece_count)
SERVER = Layers(INFO, KNOWN)


class Case:
    def __init__(self) -> None:
        self.layers = Layers(INFO, {})
        self.fetch = HashFetch(self.layers)

    def asks(self, peer: int = 1, pieces: Bitfield = ALL, now: float = 0.0) -> list[HashRange]:
        return self.fetch.wants_from(peer, pieces, now)

    def gets(self, span: HashRange, peer: int = 1) -> list[int]:
        hashes = answer(SERVER, span)
        assert hashes is not None
        return self.fetch.received(peer, span, hashes)


def offence_of(case: Case, span: HashRange, hashes: bytes, peer: int = 1) -> Offence:
    with pytest.raises(RemoteProtocolError) as caught:
        case.fetch.received(peer, span, hashes)
    return caught.value.offence


def test_a_seed_is_asked_for_all_and_everything_is_known() -> None:
    case = Case()
    spans = case.asks()
    assert len(spans) == 4
    learned = [piece for span in spans for piece in case.gets(span)]
    assert case.fetch.done
    assert case.layers.rows() == KNOWN
    assert sorted(learned) == [piece for piece in ALL if INFO.files[-2].offset // BLOCK != piece][: len(learned)]
    assert case.asks(2) == []


def test_nobody_is_asked_for_more_than_is_good_nor_twice() -> None:
    case = Case()
    assert len(case.asks()) <= PER_PEER
    assert case.asks() == []
    assert case.asks(2) == []  # others are to answer first
    assert len(case.asks(2, now=REQUEST_SECONDS)) == 4


def test_who_has_pieces_of_one_portion_is_asked_for_that() -> None:
    case = Case()
    assert case.asks(1, Bitfield(ALL.size)) == []
    assert [span.index for span in case.asks(1, Bitfield(ALL.size, [PORTION + 3]))] == [PORTION]


def test_a_refusal_turns_to_others_and_later_back() -> None:
    case = Case()
    spans = case.asks()
    for span in spans:
        case.fetch.rejected(1, span, 0.0)
    assert case.asks() == []
    assert case.asks(1, now=REFUSED_SECONDS) == spans
    case.fetch.lost(1)
    assert case.asks(2) == spans


def test_a_row_that_does_not_lead_to_the_root_is_a_lie_and_teaches_nothing() -> None:
    for at in (0, PORTION * 32 - 1, -1):
        case = Case()
        span = case.asks()[0]
        right = answer(SERVER, span)
        assert right is not None
        wrong = bytearray(right)
        wrong[at] ^= 1
        assert offence_of(case, span, bytes(wrong)) is Offence.BAD_HASHES
        assert case.layers.hash_of(0) is None


def test_what_was_not_asked_is_an_offence() -> None:
    case = Case()
    span = case.asks()[0]
    hashes = answer(SERVER, span)
    assert hashes is not None
    assert offence_of(case, span, hashes, peer=2) is Offence.UNASKED_HASHES
    case.gets(span)
    assert offence_of(case, span, hashes) is Offence.UNASKED_HASHES
    with pytest.raises(RemoteProtocolError, match="not asked"):
        case.fetch.rejected(2, span, 0.0)


def test_the_slower_of_two_answers_is_welcome_and_changes_nothing() -> None:
    case = Case()
    span = case.asks()[0]
    assert case.asks(2, now=REQUEST_SECONDS)[0] == span
    assert case.gets(span)
    assert case.gets(span, peer=2) == []


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 3), st.sampled_from("argl"), st.integers(0, 40)), max_size=60))
def test_however_peers_behave_a_good_one_completes_it(steps: list[tuple[int, str, int]]) -> None:
    """Answers, refusals, silence and losses in any order: nothing is lost, nothing is stuck."""
    case, now = Case(), 0.0
    owed: dict[int, list[HashRange]] = {1: [], 2: [], 3: []}
    for peer, step, seconds in steps:
        now += seconds
        if step == "a":
            owed[peer] += case.asks(peer, now=now)
        elif step == "l":
            case.fetch.lost(peer)
            owed[peer] = []
        elif owed[peer]:
            span = owed[peer].pop()
            if step == "g":
                case.gets(span, peer)
            else:
                case.fetch.rejected(peer, span, now)
    now += REQUEST_SECONDS
    for span in case.asks(9, now=now):
        case.gets(span, 9)
    assert case.fetch.done
