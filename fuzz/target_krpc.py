# Invariant: only KrpcError escapes; a message is in its bounds, and a query or reply says the same after its own
# encoding; a node that takes the datagram answers a stranger with no more than three times the bytes.
"""Fuzz target: datagrams of the distributed hash table."""

from random import Random

from bittern.base.address import Address
from bittern.base.errors import KrpcError
from bittern.engine.dht.node import Node, NodeSettings
from bittern.wire.krpc import Message, Query, Refusal, Reply, unpack_peers
from bittern.wire.krpc_reader import read_message
from fuzz.driver import Target
from fuzz.trees import tree_edit

_ID = bytes(range(20))
_STRANGER = Address("203.0.113.5", 6881)
_NODES4, _NODES6 = _ID + b"\x05\x06\x07\x08\x1a\xe1", _ID + bytes(range(1, 17)) + b"\x1a\xe1"


def _node() -> Node:
    rng = Random(1)
    return Node(NodeSettings(), rng=rng, entropy=rng.randbytes, verify=lambda *_: True, now=0.0)


def check(data: bytes) -> bool:
    """Take `data` for a datagram."""
    node = _node()
    node.receive(data, _STRANGER, 1.0)
    sent = sum(len(datagram) for datagram, _ in node.take_datagrams())
    assert sent <= 3 * len(data), f"{sent} bytes for {len(data)}"
    node.table.check_invariants()
    try:
        message = read_message(data)
    except KrpcError as error:
        refusal = error
    else:
        _check(message)
        return True
    assert 201 <= refusal.code <= 207
    assert refusal.transaction is None or 1 <= len(refusal.transaction) <= 20
    return False


def _check(message: Message) -> None:
    assert 1 <= len(message.transaction) <= 20
    if isinstance(message, Refusal):
        assert len(message.text) <= 200
    else:
        _check_bounds(message)
        assert read_message(message.encode()) == message


def _check_bounds(message: Query | Reply) -> None:
    assert len(message.sender) == 20
    if isinstance(message, Reply):
        assert len(message.contacts(ipv6=False)) <= 16
        assert len(message.contacts(ipv6=True)) <= 16
        assert len(unpack_peers(message.values)) <= 200
        assert message.value is None or len(message.value) <= 1000
        assert 0 <= message.interval <= 21600
        assert all(contact.address.port for contact in message.contacts(ipv6=False))


_KEYS = (
    b"a|r|q|y|t|e|id|target|info_hash|token|port|implied_port|nodes|nodes6|values|want|ro|v|ip|seq|"
    b"sig|k|salt|cas|samples|num|interval|BFpe|BFsd|scrape|noseed|seed"
).split(b"|")

TARGET = Target(
    "krpc",
    corpus=(
        b"d1:ad2:id20:%be1:q4:ping1:t2:aa1:y1:qe" % _ID,
        b"d1:ad2:id20:%b6:target20:%b4:wantl2:n42:n6ee1:q9:find_node2:roi1e1:t2:aa1:v4:LT\x01\x021:y1:qe" % (_ID, _ID),
        b"d1:ad2:id20:%b9:info_hash20:%b6:scrapei1ee1:q9:get_peers1:t2:aa1:y1:qe" % (_ID, _ID),
        b"d1:ad2:id20:%b12:implied_porti1e9:info_hash20:%b4:porti6881e5:token8:aoeusnthe1:q13:announce_peer1:t2:aa1:y1:qe"
        % (_ID, _ID),
        b"d1:ad2:id20:%b6:target20:%be1:q17:sample_infohashes1:t2:aa1:y1:qe" % (_ID, _ID),
        b"d1:ad2:id20:%b3:seqi1e6:target20:%be1:q3:get1:t2:aa1:y1:qe" % (_ID, _ID),
        b"d1:ad3:casi1e2:id20:%b1:k32:%b4:salt3:abc3:seqi2e3:sig64:%b5:token2:tt1:v5:helloe1:q3:put1:t2:aa1:y1:qe"
        % (_ID, bytes(32), bytes(64)),
        b"d2:ip6:\x05\x06\x07\x08\x1a\xe11:rd2:id20:%b5:nodes26:%b6:nodes638:%b5:token2:tt6:valuesl6:axje.uee1:t2:aa1:y1:re"
        % (_ID, _NODES4, _NODES6),
        b"d1:rd4:BFpe256:%b4:BFsd256:%b2:id20:%be1:t2:aa1:y1:re" % (bytes(256), bytes(256), _ID),
        b"d1:rd2:id20:%b8:intervali60e5:nodes0:3:numi1e7:samples20:%be1:t2:aa1:y1:re" % (_ID, _ID),
        b"d1:rd2:id20:%b1:k32:%b3:seqi1e3:sig64:%b1:vd1:ai1eee1:t2:aa1:y1:re" % (_ID, bytes(32), bytes(64)),
        b"d1:eli201e23:A Generic Error Ocurrede1:t2:aa1:y1:ee",
    ),
    words=(
        *(
            b"1:a",
            b"1:q",
            b"1:r",
            b"1:e",
            b"1:t",
            b"1:y",
            b"2:id",
            b"2:ip",
            b"2:ro",
            b"5:nodes",
            b"6:nodes6",
            b"6:values",
        ),
        *(b"6:target", b"9:info_hash", b"5:token", b"4:port", b"3:seq", b"3:cas", b"4:salt", b"4:want", b"7:samples"),
        *(b"i0e", b"i-1e", b"i65536e", b"i9223372036854775807e", b"d", b"l", b"e", b"de", b"le", b"0:", b"20:", b"1:v"),
        *(b"ping", b"find_node", b"get_peers", b"announce_peer", b"put", b"get", b"1:x", _ID),
    ),
    check=check,
    edits=(tree_edit(_KEYS),),
)
