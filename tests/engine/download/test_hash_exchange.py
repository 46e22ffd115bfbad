from random import Random

import pytest

from bittern.base.bitfield import Bitfield
from bittern.base.errors import Offence, RemoteProtocolError
from bittern.base.geometry import BLOCK
from bittern.base.ids import InfoHashV1
from bittern.codec.layers import Layers
from bittern.codec.merkle import leaf_hashes
from bittern.engine.download.hash_exchange import MOST_LEAVES, MOST_TIMES, HashExchange
from bittern.engine.swarm.peer import Peer
from bittern.sim.content import make_content_v2
from bittern.sim.world import World
from bittern.wire.hashes import Hashes, HashRange, HashReject, HashRequest
from bittern.wire.messages import Message
from tests.engine.download.test_hashes import ALL, INFO, KNOWN
from tests.engine.peers import make_peer, messages_of, take_sent

BIG = make_content_v2(World(Random, 1), sizes=(40 * BLOCK,), piece_size=4 * BLOCK)
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
        assert seed.on_request(at_seed, request.span, ALL) is None
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
        assert one.on_request(asker, request.span, ALL) is None
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


def test_leaves_are_answered_when_they_are_read() -> None:
    seed, peer, gone = exchange(known=True), v2_peer(), v2_peer(2)
    file = INFO.files[0]
    span = HashRange(file.pieces_root or b"", 0, 0, 2, 0)
    content = HashExchange()
    content.known(Layers(BIG.info, BIG.metainfo.piece_layers), V2)
    assert seed.on_request(peer, span, ALL) is None  # pieces of one block: their layer is that of the leaves
    assert isinstance(said(peer)[0], Hashes)
    span = HashRange(BIG.info.files[0].pieces_root or b"", 0, 4, 4, 1)
    have = Bitfield.full(BIG.info.geometry.piece_count)
    assert content.on_request(peer, span, have) == 1
    assert content.on_request(gone, span, have) == 1
    content.lost(gone)
    assert said(peer) == []
    leaves = leaf_hashes(BIG.data[4 * BLOCK : 8 * BLOCK])
    content.leaves_read(1, leaves)
    [given] = said(peer)
    assert given == Hashes(span, leaves)
    assert said(gone) == []
    assert content.on_request(peer, span, have) == 1
    content.leaves_read(1, None)
    assert said(peer) == [HashReject(span)]


def test_one_peer_can_not_keep_us_hashing_for_ever() -> None:
    """Rows cost some work to prove, and leaves a read of a piece: each peer may have every row a few times."""
    seed, peer, other = HashExchange(), v2_peer(), v2_peer(2)
    seed.known(Layers(BIG.info, BIG.metainfo.piece_layers), V2)
    have = Bitfield.full(BIG.info.geometry.piece_count)
    row = HashRange(BIG.info.files[0].pieces_root or b"", 2, 0, 2, 3)
    most = MOST_TIMES * Layers(BIG.info, {}).portions + MOST_LEAVES
    for _ in range(most + 5):
        assert seed.on_request(peer, row, have) is None
    assert [type(message) for message in said(peer)] == [Hashes] * most + [HashReject] * 5
    leaves = HashRange(row.pieces_root, 0, 0, 4, 1)
    for _ in range(MOST_LEAVES):
        assert seed.on_request(peer, leaves, have) == 0
        seed.leaves_read(0, leaf_hashes(BIG.data[: 4 * BLOCK]))
    assert [type(message) for message in said(peer)] == [Hashes] * MOST_LEAVES
    assert seed.on_request(peer, leaves, have) is None
    assert seed.on_request(other, leaves, have) == 0
    assert said(peer) == [HashReject(leaves)]


def test_one_peer_can_not_make_us_read_everything() -> None:
    seed, peer = HashExchange(), v2_peer()
    seed.known(Layers(BIG.info, BIG.metainfo.piece_layers), V2)
    have = Bitfield.full(BIG.info.geometry.piece_count)
    root = BIG.info.files[0].pieces_root or b""
    asked = [seed.on_request(peer, HashRange(root, 0, 4 * piece, 4, 1), have) for piece in range(8)]
    assert asked == [0, 1, 2, 3, None, None, None, None]
    assert said(peer) == [HashReject(HashRange(root, 0, 4 * piece, 4, 1)) for piece in range(4, 8)]
