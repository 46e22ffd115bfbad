"""The playbook tells the truth about the engine: a script that is right passes, one that is wrong fails."""

import pytest

from bittern.base.errors import Offence
from bittern.base.geometry import BLOCK
from bittern.engine.events import Completed, MetadataReceived, PeerDropped, PieceFailed
from bittern.testing.playbook import Playbook
from bittern.wire.messages import (
    BitfieldMessage,
    Cancel,
    Choke,
    Extended,
    Have,
    HaveAll,
    HaveNone,
    Interested,
    NotInterested,
    Reject,
    Request,
    Unchoke,
)
from bittern.wire.ut_metadata import MetadataData, MetadataRequest


def test_a_block_is_asked_for_when_the_peer_unchokes_and_its_piece_is_stored() -> None:
    with Playbook() as play:
        play.joins("ann", have="1").unchokes("ann").expect("ann", Request(0, 0, BLOCK))
        play.gives("ann", 0).expect("ann", Have(0), NotInterested()).expect_drop("ann")
        assert play.have == "1"
        assert Completed(1) in play.events


def test_the_greeting_says_what_the_engine_has_and_wants() -> None:
    with Playbook(pieces=3, have="010") as play:
        play.joins("ann", have="010").joins("bob", have="110")
        assert play.greeting("ann") == [BitfieldMessage(b"\x40")]
        assert play.greeting("bob") == [BitfieldMessage(b"\x40"), Interested()]
    with Playbook() as play:
        assert play.joins("ann").greeting("ann") == [HaveNone()]
        assert play.joins("bob", fast=False).greeting("bob") == []
    with Playbook(have="all") as play:
        assert play.joins("ann").greeting("ann") == [HaveAll()]


def test_a_rejected_block_is_asked_of_another_peer() -> None:
    with Playbook(pieces=2) as play:
        play.joins("ann", have="10").joins("bob", have="11")
        play.unchokes("ann").expect("ann", Request(0, 0, BLOCK))
        play.unchokes("bob").expect("bob", Request(1, 0, BLOCK))
        play.rejects("ann", 0).gives("bob", 1)
        assert Request(0, 0, BLOCK) in play.heard("bob")


def test_a_choke_returns_the_blocks_of_a_peer_without_the_fast_extension() -> None:
    with Playbook(pieces=2, blocks=2) as play:
        play.joins("ann", have="10", fast=False).unchokes("ann")
        play.expect("ann", Request(0, 0, BLOCK), Request(0, BLOCK, BLOCK))
        play.chokes("ann").unchokes("ann")
        play.expect("ann", Request(0, 0, BLOCK), Request(0, BLOCK, BLOCK))


def test_the_short_last_block_is_asked_for_at_its_length() -> None:
    with Playbook(pieces=1, blocks=2, short=1000) as play:
        play.joins("ann", have="all").unchokes("ann")
        play.expect("ann", Request(0, 0, BLOCK), Request(0, BLOCK, BLOCK - 1000))
        play.gives("ann", 0).gives("ann", 0, BLOCK)
        assert play.have == "1"


def test_a_requested_block_is_served_to_an_unchoked_peer_and_refused_to_a_choked_one() -> None:
    with Playbook(have="all") as play:
        play.joins("ann").asks("ann", 0).expect("ann", Reject(0, 0, BLOCK))
        play.is_interested("ann").expect("ann", Unchoke())
        play.asks("ann", 0).expect("ann", play.block(0))
        play.asks("ann", 0, 5, 100).expect("ann", play.block(0, 5, 100))


def test_a_new_piece_is_announced_to_who_lacks_it() -> None:
    with Playbook(pieces=2) as play:
        play.joins("ann", have="11").joins("bob", have="00").unchokes("ann")
        play.gives("ann", 0).expect("bob", Have(0))


def test_a_lie_is_punished_and_the_piece_asked_of_another() -> None:
    with Playbook() as play:
        play.joins("ann", have="1").unchokes("ann").lies("ann", 0)
        play.expect_drop("ann", Offence.CORRUPT_DATA)
        assert PieceFailed(1, 0) in play.events
        play.joins("bob", have="1").unchokes("bob").expect("bob", Request(0, 0, BLOCK)).gives("bob", 0)
        assert play.have == "1"


def test_what_nobody_asked_for_ends_the_connection() -> None:
    with Playbook() as play:
        play.joins("ann", have="1").gives("ann", 0).expect_drop("ann", Offence.UNASKED_BLOCK)


def test_bytes_that_are_no_message_end_the_connection() -> None:
    with Playbook() as play:
        play.joins("ann").says_raw("ann", b"\xff\xff\xff\xff\x04").expect_drop("ann", Offence.OVERSIZED_MESSAGE)


def test_the_engine_dials_an_address_that_it_is_told() -> None:
    with Playbook() as play:
        play.joins("ann", have="1", dialed=True)
        assert play.actors["ann"].greeted is not None
        assert Interested() in play.greeting("ann")


def test_at_the_end_a_block_is_asked_of_two_and_taken_back_from_the_slower() -> None:
    with Playbook() as play:
        play.joins("ann", have="1").joins("bob", have="1").unchokes("ann").unchokes("bob")
        play.expect("ann", Request(0, 0, BLOCK)).expect("bob", Request(0, 0, BLOCK))
        play.gives("ann", 0)
        assert play.heard("bob")[0] == Cancel(0, 0, BLOCK)


def test_a_silent_peer_is_snubbed_after_its_time() -> None:
    with Playbook(pieces=2, blocks=2) as play:
        play.joins("ann", have="10", fast=False).joins("bob", have="11", fast=False)
        play.unchokes("ann").waits(35.0).unchokes("bob")
        assert {Request(0, 0, BLOCK), Request(0, BLOCK, BLOCK)} & set(play.heard("bob"))


def test_a_magnet_is_filled_by_a_peer_that_has_the_metadata() -> None:
    with Playbook(magnet=True) as play:
        raw = play.content.info.raw
        play.joins("ann", have="1", extensions={"ut_metadata": 3})
        assert play.have == ""
        assert Extended(3, MetadataRequest(0).encode()) in play.greeting("ann")
        play.says("ann", Extended(2, MetadataData(0, len(raw), raw).encode()))
        assert MetadataReceived(1, raw) in play.events
        play.unchokes("ann").gives("ann", 0)
        assert play.have == "1"


def test_a_script_that_expects_something_else_fails_and_says_what_came() -> None:
    play = Playbook()
    play.joins("ann", have="1").unchokes("ann")
    with pytest.raises(
        AssertionError, match=r"ann heard \[Request\(piece=0, begin=0, length=16384\)\], not \[Choke\(\)\]"
    ):
        play.expect("ann", Choke())
    with pytest.raises(AssertionError, match="still connected"):
        play.expect_drop("ann")


def test_who_leaves_is_gone_without_blame() -> None:
    with Playbook() as play:
        play.joins("ann").leaves("ann")
        drops = [event for event in play.events if isinstance(event, PeerDropped)]
        assert [drop.offence for drop in drops] == [False]
        assert not play.torrent.peers
