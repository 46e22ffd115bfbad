import pytest

from bittern.base.bitfield import Bitfield
from bittern.base.errors import Offence, RemoteProtocolError
from bittern.base.ids import InfoHashV1
from bittern.codec.layers import Layers
from bittern.engine.download.hash_exchange import HashExchange
from bittern.engine.swarm.peer import Peer
from bittern.wire.hashes import Hashes, HashReject, HashRequest
from bittern.wire.messages import Message
from tests.engine.download.test_hashes import ALL, INFO, KNOWN
from tests.engine.peers import make_peer, messages_of, take_sent

V2 = InfoHashV1(b"2" * 20)


def exchange(*, known: bool) -> HashExchange:
    made = HashExchange()
    made.known(Layers(INFO, KNOWN if known else {}), V2)
    return made


def v2_peer(number: int = 1) -> Peer:
    peer = make_peer(number)
    peer.info_hash, peer.pieces = V2, ALL.copy()
    return peer


def said(peer: Peer) -> list[Message]:
    return messages_of(take_sent(peer))


def test_one_side_asks_and_the_other_serves() -> None:
    leech, seed = exchange(known=False), exchange(known=True)
    at_leech, at_seed = v2_peer(), v2_peer(2)
    assert leech.wanted
    assert not seed.wanted
    leech.ask(at_leech, 0.0)
    for request in said(at_leech):
        assert isinstance(request, HashRequest)
        seed.on_request(at_seed, request.span)
    for given in said(at_seed):
        assert isinstance(given, Hashes)
        leech.on_hashes(at_leech, given.span, bytes(given.hashes))
    assert not leech.wanted


def test_only_connections_of_version_2_are_asked() -> None:
    leech, peer = exchange(known=False), v2_peer()
    peer.info_hash = InfoHashV1(b"1" * 20)
    leech.ask(peer, 0.0)
    peer.info_hash, peer.pieces = V2, None
    leech.ask(peer, 0.0)
    assert said(peer) == []


def test_without_the_metadata_or_the_layers_requests_are_refused() -> None:
    asker = v2_peer()
    leech = exchange(known=False)
    leech.ask(asker, 0.0)
    request = said(asker)[0]
    assert isinstance(request, HashRequest)
    for one in (HashExchange(), leech):
        one.on_request(asker, request.span)
        assert said(asker) == [HashReject(request.span)]


def test_what_nobody_asked_for_is_an_offence() -> None:
    asker = v2_peer()
    leech = exchange(known=False)
    leech.ask(asker, 0.0)
    request = said(asker)[0]
    assert isinstance(request, HashRequest)
    for one in (HashExchange(), exchange(known=True)):
        with pytest.raises(RemoteProtocolError) as caught:
            one.on_reject(asker, request.span, 0.0)
        assert caught.value.offence is Offence.UNASKED_HASHES
    leech.lost(asker)
    with pytest.raises(RemoteProtocolError):
        leech.on_hashes(asker, request.span, b"")


def test_a_refused_row_is_asked_of_another() -> None:
    leech, first, second = exchange(known=False), v2_peer(), v2_peer(2)
    second.pieces = Bitfield(ALL.size, [0])
    leech.ask(first, 0.0)
    rows = [message.span for message in said(first) if isinstance(message, HashRequest)]
    leech.on_reject(first, rows[0], 0.0)
    leech.ask(second, 0.0)
    assert said(second) == [HashRequest(rows[0])]
