"""Two clients over an encrypted link: all arrives, none of it can be read on the way."""

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bittern.base.errors import Offence, RemoteProtocolError
from bittern.base.geometry import BLOCK
from bittern.base.ids import InfoHashV1, PeerId
from bittern.testing.wire_pair import WirePair, bytewise, whole
from bittern.wire.blocks import block_heads
from bittern.wire.decoder import Scratch
from bittern.wire.handshake import PROTOCOL, Handshake
from bittern.wire.messages import Have, Interested
from bittern.wire.mse.exchange import Exchange, Initiator
from bittern.wire.mse.keys import shared_secret
from bittern.wire.mse.policy import Encryption, Method
from bittern.wire.mse.slab import SIZE, Slab
from bittern.wire.mse.stream import LEAST_AT_ONCE, MseStream
from bittern.wire.peerwire import HANDSHAKE_SECONDS, PeerWire, WireState
from bittern.wire.stream import Link, LinkLost, LossKind
from tests.wire.mse.plain_rc4 import PlainRc4
from tests.wire.mse.shaking import NAME, responder
from tests.wire.wiring import Recorder, Wanted, pattern

SCRATCH = Scratch()


def hello(who: str) -> Handshake:
    return Handshake(bytes(8), InfoHashV1(NAME), PeerId(f"-XX0000-{who:.>12}".encode()))


class Client:
    """A wire in an encrypted stream, and who greets it.

    Args:
        name: of it.
        exchange: makes its side of the handshake, given its first words.
        slab: that it shares with others.
    """

    def __init__(self, name: str, exchange: Callable[[bytes], Exchange], slab: Slab, *, patient: bool = False) -> None:
        self.name = name
        self.sink = Recorder()
        self.wanted = Wanted(self.sink)
        self.lost: list[LinkLost | RemoteProtocolError] = []
        self.sums: list[tuple[MseStream, Exchange]] = []
        self._exchange = exchange
        self._slab = slab
        self._patient = patient  # works out secrets when it is told to
        self._dialed = name == "dials"
        self.wire: PeerWire
        self.stream: MseStream

    def join(self, link: Link) -> MseStream:
        self.wire = PeerWire(link, SCRATCH, self, 0.0)
        words = b""
        if self._dialed:
            self.wire.send_handshake(hello(self.name))
            words = b"".join(self.wire.send_buffers(1000))
            self.wire.sent(len(words), 0.0)
        self.stream = MseStream(link, self.wire, self._exchange(words), SCRATCH, self._slab, self._work_out)
        return self.stream

    def _work_out(self, stream: MseStream, exchange: Exchange, now: float) -> None:
        if self._patient:
            self.sums.append((stream, exchange))
        else:
            assert exchange.wanted is not None
            stream.know(shared_secret(exchange.secret, exchange.wanted), now)

    def on_handshake(self, wire: PeerWire, handshake: Handshake, now: float) -> None:
        if not self._dialed:
            wire.send_handshake(hello(self.name))
        wire.land(self.sink, "peer", self.wanted, lambda _: None)

    def on_wire_lost(self, wire: PeerWire, reason: LinkLost | RemoteProtocolError, now: float) -> None:
        self.lost.append(reason)

    def give(self, piece: int, count: int) -> None:
        """Send blocks of a piece."""
        bodies = [memoryview(pattern(piece, at)) for at in range(count)]
        self.wire.send_blocks(block_heads(piece, 0, count), bodies, count * BLOCK, lambda: None)


def dials(policy: Encryption, slab: Slab, kind: type[Initiator] = Initiator, *, patient: bool = False) -> Client:
    def exchange(words: bytes) -> Initiator:
        return kind(Random("a").randbytes, PlainRc4, NAME, policy, words)

    return Client("dials", exchange, slab, patient=patient)


def answers(policy: Encryption, slab: Slab, *, patient: bool = False) -> Client:
    return Client("answers", lambda _: responder(policy), slab, patient=patient)


class OnlyPlain(Initiator):
    """One that offers to encrypt nothing but the handshake."""

    def _learn(self, shared: bytes) -> None:
        self._offered = Method.PLAIN
        super()._learn(shared)


def pair(
    kind: type[Initiator] = Initiator, *, cut: Callable[[int], int] = whole, patient: bool = False
) -> tuple[WirePair, Client, Client]:
    one, other = dials(Encryption.PREFER, Slab(), kind, patient=patient), answers(Encryption.PREFER, Slab())
    return WirePair(one.join, other.join, cut=cut), one, other


def talk(both: WirePair, one: Client, other: Client) -> None:
    """Some blocks in each direction."""
    both.run()
    assert one.wire.state is other.wire.state is WireState.OPEN
    one.wanted.ask(0, 0, 3)
    other.wanted.ask(1, 0, 2)
    other.give(0, 3)
    other.wire.send_have(7)
    one.wire.send_unchoke()
    one.give(1, 2)
    both.run()
    assert one.sink.calls == [*[("block", 0, at, pattern(0, at)) for at in range(3)], ("have", 7)]
    assert other.sink.calls == [("unchoke",), *[("block", 1, at, pattern(1, at)) for at in range(2)]]


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 3000))
def test_whatever_the_cut_all_arrives_and_nothing_can_be_read_on_the_way(size: int) -> None:
    both, one, other = pair(cut=lambda _: size)
    talk(both, one, other)
    assert one.wire.encrypted
    assert other.wire.encrypted
    for record in (both.left.record, both.right.record):
        assert not any(said in record for said in (PROTOCOL, NAME, pattern(0, 0)[:64], bytes(8), b"XX0000"))


@pytest.mark.parametrize("cut", [whole, bytewise, lambda _: 100])
def test_where_only_the_handshake_is_encrypted_the_wires_speak_for_themselves_then(cut: Callable[[int], int]) -> None:
    both, one, other = pair(OnlyPlain, cut=cut)
    talk(both, one, other)
    assert (both.left.stream, both.right.stream) == (one.wire, other.wire)
    assert not one.wire.encrypted
    assert PROTOCOL not in both.right.record  # the first words were encrypted still,
    assert PROTOCOL in both.left.record  # their answer was not
    assert pattern(1, 1) in both.right.record


@pytest.mark.parametrize("cut", [whole, lambda _: 100, lambda _: 16_384])
def test_first_words_of_any_length_are_heard_whatever_comes_behind_them(cut: Callable[[int], int]) -> None:
    """65,535 bytes that are encrypted, of a connection that is not, are more than there is room for at once."""
    slab = Slab()
    words = hello("dials").encode() + Interested().encode() * 13_093
    words += Have(9).encode()[: 0xFFFF - len(words)]
    other = answers(Encryption.PREFER, slab)
    one = Client("dials", lambda _: OnlyPlain(Random("a").randbytes, PlainRc4, NAME, Encryption.PREFER, words), slab)
    both = WirePair(one.join, other.join, cut=cut)
    both.run()
    both.right.unread.append(memoryview(Have(9).encode()[2:]))
    both.run()
    assert other.lost == []
    assert other.sink.calls == [("interested",)] * 13_093 + [("have", 9)]
    assert both.right.stream is other.wire


def test_nothing_is_read_while_a_secret_is_worked_out() -> None:
    both, one, other = pair(patient=True)
    both.run()
    assert one.stream.receive_buffers() == ()
    ((stream, exchange),) = one.sums
    assert exchange.wanted is not None
    assert one.wire.heard  # a key alone tells that the other side encrypts
    stream.know(shared_secret(exchange.secret, exchange.wanted), 0.0)
    talk(both, one, other)


def test_a_secret_that_comes_after_the_end_is_of_no_use() -> None:
    both, one, other = pair(patient=True)
    both.run()
    one.stream.lost(LinkLost(LossKind.RESET), 1.0)
    ((stream, exchange),) = one.sums
    assert exchange.wanted is not None
    stream.know(shared_secret(exchange.secret, exchange.wanted), 2.0)
    assert one.wire.state is WireState.CLOSED
    assert one.lost == [LinkLost(LossKind.RESET)]
    assert other.lost == []


def test_a_handshake_that_fails_ends_the_wire_with_the_reason() -> None:
    slab = Slab()
    one = dials(Encryption.PREFER, slab, OnlyPlain)
    other = answers(Encryption.REQUIRE, slab)
    both = WirePair(one.join, other.join)
    both.run()
    assert [str(reason) for reason in other.lost] == [
        "does not encrypt as it should: of the methods 0x1 we may use none"
    ]
    assert one.lost == [LinkLost(LossKind.CLOSED)]


def test_a_handshake_that_takes_too_long_ends_as_any_other_does() -> None:
    slab = Slab()
    other = answers(Encryption.PREFER, slab)
    both = WirePair(dials(Encryption.PREFER, slab).join, other.join)
    other.wire.keep_up(HANDSHAKE_SECONDS)
    assert [getattr(reason, "kind", None) for reason in other.lost] == [LossKind.TIMED_OUT]
    assert both.right.closed


def opened(slab: Slab) -> tuple[Client, PlainRc4]:
    """One that has shaken hands, and the cipher that reads what it says."""
    one, other = dials(Encryption.PREFER, slab), answers(Encryption.PREFER, Slab())
    WirePair(one.join, other.join).run()
    cipher = other.stream._decipher
    assert isinstance(cipher, PlainRc4)
    return one, cipher


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 40_000)), min_size=1, max_size=30))
def test_streams_that_share_a_slab_and_are_not_read_at_once_say_what_they_should(turns: list[tuple[int, int]]) -> None:
    """What the system does not take, all of it or a part, is offered again, whoever sent meanwhile."""
    slab = Slab()
    sides = [opened(slab), opened(slab)]
    said = [bytearray(), bytearray()]
    for piece, (client, _) in enumerate(sides):
        client.give(piece, 3)
    for number, count in [*turns, *[(0, 1 << 20), (1, 1 << 20)] * 20]:
        stream = sides[number][0].stream
        data = b"".join(stream.send_buffers(1 << 20))[:count]
        if data:
            stream.sent(len(data), 0.0)
            said[number] += data
    for piece, (_, cipher) in enumerate(sides):
        cipher.process(said[piece], said[piece])
        blocks = [block_heads(piece, at, 1) + pattern(piece, at) for at in range(3)]
        assert said[piece] == b"".join(blocks)


def test_who_takes_little_has_little_kept_for_it() -> None:
    client, _ = opened(Slab())
    client.give(0, 100)
    sizes = []
    for _ in range(10):
        data = b"".join(client.stream.send_buffers(1 << 20))
        sizes.append(len(data))
        client.stream.sent(len(data) - 1, 0.0)
        client.stream.sent(1, 0.0)
    assert sizes == [4 * LEAST_AT_ONCE, 2 * LEAST_AT_ONCE, *[LEAST_AT_ONCE] * 8]


def test_who_takes_all_is_offered_more_up_to_the_slab() -> None:
    client, _ = opened(Slab())
    client.give(0, 100)
    sizes = []
    while data := b"".join(client.stream.send_buffers(1 << 20)):
        sizes.append(len(data))
        client.stream.sent(len(data), 0.0)
    assert sizes[:4] == [4 * LEAST_AT_ONCE, 8 * LEAST_AT_ONCE, SIZE, SIZE]


def test_a_cipher_is_called_once_for_all_that_goes_and_once_for_all_that_comes() -> None:
    client, cipher = opened(Slab())
    calls = list[int]()

    class Counting(PlainRc4):
        def process(self, data: bytes | bytearray | memoryview, into: bytearray | memoryview, /) -> None:
            calls.append(len(data))

    client.stream._encipher = client.stream._decipher = Counting(b"k" * 20)
    client.give(0, 3)
    client.stream.send_buffers(1 << 20)
    assert len(calls) == 1
    assert calls[0] > 3 * BLOCK
    (buffer,) = client.stream.receive_buffers()
    buffer[: 10 * 4] = bytes(10 * 4)  # ten keep-alives
    client.stream.received(40, 0.0)
    assert calls[1:] == [40]
    assert cipher is not None


def test_a_remote_that_breaks_the_protocol_inside_is_dropped_as_any_other() -> None:
    both, one, other = pair()
    both.run()
    other.wire._say(b"\xff\xff\xff\xff\x14")
    both.run()
    (call,) = [call for call in one.sink.calls if call[0] == "lost"]
    assert isinstance(call[1], RemoteProtocolError)
    assert call[1].offence is Offence.OVERSIZED_MESSAGE
