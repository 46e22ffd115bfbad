from dataclasses import replace
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.address import Address
from bittern.codec.bencode import decode, encode
from bittern.wire.krpc import (
    AnnouncePeer,
    Contact,
    FindNode,
    GetItem,
    GetPeers,
    Message,
    Ping,
    PutItem,
    Query,
    Refusal,
    Reply,
    SampleInfohashes,
    pack_contacts,
    unpack_contacts,
    unpack_peers,
    without_version,
)
from bittern.wire.krpc_reader import read_message

IDS = st.binary(min_size=20, max_size=20)
TRANSACTIONS = st.binary(min_size=1, max_size=20)
TOKENS = st.binary(min_size=1, max_size=64)
PORTS = st.integers(1, 65535)
WANTS = st.sampled_from([(), (b"n4",), (b"n6",), (b"n4", b"n6")])
HOSTS4 = st.ip_addresses(v=4).map(str)
# What is mapped or embedded in IPv6 has another canonical form.
HOSTS6 = st.integers(0, 2**64 - 1).map(lambda low: str(ip_address((0x20010DB8 << 96) + low)))
VALUES = (st.integers(-(2**63), 2**63 - 1) | st.binary(max_size=40) | st.lists(st.binary(max_size=5), max_size=4)).map(
    encode
)
SEQUENCES = st.integers(0, 2**63 - 1)

ASKS = st.one_of(
    st.just(Ping()),
    st.builds(FindNode, IDS, WANTS),
    st.builds(GetPeers, IDS, WANTS, st.booleans(), st.booleans()),
    st.builds(AnnouncePeer, IDS, PORTS, TOKENS, st.booleans(), st.booleans()),
    st.builds(GetItem, IDS, st.none() | SEQUENCES, WANTS),
    st.builds(PutItem, TOKENS, VALUES),
    st.builds(
        PutItem,
        TOKENS,
        VALUES,
        st.binary(min_size=32, max_size=32),
        st.binary(max_size=64),
        SEQUENCES,
        st.binary(min_size=64, max_size=64),
        st.none() | SEQUENCES,
    ),
    st.builds(SampleInfohashes, IDS, WANTS),
)
CONTACTS4 = st.lists(st.builds(Contact, IDS, st.builds(Address, HOSTS4, PORTS)), max_size=8)
CONTACTS6 = st.lists(st.builds(Contact, IDS, st.builds(Address, HOSTS6, PORTS)), max_size=8)
FILTERS = st.binary(min_size=256, max_size=256)


@st.composite
def replies(draw: st.DrawFn) -> Reply:
    scrape, sample, mutable = draw(st.booleans()), draw(st.booleans()), draw(st.booleans())
    return Reply(
        draw(TRANSACTIONS),
        draw(IDS),
        nodes=draw(st.none() | CONTACTS4.map(pack_contacts)),
        nodes6=draw(st.none() | CONTACTS6.map(pack_contacts)),
        token=draw(st.none() | TOKENS),
        values=draw(
            st.lists(st.binary(min_size=6, max_size=6) | st.binary(min_size=18, max_size=18), max_size=5).map(tuple)
        ),
        value=draw(st.none() | VALUES),
        key=draw(st.binary(min_size=32, max_size=32)) if mutable else None,
        seq=draw(SEQUENCES) if mutable else None,
        signature=draw(st.binary(min_size=64, max_size=64)) if mutable else None,
        samples=draw(st.lists(IDS, max_size=5).map(b"".join)) if sample else None,
        interval=draw(st.integers(0, 21600)) if sample else 0,
        count=draw(SEQUENCES) if sample else 0,
        seeds=draw(FILTERS) if scrape else None,
        peers=draw(FILTERS) if scrape else None,
        external=draw(st.none() | st.builds(Address, HOSTS4, PORTS)),
    )


MESSAGES: st.SearchStrategy[Message] = st.one_of(
    st.builds(Query, TRANSACTIONS, IDS, ASKS, st.booleans()),
    replies(),
    st.builds(Refusal, TRANSACTIONS, st.integers(201, 302), st.text("abc äß", max_size=100)),
)

ID, OTHER = b"abcdefghij0123456789", b"mnopqrstuvwxyz123456"


@pytest.mark.parametrize(
    ("message", "datagram"),
    [
        (Query(b"aa", ID, Ping(), version=b""), b"d1:ad2:id20:%be1:q4:ping1:t2:aa1:y1:qe" % ID),
        (Reply(b"aa", OTHER, version=b""), b"d1:rd2:id20:%be1:t2:aa1:y1:re" % OTHER),
        (
            Query(b"aa", ID, FindNode(OTHER), version=b""),
            b"d1:ad2:id20:%b6:target20:%be1:q9:find_node1:t2:aa1:y1:qe" % (ID, OTHER),
        ),
        (
            Query(b"aa", ID, GetPeers(OTHER), version=b""),
            b"d1:ad2:id20:%b9:info_hash20:%be1:q9:get_peers1:t2:aa1:y1:qe" % (ID, OTHER),
        ),
        (
            Query(b"aa", ID, AnnouncePeer(OTHER, 6881, b"aoeusnth", implied_port=True), version=b""),
            b"d1:ad2:id20:%b12:implied_porti1e9:info_hash20:%b4:porti6881e5:token8:aoeusnthe1:q13:announce_peer1:t2:aa1:y1:qe"
            % (ID, OTHER),
        ),
        (
            Reply(b"aa", ID, token=b"aoeusnth", values=(b"axje.u", b"idhtnm"), version=b""),
            b"d1:rd2:id20:%b5:token8:aoeusnth6:valuesl6:axje.u6:idhtnmee1:t2:aa1:y1:re" % ID,
        ),
    ],
)
def test_messages_have_the_bytes_of_bep_5(message: Query | Reply, datagram: bytes) -> None:
    assert message.encode() == datagram
    assert read_message(datagram) == message


def test_an_error_has_code_and_text() -> None:
    assert read_message(b"d1:eli201e23:A Generic Error Ocurrede1:t2:aa1:y1:ee") == Refusal(
        b"aa", 201, "A Generic Error Ocurred"
    )


@given(MESSAGES)
def test_what_is_encoded_is_canonical_and_read_again(message: Message) -> None:
    datagram = message.encode()
    assert encode(decode(datagram)) == datagram
    assert read_message(datagram) == message


@given(CONTACTS4, CONTACTS6)
def test_contacts_come_back_from_their_compact_form(four: list[Contact], six: list[Contact]) -> None:
    assert unpack_contacts(pack_contacts(four)) == four
    assert unpack_contacts(pack_contacts(six), ipv6=True) == six


def test_contacts_without_port_or_of_the_other_family_are_left_out() -> None:
    good = Contact(ID, Address("5.6.7.8", 1))
    assert unpack_contacts(pack_contacts([Contact(OTHER, Address("5.6.7.9", 0)), good])) == [good]
    mapped = ID + bytes(10) + b"\xff\xff\x05\x06\x07\x08\x00\x01"
    assert unpack_contacts(mapped, ipv6=True) == []


def test_no_more_than_sixteen_contacts_are_read() -> None:
    many = [Contact(bytes([n]) * 20, Address(f"5.6.7.{n}", 1)) for n in range(40)]
    assert unpack_contacts(pack_contacts(many)) == many[:16]


def test_peers_of_both_families_are_read_and_those_without_port_are_not() -> None:
    six = Address("2001:db8::1", 2)
    reply = Reply(b"a", ID, values=(b"\x05\x06\x07\x08\x00\x01", b"\x05\x06\x07\x08\x00\x00", six.compact()))
    assert unpack_peers(reply.values) == [Address("5.6.7.8", 1), six]


@given(MESSAGES)
def test_a_message_without_its_version_says_the_rest(message: Message) -> None:
    plain = without_version(message.encode())
    said = read_message(plain)
    keys = decode(plain)
    assert isinstance(keys, dict)
    assert b"v" not in keys
    if isinstance(message, Refusal):
        assert said == read_message(message.encode())
    else:
        assert said == replace(message, version=b"")
    assert without_version(plain) == plain
