"""Metadata messages of one torrent. Who is asked for what is tested with the fetch."""

from hashlib import sha1

import pytest

from bittern.base.errors import RemoteProtocolError
from bittern.base.geometry import BLOCK
from bittern.base.ids import InfoHashV1
from bittern.engine.download.metadata_exchange import MOST_UNSENT, MetadataExchange, Outcome
from bittern.engine.swarm.peer import Peer
from bittern.wire.blocks import block_heads
from bittern.wire.extended import ExtendedHandshake
from bittern.wire.messages import Extended
from bittern.wire.ut_metadata import (
    METADATA_PIECE,
    MetadataData,
    MetadataReject,
    MetadataRequest,
    parse_metadata_message,
)
from tests.engine.peers import make_peer, messages_of, take_sent

RAW = bytes(range(256)) * 100
HASH = InfoHashV1(sha1(RAW).digest())


def peer_that_speaks(ext_id: int = 3, number: int = 1) -> Peer:
    peer = make_peer(number)
    peer.says = ExtendedHandshake(extensions={"ut_metadata": ext_id}, metadata_size=len(RAW))
    return peer


def said(peer: Peer, ext_id: int = 3) -> list[object]:
    heard: list[object] = []
    for message in messages_of(take_sent(peer)):
        assert isinstance(message, Extended)
        assert message.ext_id == ext_id
        heard.append(parse_metadata_message(bytes(message.payload)))
    return heard


def block(number: int, raw: bytes = RAW) -> MetadataData:
    return MetadataData(number, len(raw), raw[number * METADATA_PIECE : (number + 1) * METADATA_PIECE])


def test_it_is_asked_for_piece_by_piece_and_then_served() -> None:
    exchange, ann, bob = MetadataExchange(HASH), peer_that_speaks(3), peer_that_speaks(5, 2)
    assert (exchange.wanted, exchange.size) == (True, None)
    exchange.ask(ann, 0.0)
    assert said(ann) == [MetadataRequest(0), MetadataRequest(1)]
    assert exchange.on_message(ann, block(0).encode()) == Outcome()
    assert exchange.on_message(ann, block(1).encode()) == Outcome(raw=RAW)
    assert not exchange.wanted
    exchange.known(RAW)
    assert exchange.size == len(RAW)
    exchange.on_message(bob, MetadataRequest(1).encode())
    assert said(bob, 5) == [block(1)]
    assert exchange.on_message(ann, block(0).encode()) == Outcome()  # a late answer means nothing any more


def test_who_does_not_speak_it_is_neither_asked_nor_answered() -> None:
    exchange = MetadataExchange(HASH)
    for extensions in ({}, {"ut_metadata": 0}):
        peer = make_peer()
        peer.says = ExtendedHandshake(extensions=extensions, metadata_size=len(RAW))
        exchange.ask(peer, 0.0)
        exchange.on_message(peer, MetadataRequest(0).encode())
        assert take_sent(peer) == b""


@pytest.mark.parametrize("number", [0, 2])
def test_what_we_lack_is_rejected(number: int) -> None:
    exchange, peer = MetadataExchange(HASH), peer_that_speaks()
    if number:
        exchange.known(RAW)
    exchange.on_message(peer, MetadataRequest(number).encode())
    assert said(peer) == [MetadataReject(number)]


def test_who_does_not_read_gets_short_answers() -> None:
    exchange, peer = MetadataExchange(HASH), peer_that_speaks()
    exchange.known(RAW)
    for _ in range(500):
        exchange.on_message(peer, MetadataRequest(0).encode())
    assert peer.wire.unsent < MOST_UNSENT + 2 * METADATA_PIECE + 500 * 40
    answers = said(peer)
    assert len(answers) == 500
    assert answers[0] == block(0)
    assert answers[-1] == MetadataReject(0)
    exchange.on_message(peer, MetadataRequest(0).encode())
    assert said(peer) == [block(0)]


def test_blocks_that_wait_on_a_slow_line_are_no_reason_to_refuse_metadata() -> None:
    exchange, peer = MetadataExchange(HASH), peer_that_speaks()
    exchange.known(RAW)
    bodies = [memoryview(bytes(BLOCK))] * 128
    peer.wire.send_blocks(block_heads(0, 0, len(bodies), BLOCK), bodies, len(bodies) * BLOCK, lambda: None)
    assert peer.wire.unsent > 4 * MOST_UNSENT
    exchange.on_message(peer, MetadataRequest(0).encode())
    answer = messages_of(take_sent(peer))[-1]
    assert answer == Extended(3, block(0).encode())


def test_liars_are_named_and_rejects_and_leavers_make_room() -> None:
    exchange = MetadataExchange(HASH)
    ann, bob, eve = peer_that_speaks(3, 1), peer_that_speaks(3, 2), peer_that_speaks(3, 3)
    exchange.ask(eve, 0.0)
    outcomes = [exchange.on_message(eve, block(number, bytes(len(RAW))).encode()) for number in range(2)]
    assert outcomes == [Outcome(), Outcome(liars=(3,))]
    exchange.lost(eve)
    exchange.ask(ann, 0.0)
    exchange.on_message(ann, MetadataReject(0).encode())
    exchange.ask(bob, 0.0)
    assert said(bob) == [MetadataRequest(0), MetadataRequest(1)]


@pytest.mark.parametrize("payload", [b"", b"i1e", b"d8:msg_typei1e5:piecei0ee"])
def test_what_is_no_metadata_message_is_an_offence(payload: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        MetadataExchange(HASH).on_message(peer_that_speaks(), payload)


def test_messages_of_the_future_are_let_pass() -> None:
    peer = peer_that_speaks()
    assert MetadataExchange(HASH).on_message(peer, b"d8:msg_typei9e5:piecei0ee") == Outcome()
    assert take_sent(peer) == b""
