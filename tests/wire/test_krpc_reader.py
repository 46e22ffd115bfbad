from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.address import Address
from bittern.base.errors import KrpcError
from bittern.codec.bencode import encode
from bittern.wire.krpc import (
    PROTOCOL,
    SALT_TOO_BIG,
    TOO_BIG,
    UNKNOWN,
    AnnouncePeer,
    FindNode,
    PutItem,
    Query,
    Refusal,
    Reply,
)
from bittern.wire.krpc_reader import read_message

ID, OTHER = b"abcdefghij0123456789", b"mnopqrstuvwxyz123456"
PUT = {"id": ID, "token": b"tt", "v": b"hello"}
SIGNED = {**PUT, "k": bytes(32), "sig": bytes(64), "seq": 1}


def query(method: str, arguments: dict[str, Any], **more: object) -> bytes:
    return encode({"t": b"aa", "y": b"q", "q": method, "a": arguments, **more})


def reply(values: dict[str, Any], **more: object) -> bytes:
    return encode({"t": b"aa", "y": b"r", "r": {"id": ID, **values}, **more})


def read_reply(values: dict[str, Any], **more: object) -> Reply:
    message = read_message(reply(values, **more))
    assert isinstance(message, Reply)
    return message


@given(st.binary(max_size=200))
def test_junk_is_our_error_and_never_answered(data: bytes) -> None:
    with pytest.raises(KrpcError) as caught:
        read_message(data)
    assert caught.value.transaction is None


BENCODE = st.recursive(
    st.integers(-(2**63), 2**63 - 1) | st.binary(max_size=70),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.binary(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.sampled_from([b"q", b"r", b"e", b"x"]),
    st.dictionaries(
        st.sampled_from(
            [b"id", b"target", b"info_hash", b"nodes", b"nodes6", b"token", b"values", b"v", b"k", b"sig", b"seq"]
        ),
        BENCODE | st.just(ID),
    ),
    st.sampled_from(
        [b"ping", b"find_node", b"get_peers", b"announce_peer", b"get", b"put", b"sample_infohashes", b"vote"]
    ),
)
def test_fields_of_any_value_give_a_message_or_our_error(
    kind: bytes, fields: dict[bytes, object], method: bytes
) -> None:
    datagram = encode({"t": b"aa", "y": kind, "q": method, "a": fields, "r": fields, "e": [fields, fields]})
    try:
        message = read_message(datagram)
    except KrpcError as error:
        refusal = error
    else:
        assert read_message(message.encode()) == message or isinstance(message, Refusal)
        return
    assert refusal.transaction == (b"aa" if kind == b"q" else None)


@pytest.mark.parametrize(
    ("datagram", "code"),
    [
        (query("ping", {}), PROTOCOL),
        (query("ping", {"id": ID + b"x"}), PROTOCOL),
        (query("vote", {"id": ID}), UNKNOWN),
        (query("find_node", {"id": ID, "target": b"short"}), PROTOCOL),
        (query("announce_peer", {"id": ID, "info_hash": OTHER, "port": 0, "token": b"t"}), PROTOCOL),
        (query("announce_peer", {"id": ID, "info_hash": OTHER, "port": 65536, "token": b"t"}), PROTOCOL),
        (query("announce_peer", {"id": ID, "info_hash": OTHER, "port": 1}), PROTOCOL),
        (query("announce_peer", {"id": ID, "info_hash": OTHER, "port": 1, "token": bytes(65)}), PROTOCOL),
        (query("put", {**PUT, "v": bytes(1001)}), TOO_BIG),
        (query("put", {**SIGNED, "salt": bytes(65)}), SALT_TOO_BIG),
        (query("put", {**SIGNED, "seq": -1}), PROTOCOL),
        (query("put", {**SIGNED, "sig": bytes(63)}), PROTOCOL),
        (query("put", {"id": ID, "token": b"t"}), PROTOCOL),
        (b"d1:ad2:id20:%b5:token1:t1:vd1:bi1e1:ai1eee1:q3:put1:t2:aa1:y1:qe" % ID, PROTOCOL),
        (b"d1:ad2:id20:%b5:token1:t1:vi007ee1:q3:put1:t2:aa1:y1:qe" % ID, PROTOCOL),
    ],
)
def test_a_bad_query_is_to_be_answered_with_an_error(datagram: bytes, code: int) -> None:
    with pytest.raises(KrpcError) as caught:
        read_message(datagram)
    assert (caught.value.code, caught.value.transaction) == (code, b"aa")


@pytest.mark.parametrize(
    "datagram",
    [
        encode({"t": b"", "y": b"q", "q": b"ping", "a": {"id": ID}}),
        encode({"t": bytes(21), "y": b"q", "q": b"ping", "a": {"id": ID}}),
        encode({"t": bytes(1000), "y": b"q", "q": b"ping", "a": {"id": ID}}),
        encode({"y": b"q", "q": b"ping", "a": {"id": ID}}),
        encode({"t": b"aa", "y": b"z"}),
        encode([1]),
        reply({"nodes": bytes(27)}),
        reply({"nodes6": bytes(37)}),
        reply({"samples": bytes(19)}),
        reply({"v": bytes(1001)}),
        encode({"t": b"aa", "y": b"r", "r": {"nodes": b""}}),
        encode({"t": b"aa", "y": b"r", "r": [ID]}),
        b"d1:rd2:id20:" + ID + b"1:v" + b"l" * 9 + b"e" * 9 + b"e1:t2:aa1:y1:re",
        reply({"x": bytes(5000)}),
    ],
)
def test_what_has_no_transaction_or_is_a_broken_answer_is_dropped(datagram: bytes) -> None:
    with pytest.raises(KrpcError) as caught:
        read_message(datagram)
    assert caught.value.transaction is None


def test_a_method_of_tomorrow_with_a_target_is_answered_like_find_node() -> None:
    for key in ("target", "info_hash"):
        message = read_message(query("scry", {"id": ID, key: OTHER}))
        assert isinstance(message, Query)
        assert message.ask == FindNode(OTHER)


def test_a_port_that_does_not_count_may_be_anything() -> None:
    arguments = {"id": ID, "info_hash": OTHER, "implied_port": 1, "port": 0, "token": b"t"}
    message = read_message(query("announce_peer", arguments))
    assert isinstance(message, Query)
    assert isinstance(message.ask, AnnouncePeer)
    assert message.ask.implied_port


def test_keys_in_any_order_are_read() -> None:
    assert read_message(b"d1:y1:q1:t2:aa1:q4:ping1:ad2:id20:%bee" % ID) == read_message(query("ping", {"id": ID}))


def test_read_only_and_families_are_heard() -> None:
    message = read_message(query("find_node", {"id": ID, "target": OTHER, "want": [b"n6", b"n9", b"n4"]}, ro=1))
    assert isinstance(message, Query)
    assert message.read_only
    assert message.ask == FindNode(OTHER, (b"n4", b"n6"))


def test_a_salt_without_key_means_nothing() -> None:
    message = read_message(query("put", {**PUT, "salt": b"x"}))
    assert isinstance(message, Query)
    assert message.ask == PutItem(b"tt", b"5:hello")


def test_values_of_the_wrong_size_are_left_out_and_many_are_cut() -> None:
    assert read_reply({"values": [b"axje.u", b"short", 5]}).values == (b"axje.u",)
    assert len(read_reply({"values": [b"axje.u"] * 300}).values) == 200


@pytest.mark.parametrize(
    ("ip", "seen"),
    [
        (b"\x05\x06\x07\x08\x00\x01", Address("5.6.7.8", 1)),
        (b"\x05\x06\x07\x08", Address("5.6.7.8", 0)),
        (bytes(15) + b"\x01", Address("::1", 0)),
        (b"\x05", None),
        (7, None),
    ],
)
def test_where_we_are_seen_is_read(ip: object, seen: Address | None) -> None:
    assert read_reply({}, ip=ip).external == seen


def test_an_error_of_any_shape_is_one() -> None:
    assert read_message(b"d1:ei5e1:t2:aa1:y1:ee") == Refusal(b"aa", 201)
    assert read_message(encode({"t": b"aa", "y": b"e", "e": [b"x", 5]})) == Refusal(b"aa", 201)
    long = read_message(encode({"t": b"aa", "y": b"e", "e": [204, "ä" * 900]}))
    assert isinstance(long, Refusal)
    assert len(long.text) == 200
