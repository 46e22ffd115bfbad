"""Slots and answers: nobody is served beyond the slots, nobody is left without an answer."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bittern.base.bitfield import Bitfield
from bittern.base.errors import Offence, RemoteProtocolError
from bittern.base.geometry import BLOCK, Geometry
from bittern.base.ids import InfoHashV1
from bittern.engine.settings import EngineSettings
from bittern.engine.swarm.peer import Peer
from bittern.engine.upload.admission import CHOKED_MOST, PLAIN_SHARE
from bittern.engine.upload.allowed_fast import ALLOWED_BYTES, ALLOWED_PIECES
from bittern.engine.upload.choker import OPTIMISTIC_SECONDS, SeedChoker
from bittern.engine.upload.serving import Serving
from bittern.engine.upload.slots import SlotCount
from bittern.engine.upload.stint import STINT_PIECES, STINT_ROUNDS
from bittern.wire.messages import AllowedFast, Choke, Message, Reject, Unchoke
from tests.engine.peers import make_peer, messages_of, take_sent

GEOMETRY = Geometry(10 * 64 * BLOCK, 64 * BLOCK)
HAVE = Bitfield(10, range(9))


def make(slots: int = 2, queue: int = 10, choker: SeedChoker = SeedChoker.ROUND_ROBIN) -> Serving:
    settings = EngineSettings(upload_slots=slots, max_requests_queued=queue, seed_choker=choker)
    serving = Serving(settings, InfoHashV1(b"\xaa" * 20), Random(1))
    serving.ready(GEOMETRY, HAVE)
    return serving


def rechoke(serving: Serving, peers: dict[int, Peer], now: float, *, seeding: bool = True) -> None:
    serving.rechoke(peers, now, seeding=seeding)


def unchoked(serving: Serving, *, fast: bool = True) -> Peer:
    peer = make_peer(fast=fast)
    peer.peer_interested = True
    serving.interested(peer, [peer])
    assert said(peer) == [Unchoke()]
    return peer


def said(peer: Peer) -> list[Message]:
    return messages_of(take_sent(peer))


def test_a_free_slot_is_given_at_once_and_no_more_than_there_are() -> None:
    serving, peers = make(), [make_peer(number) for number in range(4)]
    for peer in peers:
        peer.peer_interested = True
        serving.interested(peer, peers)
    assert [peer.am_choking for peer in peers] == [False, False, True, True]


@pytest.mark.parametrize("fast", [True, False])
def test_every_request_is_queued_or_answered(fast: bool) -> None:  # noqa: FBT001 - a parameter
    serving = make(queue=10)
    peer = unchoked(serving, fast=fast)
    serving.admit(peer, [(0, 0, 8 * BLOCK, 8), (1, 0, 4 * BLOCK + 5, 5)])
    if fast:
        assert peer.uploads.queued == 10
        lengths = [(2, BLOCK), (3, BLOCK), (4, 5)]
        assert said(peer) == [Reject(1, block * BLOCK, length) for block, length in lengths]
    else:
        assert (said(peer), peer.uploads.queued, peer.am_choking) == ([], 13, False)


def test_who_can_not_be_sent_a_reject_may_queue_more_and_beyond_that_is_an_offence() -> None:
    serving = make(queue=10)
    peer = unchoked(serving, fast=False)
    serving.admit(peer, [(0, 0, 10 * PLAIN_SHARE * BLOCK, 10 * PLAIN_SHARE)])
    assert (said(peer), peer.uploads.queued) == ([], 10 * PLAIN_SHARE)
    with pytest.raises(RemoteProtocolError) as caught:
        serving.admit(peer, [(1, 0, BLOCK, 1)])
    assert caught.value.offence is Offence.REQUEST_FLOOD


def test_a_piece_that_we_lack_is_refused() -> None:
    serving = make()
    peer = unchoked(serving)
    serving.admit(peer, [(9, 0, 2 * BLOCK, 2)])
    assert (said(peer), peer.uploads.queued) == ([Reject(9, 0, BLOCK), Reject(9, BLOCK, BLOCK)], 0)


def test_what_no_honest_client_asks_for_is_an_offence() -> None:
    serving = make()
    peer = unchoked(serving)
    with pytest.raises(RemoteProtocolError) as caught:
        serving.admit(peer, [(0, 0, BLOCK, 1), (0, 63 * BLOCK, 2 * BLOCK, 2)])
    assert caught.value.offence is Offence.OUT_OF_BOUNDS


@pytest.mark.parametrize("fast", [True, False])
def test_asking_on_and_on_while_choked_is_an_offence(fast: bool) -> None:  # noqa: FBT001 - a parameter
    serving, peer = make(), make_peer(fast=fast)
    for _ in range(10 + CHOKED_MOST):  # the queue of `make`, and a few
        serving.admit(peer, [(0, 0, BLOCK, 1)])
    assert len(said(peer)) == (10 + CHOKED_MOST if fast else 0)
    with pytest.raises(RemoteProtocolError) as caught:
        serving.admit(peer, [(0, 0, BLOCK, 1)])
    assert caught.value.offence is Offence.REQUEST_FLOOD


def test_an_unchoke_forgets_what_was_refused() -> None:
    serving, peer = make(), make_peer()
    for _ in range(3):
        serving.admit(peer, [(0, 0, 60 * BLOCK, 60)] * 4)
        peer.peer_interested = True
        serving.interested(peer, [peer])
        peer.am_choking = True
    assert len([message for message in said(peer) if isinstance(message, Reject)]) == 3 * 240


def test_a_choke_rejects_everything_that_waits_for_who_speaks_fast() -> None:
    """BEP 6: a choke refuses nothing by itself."""
    serving = make(slots=1, choker=SeedChoker.FASTEST)
    loser, winner = unchoked(serving), make_peer(2)
    winner.peer_interested = True
    serving.admit(loser, [(0, 0, 3 * BLOCK, 3)])
    winner.uploads.stint.optimistic_until = 100.0
    rechoke(serving, {1: loser, 2: winner}, 0.0)
    assert said(loser) == [Choke(), *(Reject(0, at * BLOCK, BLOCK) for at in range(3))]
    assert (loser.uploads.queued, said(winner)) == (0, [Unchoke()])


def test_chance_gives_each_its_turn_for_a_while() -> None:
    serving, peers = make(slots=1, choker=SeedChoker.FASTEST), {number: make_peer(number) for number in range(1, 5)}
    for peer in peers.values():
        peer.peer_interested = True
    served, now = list[int](), 0.0
    for _ in range(60):
        rechoke(serving, peers, now)
        [lucky] = [number for number, peer in peers.items() if not peer.am_choking]
        served.append(lucky)
        now += OPTIMISTIC_SECONDS / 3
    assert all(len(set(served[at : at + 3])) == 1 for at in range(0, 60, 3))
    assert set(served) == {1, 2, 3, 4}


@settings(max_examples=60)
@given(st.integers(0, 3), st.lists(st.tuples(st.integers(1, 6), st.booleans(), st.booleans()), max_size=30))
def test_no_more_interested_peers_are_served_than_there_are_slots(
    slots: int, steps: list[tuple[int, bool, bool]]
) -> None:
    serving, now = make(slots=slots), 0.0
    peers = {number: make_peer(number) for number in range(1, 7)}
    for number, interested, round_over in steps:
        peer = peers[number]
        peer.peer_interested = interested
        if interested:
            serving.interested(peer, peers.values())
        if round_over:
            now += 10.0
            rechoke(serving, peers, now, seeding=False)
            assert sum(not one.am_choking and one.peer_interested for one in peers.values()) <= slots


def in_line(count: int) -> dict[int, Peer]:
    peers = {number: make_peer(number) for number in range(1, count + 1)}
    for peer in peers.values():
        peer.peer_interested = True
    return peers


def test_a_seed_serves_each_in_turn_until_it_got_its_share() -> None:
    serving, peers = make(slots=1), in_line(3)
    served = []
    for _ in range(9):
        rechoke(serving, peers, 0.0)
        [one] = [peer for peer in peers.values() if not peer.am_choking]
        one.uploads.sent += STINT_PIECES * GEOMETRY.piece_size // 2
        served.append(one.number)
    assert served == [1, 1, 2, 2, 3, 3, 1, 1, 2]


def test_who_takes_nothing_does_not_keep_the_others_waiting() -> None:
    serving, peers = make(slots=1), in_line(2)
    served = []
    for _ in range(2 * STINT_ROUNDS):
        rechoke(serving, peers, 0.0)
        served += [peer.number for peer in peers.values() if not peer.am_choking]
    assert served == [1] * STINT_ROUNDS + [2] * STINT_ROUNDS


def test_a_turn_interrupted_by_a_refusal_goes_on_in_the_next_round() -> None:
    serving = make(slots=1, queue=2)
    peers = {1: make_peer(1, fast=False), 2: make_peer(2)}
    for peer in peers.values():
        peer.peer_interested = True
    rechoke(serving, peers, 0.0)
    rechoke(serving, peers, 0.0)
    serving.admit(peers[1], [(9, 0, BLOCK, 1)])
    assert (said(peers[1]), peers[1].am_choking) == ([Unchoke(), Choke()], True)
    rechoke(serving, peers, 0.0)
    assert (said(peers[1]), peers[2].am_choking) == ([Unchoke()], True)
    assert peers[1].uploads.stint.rounds == 2


def test_automatic_slots_grow_while_more_goes_out() -> None:
    settings = EngineSettings(upload_slots=1, slot_count=SlotCount.AUTOMATIC)
    serving, peers = Serving(settings, InfoHashV1(bytes(20)), Random(1)), in_line(10)
    for now in range(0, 300, 10):
        for peer in peers.values():
            peer.uploads.sent += 0 if peer.am_choking else 10_000
            peer.measure(float(now))
        rechoke(serving, peers, float(now))
    assert sum(not peer.am_choking for peer in peers.values()) >= 8


def waiting(serving: Serving, *, fast: bool = True, pieces: range = range(0)) -> Peer:
    """A peer that came when all slots were taken."""
    peer, others = make_peer(9, fast=fast), [unchoked(serving), unchoked(serving)]
    peer.pieces = Bitfield(10, pieces)
    peer.peer_interested = True
    serving.interested(peer, [*others, peer])
    return peer


def test_a_beginner_that_waits_may_ask_for_some_pieces_and_for_each_block_once() -> None:
    serving = make(queue=200)
    peer = waiting(serving)
    allowed = [message.piece for message in said(peer) if isinstance(message, AllowedFast)]
    assert 0 < len(allowed) * GEOMETRY.piece_size <= ALLOWED_BYTES
    assert 9 not in allowed, "we do not have it"
    other = next(piece for piece in range(9) if piece not in allowed)
    serving.admit(peer, [(other, 0, BLOCK, 1), (allowed[0], 0, 64 * BLOCK, 64)])
    assert (said(peer), peer.uploads.queued) == ([Reject(other, 0, BLOCK)], 64)
    serving.admit(peer, [(allowed[0], 0, BLOCK, 1)])
    assert said(peer) == [Reject(allowed[0], 0, BLOCK)]
    serving.interested(peer, [peer, *(make_peer(number) for number in (1, 2))])
    assert said(peer) == [Unchoke()]


@pytest.mark.parametrize(("fast", "pieces"), [(False, 0), (True, ALLOWED_PIECES + 1)])
def test_who_lacks_the_extension_or_has_enough_is_allowed_nothing(fast: bool, pieces: int) -> None:  # noqa: FBT001 - a parameter
    serving = Serving(EngineSettings(upload_slots=1), InfoHashV1(bytes(20)), Random(1))
    serving.ready(Geometry(40 * BLOCK, BLOCK), Bitfield.full(40))
    peer = make_peer(fast=fast)
    peer.pieces = Bitfield(40, range(pieces))
    peer.peer_interested = True
    serving.interested(peer, [unchoked(serving), peer])
    assert said(peer) == []


def test_one_beginner_to_four_slots_is_newly_allowed_something_in_a_round() -> None:
    """The others are, one after the other, in the rounds that follow."""
    serving, peers = make(slots=4), {number: make_peer(number) for number in range(1, 10)}
    for peer in peers.values():
        peer.peer_interested = True
        serving.interested(peer, peers.values())
    allowed = []
    for round_number in range(3):
        allowed.append([number for number, peer in peers.items() if AllowedFast in map(type, said(peer))])
        rechoke(serving, peers, 10.0 * round_number)
    assert allowed == [[5], [6], [7]]


def test_a_peer_that_is_no_beginner_any_more_is_refused_what_it_was_allowed() -> None:
    serving = Serving(EngineSettings(upload_slots=1), InfoHashV1(bytes(20)), Random(1))
    serving.ready(Geometry(640 * BLOCK, BLOCK), Bitfield.full(640))
    peer = make_peer()
    peer.pieces = Bitfield(640)
    peer.peer_interested = True
    serving.interested(peer, [unchoked(serving), peer])
    first, *_, last = [message.piece for message in said(peer) if isinstance(message, AllowedFast)]
    serving.admit(peer, [(first, 0, BLOCK, 1)])
    for piece in range(ALLOWED_PIECES + 1):
        peer.pieces.add(piece)
    serving.admit(peer, [(last, 0, BLOCK, 1)])
    assert (said(peer), peer.uploads.queued) == ([Reject(last, 0, BLOCK)], 1)


def test_what_can_not_be_read_is_refused_block_by_block_and_taken_back() -> None:
    serving, peer = make(), unchoked(make())
    peer.am_choking = False
    assert serving.unreadable([(peer, 3, 0, 2 * BLOCK)], [peer]) == [peer]
    assert said(peer) == [Reject(3, 0, BLOCK), Reject(3, BLOCK, BLOCK)]
    assert 3 not in serving.visible
    serving.recover([peer])
    assert 3 in serving.visible
