# Invariant: nothing escapes; what is parsed is the same after a round trip; whatever strangers and a peer say in any
# order, a port keeps no more than its limits, answers strangers with no more bytes than they sent, and ends in silence.
"""Fuzz target: uTP packets, and a whole port with one open connection."""

from collections.abc import Sequence
from random import Random

from bittern.base.address import Address
from bittern.wire.stream import Buffer, Link, LinkLost, Stream
from bittern.wire.utp.mux import Mux
from bittern.wire.utp.packet import DATA, FIN, HEAD, RESET, STATE, SYN, Packet, encode, parse
from bittern.wire.utp.settings import UtpSettings
from fuzz.driver import Target

_PEER = Address("10.0.0.2", 2)
_STRANGER = Address("10.0.0.3", 3)
_SETTINGS = UtpSettings(window_bytes=20_000, half_open=8, half_open_per_host=4, most_connections=4)
_PEER_ID, _FIRST = 500, 1000
_SAYS, _SAYS_ROW, _STRANGER_SAYS, _WAITS, _READS, _SPEAKS, _CLOSES, _HOLDS, _REFUSES = range(9)


class _Talk:
    """The stream of each connection: takes what comes while it is told to, and says what it is told to."""

    def __init__(self, port: "_Port", link: Link) -> None:
        self.port = port
        self.link = link
        self.to_say = b""
        self.into = memoryview(bytearray(700))
        self.ended = False

    def receive_buffers(self) -> Sequence[memoryview]:
        return (self.into[:13], self.into[13:]) if self.port.reads else ()

    def received(self, count: int, now: float) -> None:
        assert not self.ended
        assert 0 < count <= len(self.into)
        self.port.got += count

    def send_buffers(self, limit: int) -> Sequence[Buffer]:
        return (self.to_say,) if self.to_say else ()

    def sent(self, count: int, now: float) -> None:
        assert 0 < count <= len(self.to_say)
        self.to_say = self.to_say[count:]

    def lost(self, reason: LinkLost, now: float) -> None:
        assert not self.ended
        self.ended = True


class _Port:
    """A port, the time, and what went in and out."""

    def __init__(self) -> None:
        self.now = 1.0
        self.mux = Mux(_SETTINGS, Random(1), self)
        self.talks: list[_Talk] = []
        self.reads = True
        self.holds = False
        self.got = 0
        self.said = {_PEER: 0, _STRANGER: 0}
        self.heard = {_PEER: 0, _STRANGER: 0}
        self.last: Packet | None = None
        self.hear(encode(Packet(SYN, _PEER_ID, 1, 0, 1 << 20, _FIRST, 0, 0, HEAD)), _PEER)
        assert self.last is not None
        self.ours: int = self.last.seq
        self.hear(
            encode(Packet(STATE, _PEER_ID + 1, 1, 1, 1 << 20, _FIRST + 1, self.ours - 1 & 0xFFFF, 0, HEAD)), _PEER
        )
        assert len(self.talks) == 1

    def accepted(self, link: Link, now: float) -> Stream:
        self.talks.append(_Talk(self, link))
        return self.talks[-1]

    def connected(self, ticket: int, link: Link, now: float) -> Stream:
        raise AssertionError

    def failed(self, ticket: int, reason: LinkLost, now: float) -> None:
        raise AssertionError

    def wake(self) -> None:
        pass

    def hear(self, data: bytes, source: Address, segment: int = 0) -> None:
        if data:
            self.said[source] += len(data)
            self.mux.receive(memoryview(data), segment or len(data), source, self.now)
            self.turn()

    def turn(self) -> None:
        due = self.mux.next_deadline()
        if due is not None and due <= self.now:
            self.mux.advance(self.now)
            later = self.mux.next_deadline()
            assert later is None or later > self.now
        self.mux.deliver(self.now)
        self.mux.flush(self.now)
        for burst in self.mux.take_bursts():
            if self.holds:
                self.mux.held(burst)
                continue
            data = b"".join(burst.buffers)
            assert len(data) <= 60_000
            self.heard[burst.address] += len(data)
            for at in range(0, len(data), burst.segment):
                packet = parse(memoryview(data)[at : at + burst.segment])
                assert packet is not None
                self.last = packet
        assert len(self.mux) <= _SETTINGS.most_connections
        for link in self.mux._links.values():  # noqa: SLF001 - its limits are the invariant
            assert link.inbox.ready <= 2 * _SETTINGS.window_bytes
            assert link.sender.flight.bytes >= 0


def check(data: bytes) -> bool:
    """Parse `data`, then take it for a play of a peer and a stranger."""
    packet = parse(memoryview(data))
    if packet is not None:
        again = encode(packet, data[packet.body :])
        parsed = parse(memoryview(again))
        assert parsed is not None
        limit = (1 << 8 * 252) - 1
        assert parsed._replace(body=0, span=0) == packet._replace(body=0, span=0, selective=packet.selective & limit)
    return _play(data)


def _play(data: bytes) -> bool:
    port, at, acts = _Port(), 0, 0
    while at + 2 <= len(data) and acts < 200:
        act, size = data[at] % 9, data[at + 1]
        rest = data[at + 2 : at + 2 + size]
        at += 2 + size
        acts += 1
        _act(port, act, rest)
    assert port.heard[_STRANGER] <= port.said[_STRANGER]
    port.holds = False
    port.reads = True
    for _ in range(60):  # the peer is silent from now on: whoever has something to say gives up
        port.now += 20.0
        port.turn()
    open_ones = [talk for talk in port.talks if not talk.ended]
    assert len(port.mux) <= len(open_ones)
    return acts > 2


def _act(port: _Port, act: int, rest: bytes) -> None:
    match act:
        case _ if act == _SAYS:
            port.hear(_of_peer(port, rest), _PEER)
        case _ if act == _SAYS_ROW:
            one = _of_peer(port, rest)
            port.hear(one * 3, _PEER, max(1, len(one)))
        case _ if act == _STRANGER_SAYS:
            port.hear(rest, _STRANGER)
        case _ if act == _WAITS:
            port.now += len(rest) * 0.11
            port.turn()
        case _ if act == _READS:
            port.reads = not port.reads
            for talk in port.talks:
                talk.link.wake_receiver()
            port.turn()
        case _ if act == _SPEAKS:
            for talk in port.talks:
                talk.to_say += rest * 9
                talk.link.wake_sender()
            port.turn()
        case _ if act == _CLOSES:
            port.talks[-1].link.close()
            port.talks[-1].ended = True
            port.turn()
        case _ if act == _HOLDS:
            port.holds = not port.holds
            port.turn()
        case _:
            port.mux.too_big(_PEER, len(rest) * 8, port.now)
            port.mux.refused(_PEER, port.now)
            port.turn()


def _of_peer(port: _Port, rest: bytes) -> bytes:
    """The bytes as a packet of the peer: its id, and numbers that count from those of the connection."""
    packet = parse(memoryview(rest))
    if packet is None:
        return rest
    seq = packet.seq + _FIRST & 0xFFFF
    ack = packet.ack + port.ours - 1 & 0xFFFF
    ident = _PEER_ID if packet.kind == SYN else _PEER_ID + 1
    return encode(packet._replace(connection=ident, seq=seq, ack=ack), rest[packet.body :])


def _record(act: int, rest: bytes = b"") -> bytes:
    return bytes((act, len(rest))) + rest


def _packet(kind: int, seq: int, ack: int = 0, selective: int = 0, payload: bytes = b"", window: int = 9999) -> bytes:
    return encode(Packet(kind, 1, 1, 1, window, seq, ack, selective, HEAD), payload)


_HELLO = _record(_SAYS, _packet(DATA, 1, payload=b"hello"))
_GAP = _record(_SAYS, _packet(DATA, 3, payload=b"later"))

TARGET = Target(
    "utp",
    corpus=(
        encode(Packet(DATA, 1, 2, 3, 4, 5, 6, 0b1011, HEAD), b"payload"),
        bytes.fromhex("4101 0001" + "00" * 12 + "0001 0000" + "0004 01000080"),
        _HELLO + _GAP + _record(_SAYS, _packet(DATA, 2, payload=b"now")) + _record(_SAYS, _packet(FIN, 4)),
        _record(_SPEAKS, bytes(200))
        + _record(_SAYS, _packet(STATE, 1, 1))
        + _record(_SAYS, _packet(STATE, 1, 0, 0b111)),
        _record(_SPEAKS, bytes(250)) * 4 + _record(_WAITS, bytes(30)) * 5 + _record(_SAYS, _packet(STATE, 1, 9)),
        _record(_READS) + _record(_SAYS_ROW, _packet(DATA, 1, payload=bytes(180))) * 3 + _record(_READS),
        _record(_SAYS, _packet(STATE, 1, window=0)) + _record(_SPEAKS, b"x") + _record(_WAITS, bytes(255)) * 3,
        _record(_STRANGER_SAYS, _packet(SYN, 7)) * 9 + _record(_STRANGER_SAYS, _packet(DATA, 7, payload=b"x")),
        _record(_STRANGER_SAYS, _packet(RESET, 7)) + _record(_SAYS, _packet(RESET, 1, 0)),
        _HELLO + _record(_SPEAKS, b"bye") + _record(_CLOSES) + _record(_SAYS, _packet(STATE, 2, 2)),
        _record(_HOLDS) + _record(_SPEAKS, bytes(250)) + _record(_HOLDS) + _record(_REFUSES, bytes(180)),
    ),
    words=(
        *(_HELLO, _GAP, _record(_READS), _record(_SPEAKS, bytes(100)), _record(_WAITS, bytes(100)), _record(_CLOSES)),
        *(_record(_SAYS, _packet(STATE, 1, ack)) for ack in (0, 1, 2, 5, 0xFFFF)),
        *(_record(_SAYS, _packet(STATE, 1, 0, mask)) for mask in (1, 7, 1 << 31, (1 << 1600) - 1 & ~0xFF)),
        *(_record(_SAYS, _packet(FIN, seq)) for seq in (1, 2, 5)),
        *(
            b"\x01",
            b"\x11",
            b"\x21",
            b"\x31",
            b"\x41",
            b"\x00\x04\x01\x00\x00\x00",
            b"\x01\x04",
            b"\xff\xff",
            b"\x80\x00",
        ),
    ),
    check=check,
)
