# Invariant: whatever comes from whom and when, nothing escapes and the tables stay consistent; who never proved where
# it is gets no more than three times the bytes that came from there; every search ends, and what strangers may store
# has its bounds.
"""Fuzz target: the nodes of both address families as one, with all they look for, and time (BEP 5, 32, 33, 44, 51)."""

from collections import deque
from enum import IntEnum
from random import Random

from bittern.base.address import Address
from bittern.base.errors import BencodeError
from bittern.codec.bencode import Value, decode_prefix, encode
from bittern.engine.dht.dht import Dht
from bittern.engine.dht.events import SearchDone
from bittern.engine.dht.items import MAX_ITEMS, Item
from bittern.engine.dht.node import Node, NodeSettings
from bittern.engine.dht.state import NodeState
from bittern.wire.krpc import AnnouncePeer, Query
from bittern.wire.krpc_reader import read_message
from fuzz.driver import Target
from fuzz.plays import act, acts, play_edit
from fuzz.target_krpc import TARGET as KRPC
from fuzz.trees import tree_edit

_QUIET_SECONDS = 400.0
_MOST_TURNS = 3000
_ID = bytes(range(20))


class Does(IntEnum):
    """What happens in an act."""

    ASK = 0  # somebody asks us
    ANSWER = 1  # who was asked says something, under the right number
    HELP = 2  # who were asked give good answers
    WAIT = 3
    FIND_PEERS = 4
    FIND_NODES = 5
    GET = 6
    PUT = 7
    SAMPLE = 8
    MEET = 9
    ABANDON = 10
    RESTART = 11  # of the first node, with what it saved


class _Net:
    """Our nodes, the time, and who said how much to whom."""

    def __init__(self) -> None:
        self.now = 0.0
        self.chance = Random(1)
        self.dht = Dht([self._node(ipv6=False), self._node(ipv6=True)])
        self.asked: deque[tuple[int, Query, Address]] = deque(maxlen=500)
        self.searches: set[int] = set()
        self.proven: set[Address] = set()
        self.came: dict[Address, int] = {}
        self.went: dict[Address, int] = {}

    def _node(self, *, ipv6: bool, state: NodeState | None = None) -> Node:
        settings = NodeSettings(ipv6=ipv6)
        rng = self.chance
        return Node(
            settings, rng=rng, entropy=rng.randbytes, verify=lambda key, *_: key[0] < 128, now=self.now, state=state
        )

    def restart(self) -> None:
        """Begin again with what was saved."""
        saved = NodeState.decode(self.dht.nodes[0].state().encode())
        assert saved.id == self.dht.nodes[0].id
        self.dht = Dht([self._node(ipv6=False, state=saved), self._node(ipv6=True)])
        self.asked.clear()
        self.searches.clear()
        self.turn()

    def hear(self, data: bytes, source: Address) -> None:
        """A datagram comes."""
        self.came[source] = self.came.get(source, 0) + len(data)
        self.dht.receive(int(source.is_ipv6), data, source, self.now)
        self.turn()

    def answer(self, number: int, body: dict[bytes, Value]) -> None:
        """Somebody who was asked answers, by the number of the question."""
        if not self.asked:
            return
        at = number % len(self.asked)
        _, query, address = self.asked[at]
        del self.asked[at]
        self.proven.add(address)
        self.hear(encode({b"t": query.transaction, b"y": b"r", **body}), address)

    def turn(self) -> None:
        """What our nodes decided goes out, and is looked at."""
        for at, data, address in self.dht.take_datagrams():
            assert len(data) <= 1500
            assert address.port
            assert address.is_ipv6 is bool(at)
            message = read_message(data)
            if isinstance(message, Query):
                self.asked.append((at, message, address))
            else:
                self.went[address] = self.went.get(address, 0) + len(data)
        for address, count in self.went.items():
            if address not in self.proven:
                assert count <= 3 * self.came.get(address, 0), f"{count} bytes for {self.came.get(address)}"
        for event in self.dht.take_events(self.now):
            if isinstance(event, SearchDone):
                assert event.answered <= event.asked
                self.searches.discard(event.search)

    def check(self) -> None:
        """The nodes are sound."""
        for node in self.dht.nodes:
            node.table.check_invariants()
            assert node.stored[1] <= MAX_ITEMS

    def passes(self, seconds: float) -> None:
        """Time passes."""
        until = self.now + seconds
        for _ in range(_MOST_TURNS):
            due = self.dht.next_deadline()
            if due > until:
                self.now = until
                return
            self.now = max(self.now, due)
            self.dht.advance(self.now)
            self.turn()
        raise AssertionError(f"{_MOST_TURNS} turns in {seconds:g} s")


def check(data: bytes) -> bool:
    """Play a play."""
    net, good = _Net(), False
    for kind, said in acts(data):
        good |= _perform(net, kind, said)
        net.check()
    good = good and any(len(node.table) for node in net.dht.nodes)
    net.passes(_QUIET_SECONDS)
    net.check()
    assert not net.searches, f"{len(net.searches)} searches never end"
    return good


def _perform(net: _Net, kind: int, said: bytes) -> bool:
    who, target = _address(kind >> 4), (said + _ID)[:20]
    dht, now = net.dht, net.now
    match kind % 16:
        case Does.ASK:
            net.hear(said, who)
        case Does.ANSWER:
            try:
                body = decode_prefix(said, strict=False)[0]
            except BencodeError:
                return False
            net.answer(kind >> 4, body if isinstance(body, dict) else {b"r": body})
        case Does.HELP:
            for number in range(min(20, len(net.asked))):
                net.answer(0, {b"r": _good(number, said)})
        case Does.WAIT:
            net.passes(min(300.0, sum(said[:8])))
        case Does.FIND_PEERS:
            announce = AnnouncePeer(target, 7000, b"", implied_port=bool(kind & 16)) if kind & 32 else None
            net.searches.add(dht.find_peers(target, now, announce=announce, scrape=bool(kind & 64)))
        case Does.FIND_NODES:
            net.searches.add(dht.find_nodes(target, now))
        case Does.GET:
            net.searches.add(dht.get_item(target, now, salt=said[20:60]))
        case Does.PUT:
            net.searches.add(dht.put_item(Item(encode(said[:900])), now, cas=1 if kind & 16 else None))
        case Does.SAMPLE:
            net.searches.add(dht.sample(target, now))
        case Does.MEET:
            dht.meet(who, now)
        case Does.ABANDON if net.searches:
            dht.abandon(min(net.searches), now)
        case Does.RESTART:
            net.restart()
        case _:
            return False
    net.turn()
    return True


def _address(number: int) -> Address:
    if number & 8:
        return Address(f"2001:db8:{number}::1", 6881)
    return Address(f"203.0.{number}.5" if number else "10.0.0.9", 6881 + number)


def _good(number: int, said: bytes) -> Value:
    """A good answer that names more nodes, peers, and whatever else may be wanted."""
    rng = Random(said + bytes((number & 255,)))
    nodes = b"".join(rng.randbytes(20) + bytes((5, rng.randrange(256), 7, 1, 0x1A, 0xE1)) for _ in range(8))
    six = b"".join(rng.randbytes(20) + b"\x20\x01" + rng.randbytes(14) + b"\x1a\xe1" for _ in range(4))
    body: dict[bytes, Value] = {b"id": rng.randbytes(20), b"nodes": nodes, b"nodes6": six, b"token": b"token"}
    peers: list[Value] = [b"\x05\x06\x07\x08\x1a\xe1", rng.randbytes(6), rng.randbytes(18)]
    more: dict[bytes, Value] = {b"values": peers, b"samples": rng.randbytes(60), b"num": 9, b"interval": 60}
    item: dict[bytes, Value] = {b"v": said[:30], b"k": rng.randbytes(32), b"sig": bytes(64), b"seq": len(said)}
    filters: dict[bytes, Value] = {b"BFsd": rng.randbytes(256), b"BFpe": rng.randbytes(256)}
    return body | more | item | filters


_HELP = act(Does.HELP, b"x")
_MEET = b"".join(act(Does.MEET | who << 4) for who in (1, 2, 9, 10))
_QUERIES = [each for each in KRPC.corpus if b"1:y1:qe" in each]
_ANSWERS = [each for each in KRPC.corpus if b"1:y1:re" in each]
_CORPUS = (
    b"".join(act(Does.ASK | 16, query) for query in _QUERIES),
    _MEET + b"".join(act(Does.ANSWER | at << 4, answer) for at, answer in enumerate(_ANSWERS)),
    *(_MEET + act(start | flags) + (_HELP + act(Does.WAIT, b"\2")) * 4 for start in range(4, 9) for flags in (0, 112)),
    _MEET
    + _HELP
    + act(Does.RESTART)
    + _HELP
    + act(Does.FIND_NODES, bytes(20))
    + _HELP * 2
    + act(Does.WAIT, b"\xff" * 4),
    _MEET + act(Does.FIND_PEERS) * 20 + act(Does.ABANDON) * 3 + _HELP * 3 + act(Does.WAIT, b"\xff" * 8),
    b"".join(act(Does.ASK | who << 4, query) * 3 for who in range(1, 16) for query in _QUERIES[:3]),
    act(Does.ASK | 16, _QUERIES[2]) * 60 + act(Does.WAIT, b"\x0a") + act(Does.ASK | 16, _QUERIES[2]),
)

TARGET = Target(
    "dht",
    corpus=_CORPUS,
    words=(*KRPC.words, _HELP, _MEET, *(act(kind) for kind in Does)),
    check=check,
    edits=(play_edit(_CORPUS, KRPC.edits), play_edit(_CORPUS, (tree_edit((b"r", b"t", b"id")),))),
    slow_seconds=3.0,
)
