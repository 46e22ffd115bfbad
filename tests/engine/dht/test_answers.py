from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.address import Address
from bittern.engine.dht.answers import MAX_ITEM_REPLY, MAX_REPLY, Answers, fit
from bittern.engine.dht.bloom import Filter
from bittern.engine.dht.items import Item
from bittern.engine.dht.table import Table
from bittern.wire.krpc import (
    BAD_SIGNATURE,
    PROTOCOL,
    AnnouncePeer,
    Ask,
    Contact,
    FindNode,
    GetItem,
    GetPeers,
    Ping,
    PutItem,
    Query,
    Refusal,
    Reply,
    SampleInfohashes,
    unpack_peers,
)
from bittern.wire.krpc_reader import read_message

OWN, SENDER, HASH = bytes(20), b"\1" * 20, b"\2" * 20
ASKER = Address("5.6.7.8", 6881)
INF = float("inf")


def is_signed(*said: bytes) -> bool:
    return said[1] == b"g" * 64


def answers(nodes: int = 20) -> Answers:
    rng = Random(1)
    table = Table(OWN, 0.0)
    for number in range(nodes):
        table.answered(Contact(rng.randbytes(20), Address(f"66.{number}.1.1", 1)), 0.0)
    return Answers(OWN, table, ipv6=False, rng=rng, entropy=rng.randbytes, verify=is_signed, now=0.0)


def ask(some: Answers, what: Ask, asker: Address = ASKER, now: float = 0.0) -> Reply:
    reply = some.answer(Query(b"aa", SENDER, what), asker, now)
    assert isinstance(reply, Reply), reply
    return reply


def token(some: Answers, asker: Address = ASKER) -> bytes:
    given_out = ask(some, GetPeers(HASH), asker).token
    assert given_out is not None
    return given_out


def test_a_ping_tells_who_we_are_and_who_asked() -> None:
    assert ask(answers(), Ping()) == Reply(b"aa", OWN, external=ASKER)


def test_the_eight_closest_nodes_are_named_in_the_family_that_is_wanted() -> None:
    some = answers()
    some.other_family = lambda *_: b"6" * 38
    assert len(ask(some, FindNode(HASH)).nodes or b"") == 8 * 26
    assert ask(some, FindNode(HASH)).nodes6 is None
    only6 = ask(some, FindNode(HASH, (b"n6",)))
    assert (only6.nodes, only6.nodes6) == (None, b"6" * 38)
    both = ask(some, FindNode(HASH, (b"n4", b"n6")))
    assert both.nodes == ask(some, FindNode(HASH)).nodes
    assert both.nodes6 == b"6" * 38


def test_who_announces_with_its_token_is_told_of() -> None:
    some = answers()
    ask(some, AnnouncePeer(HASH, 7000, token(some)))
    other = Address("5.6.7.9", 1)
    assert unpack_peers(ask(some, GetPeers(HASH), other).values) == [Address(ASKER.host, 7000)]
    ask(some, AnnouncePeer(HASH, 1, token(some), implied_port=True))
    assert unpack_peers(ask(some, GetPeers(HASH), other).values) == [ASKER]


@pytest.mark.parametrize("asker", [Address("5.6.7.9", 6881), ASKER])
def test_without_the_token_of_its_address_nothing_is_written(asker: Address) -> None:
    some = answers()
    stolen = token(some) if asker != ASKER else b"guess!"
    for what in (AnnouncePeer(HASH, 1, stolen), PutItem(stolen, b"5:hello")):
        refused = some.answer(Query(b"aa", SENDER, what), asker, 0.0)
        assert isinstance(refused, Refusal)
        assert refused.code == PROTOCOL
    assert (len(some.peers), len(some.items)) == (0, 0)


def test_a_scrape_counts_seeds_and_others() -> None:
    some = answers()
    for number in range(30):
        peer = Address(f"77.1.{number}.1", 1)
        ask(some, AnnouncePeer(HASH, 1, token(some, peer), seed=number < 10), peer)
    reply = ask(some, GetPeers(HASH, scrape=True))
    assert reply.seeds is not None
    assert reply.peers is not None
    assert 9 <= Filter.from_bytes(reply.seeds).count() <= 11
    assert 18 <= Filter.from_bytes(reply.peers).count() <= 22
    assert ask(some, GetPeers(SENDER, scrape=True)).seeds is None


def test_items_are_kept_and_signatures_are_looked_at() -> None:
    some, key = answers(), b"k" * 32
    ask(some, PutItem(token(some), b"5:hello"))
    assert ask(some, GetItem(Item(b"5:hello").target)).value == b"5:hello"
    mutable = PutItem(token(some), b"5:hello", key, b"salt", 4, b"g" * 64)
    ask(some, mutable)
    target = Item(b"", key, b"salt").target
    reply = ask(some, GetItem(target))
    assert (reply.value, reply.key, reply.seq, reply.signature) == (b"5:hello", key, 4, b"g" * 64)
    known = ask(some, GetItem(target, 4))
    assert (known.value, known.key, known.seq, known.signature) == (None, None, 4, None)
    assert ask(some, GetItem(target, 3)).value == b"5:hello"
    forged = some.answer(Query(b"aa", SENDER, PutItem(token(some), b"i1e", key, b"", 1, bytes(64))), ASKER, 0.0)
    assert isinstance(forged, Refusal)
    assert forged.code == BAD_SIGNATURE


def test_samples_tell_what_is_stored() -> None:
    some = answers()
    assert ask(some, SampleInfohashes(HASH)).samples == b""
    ask(some, AnnouncePeer(HASH, 1, token(some)))
    reply = ask(some, SampleInfohashes(HASH))
    assert (reply.samples, reply.count) == (HASH, 1)
    assert reply.nodes


def test_what_is_old_is_forgotten_in_time() -> None:
    some = answers()
    ask(some, AnnouncePeer(HASH, 1, token(some)))
    some.expire(3000.0)
    assert len(some.peers) == 0


BIG = st.builds(
    Reply,
    st.binary(min_size=1, max_size=20),
    st.just(OWN),
    nodes=st.integers(0, 8).map(lambda count: b"n" * 26 * count) | st.none(),
    nodes6=st.integers(0, 8).map(lambda count: b"6" * 38 * count) | st.none(),
    token=st.just(b"token!") | st.none(),
    values=st.integers(0, 50).map(lambda count: (b"peer!!",) * count),
    value=st.none() | st.integers(0, 990).map(lambda size: b"%d:%b" % (size, b"v" * size)),
    samples=st.none() | st.integers(0, 20).map(lambda count: HASH * count),
    external=st.just(ASKER),
)


@given(BIG, st.sampled_from([95, 110, 130, 200]))
def test_a_stranger_gets_at_most_three_times_its_bytes_and_no_reply_is_too_long(reply: Reply, asked: int) -> None:
    for allowance in (3.0 * asked, INF):
        datagram, whole = fit(reply, allowance)
        assert len(datagram) <= min(allowance, MAX_REPLY if reply.value is None else MAX_ITEM_REPLY)
        fitted = read_message(datagram)
        assert isinstance(fitted, Reply)
        assert fitted.token == reply.token
        if whole:
            assert fitted.value == reply.value
            assert fitted.samples == reply.samples
    assert fit(reply, INF)[1]


def test_a_scrape_for_who_has_shown_itself_is_whole() -> None:
    reply = Reply(b"aa", OWN, nodes=b"n" * 208, values=(b"peer!!",) * 50, seeds=bytes(256), peers=bytes(256))
    datagram, whole = fit(reply, INF)
    fitted = read_message(datagram)
    assert isinstance(fitted, Reply)
    assert whole
    assert len(datagram) <= MAX_REPLY
    assert fitted.seeds is not None
    assert len(fitted.values) >= 8
    assert fit(reply, 300.0)[1] is False
