"""Keeping pipelines full. What follows in a swarm is tested with the core."""

from math import inf
from random import Random

import pytest

from bittern.base.bitfield import Bitfield
from bittern.base.geometry import BLOCK
from bittern.engine.download.asking import cancel, stop_asking, top_up, update_interest
from bittern.engine.download.download import Download
from bittern.engine.settings import EngineSettings
from bittern.engine.swarm.peer import Peer
from bittern.wire.messages import Cancel, Interested, NotInterested, Request
from tests.engine.content import info_of
from tests.engine.peers import deep, make_peer, messages_of, take_sent
from tests.wire.wiring import Recorder


def make(pieces: int = 2, blocks: int = 4, peers: int = 1) -> tuple[Download, list[Peer]]:
    info, _ = info_of(pieces * blocks * BLOCK, blocks * BLOCK)
    config = EngineSettings(sequential=True)
    download = Download(1, info, Bitfield(pieces), Bitfield.full(pieces), config, Random(1))
    crowd = []
    for number in range(1, peers + 1):
        peer = make_peer(number)
        peer.pieces, peer.pipeline = Bitfield.full(pieces), deep(download, number)
        peer.wire.land(Recorder(), peer, peer.pipeline, lambda _: None)
        peer.peer_choking, peer.am_interested = False, True
        crowd.append(peer)
    return download, crowd


def asked(peer: Peer) -> list[tuple[int, int]]:
    messages = messages_of(take_sent(peer))
    assert all(isinstance(message, Request) for message in messages)
    return [(message.piece, message.begin // BLOCK) for message in messages if isinstance(message, Request)]


def test_a_pipeline_is_filled_with_neighbours_in_order() -> None:
    download, [peer] = make()
    assert top_up(peer, [peer], download, 0.0) == inf
    assert asked(peer) == [(piece, block) for piece in range(2) for block in range(4)]


def test_who_chokes_us_or_has_nothing_for_us_is_not_asked() -> None:
    download, [peer] = make()
    for choking, interested in ((True, True), (False, False)):
        peer.peer_choking, peer.am_interested = choking, interested
        top_up(peer, [peer], download, 0.0)
    assert asked(peer) == []


def test_a_limit_holds_asking_back_and_says_until_when() -> None:
    download, [peer] = make(blocks=64)
    peer.lanes.down.set_limit(40_000.0)
    assert top_up(peer, [peer], download, 0.0) == inf
    assert asked(peer) == [(0, 0)]
    due = top_up(peer, [peer], download, 0.01)
    assert 0.01 < due < 1.0
    assert asked(peer) == []


def test_interest_is_told_when_it_changes() -> None:
    download, [peer] = make()
    update_interest(peer, download)
    peer.pieces = Bitfield(2)
    for _ in range(2):
        update_interest(peer, download)
    peer.pieces = Bitfield(2, [1])
    update_interest(peer, download)
    assert messages_of(take_sent(peer)) == [NotInterested(), Interested()]


def test_an_idle_peer_races_the_slowest_at_the_end_only() -> None:
    download, [ann, bob, cat] = make(pieces=2, blocks=2, peers=3)
    ann.peer_choking = bob.peer_choking = False
    assert ann.pipeline is not None
    ann.pipeline.limit(2)
    top_up(ann, [ann, bob, cat], download, 0.0)
    assert asked(ann) == [(0, 0), (0, 1)]
    assert bob.pipeline is not None
    bob.pieces = Bitfield(2, [0])
    top_up(bob, [ann, bob, cat], download, 0.0)
    assert asked(bob) == [], "there is a piece that nobody was asked for"
    top_up(cat, [ann, bob, cat], download, 0.0)
    assert asked(cat) == [(1, 0), (1, 1)]
    top_up(bob, [ann, bob, cat], download, 0.0)
    assert sorted(asked(bob)) == [(0, 0), (0, 1)]
    top_up(bob, [ann, bob, cat], download, 0.0)
    assert asked(bob) == []


def test_a_cancel_goes_to_who_owed_the_block() -> None:
    download, [ann, bob] = make(peers=2)
    assert cancel(bob.pipeline, [ann, bob], download, 1, 3) is bob
    assert messages_of(take_sent(bob)) == [Cancel(1, 3 * BLOCK, BLOCK)]
    assert cancel(object(), [ann, bob], download, 1, 3) is None
    assert take_sent(ann) == b""


def test_a_block_that_another_brought_first_counts_against_no_limit_of_who_can_not_reject() -> None:
    download, [peer] = make()
    peer.fast = False
    peer.lanes.down.set_limit(1e6)
    top_up(peer, [peer], download, 0.0)
    before = peer.lanes.down.available(0.0)
    cancel(peer.pipeline, [peer], download, *asked(peer)[-1])
    assert peer.lanes.down.available(0.0) == before + BLOCK


def test_who_is_no_longer_asked_is_told_so_or_not() -> None:
    download, [ann, bob] = make(peers=2)
    for peer, told in ((ann, True), (bob, False)):
        top_up(peer, [peer], download, 0.0)
        requests = asked(peer)
        stop_asking(peer, cancel=told)
        wanted = [Cancel(piece, block * BLOCK, BLOCK) for piece, block in requests] if told else []
        assert messages_of(take_sent(peer)) == wanted
        assert download.assembly.asked == 0
    newcomer = make_peer(9)
    stop_asking(newcomer, cancel=True)
    assert take_sent(newcomer) == b""


def test_a_block_that_would_come_too_late_is_asked_of_a_faster_peer_as_well() -> None:
    download, [ann, bob] = make(pieces=8, blocks=4, peers=2)
    assert ann.pipeline is not None
    assert bob.pipeline is not None
    top_up(ann, [ann, bob], download, 0.0)
    assert (0, 0) in asked(ann)
    ann.pipeline.rate, bob.pipeline.rate = BLOCK / 4, 100 * BLOCK
    download.urgent.set(1, 100.0)
    top_up(bob, [ann, bob], download, 0.0)
    assert not {piece for piece, _ in asked(bob)} & {0, 1}, "Ann brings it in 68 seconds: in time"
    bob.pipeline.give_up(forgive=True)
    download.urgent.set(1, 10.0)
    top_up(bob, [ann, bob], download, 0.0)
    assert sorted(asked(bob)[:4]) == [(1, block) for block in range(4)]
    assert sorted(bob.pipeline.shared) == [(1, block) for block in range(4)]
    download.check_invariants()


def test_a_peer_that_chokes_us_is_asked_for_one_piece_that_it_allows_until_it_rejects_that() -> None:
    """BEP 6 allowed fast: something to trade."""
    download, [peer] = make(pieces=4, blocks=2)
    assert peer.pipeline is not None
    peer.peer_choking = True
    for piece in (2, 3, 9):
        peer.pipeline.allow(piece)
    top_up(peer, [peer], download, 0.0)
    for piece in (2, 3):
        assert asked(peer) == [(piece, 0), (piece, 1)]
        for block in (0, 1):
            assert peer.pipeline.rejected(piece, block)
        top_up(peer, [peer], download, 0.0)
    assert asked(peer) == []
    download.check_invariants()


def test_who_has_a_piece_asks_no_peer_that_chokes_it() -> None:
    download, [peer] = make(pieces=4, blocks=2)
    assert peer.pipeline is not None
    peer.peer_choking = True
    peer.pipeline.allow(2)
    download.have.add(0)
    top_up(peer, [peer], download, 0.0)
    assert asked(peer) == []


@pytest.mark.parametrize(("fast", "told"), [(True, True), (True, False), (False, True)])
def test_what_is_not_asked_for_any_more_counts_against_no_limit_but_once(*, fast: bool, told: bool) -> None:
    """A peer of the fast extension answers each cancel, mostly with a reject, and that gives the bytes back."""
    download, [peer] = make(blocks=64)
    peer.fast = fast
    peer.lanes.down.set_limit(1e6)
    before = peer.lanes.down.available(0.0)
    top_up(peer, [peer], download, 0.0)
    count = len(asked(peer))
    assert count > 1
    stop_asking(peer, cancel=told)
    kept = count * BLOCK if fast and told else 0
    assert peer.lanes.down.available(0.0) == before - kept
