"""The first bytes of who connects: which stream gets them, and that none is lost."""

from bittern.base.errors import Offence, RemoteProtocolError
from bittern.base.ids import InfoHashV1, PeerId
from bittern.testing.wire_pair import WirePair, feed
from bittern.wire.decoder import Scratch
from bittern.wire.handshake import PROTOCOL, Handshake
from bittern.wire.mse.arrival import Arrival
from bittern.wire.mse.policy import Encryption
from bittern.wire.mse.slab import Slab
from bittern.wire.mse.stream import MseStream
from bittern.wire.peerwire import PeerWire, WireState
from bittern.wire.stream import Link, LinkLost, LossKind
from tests.wire.mse.shaking import NAME, initiator, responder
from tests.wire.test_peerwire import Host

HELLO = Handshake(bytes(8), InfoHashV1(NAME), PeerId(b"-XX0000-abcdefghijkl")).encode()
BEHIND = b"\0\0\0\0\0\0\0\1\1"  # a keep-alive, an unchoke


class Door:
    """A link with an Arrival, and the wire behind it."""

    def __init__(self, policy: Encryption = Encryption.PREFER) -> None:
        self.host = Host()
        self.scratch = Scratch()
        self.wire: PeerWire
        self.mse: MseStream | None = None
        self._policy = policy
        self.link = WirePair(self._open, lambda _: PeerWire.__new__(PeerWire)).left

    def _open(self, link: Link) -> Arrival:
        self.wire = PeerWire(link, self.scratch, self.host, 0.0)

        def encrypted() -> MseStream:
            self.mse = MseStream(link, self.wire, responder(self._policy), self.scratch, Slab(), lambda *_: None)
            return self.mse

        return Arrival(link, self.wire, self.scratch, encrypted, plain=self._policy.plain)

    def hears(self, data: bytes, size: int = 1 << 16) -> None:
        """Bytes come, so many at a time, to whichever stream is served then."""
        for at in range(0, len(data), size):
            if self.wire.state is WireState.CLOSED:
                return
            feed(self.link.stream, data[at : at + size])


def test_a_plain_handshake_is_the_wires_own_from_the_twentieth_byte_on() -> None:
    for size in (1, 7, 19, 20, 21, 1000):
        door = Door()
        door.hears(HELLO + BEHIND, size)
        assert door.link.stream is door.wire
        assert door.wire.state is WireState.OPEN
        assert door.host.sink.calls == [("unchoke",)]


def test_anything_else_is_taken_for_a_key() -> None:
    for start in (b"", PROTOCOL[:1], PROTOCOL[:19]):
        door = Door()
        door.hears(start + b"\xff" * 20, 5)
        assert door.mse is not None
        assert door.link.stream is door.mse


def test_where_encryption_is_required_a_plain_handshake_ends_it_and_the_start_of_one_does_not() -> None:
    door = Door(Encryption.REQUIRE)
    door.hears(PROTOCOL[:19])
    assert door.host.lost == []
    door.hears(PROTOCOL[19:])
    assert door.host.lost == [LinkLost(LossKind.ABORTED, "it is not encrypted")]
    assert door.link.closed


def test_a_key_that_begins_like_a_handshake_is_a_key_all_the_same() -> None:
    door = Door(Encryption.REQUIRE)
    key = bytearray(initiator().out)
    key[:1] = PROTOCOL[:1]
    door.hears(bytes(key), 1)
    assert door.mse is not None
    assert door.host.lost == []


def test_who_leaves_in_the_middle_of_a_plain_handshake_is_told_from_who_said_nothing() -> None:
    door = Door()
    door.hears(PROTOCOL[:5])
    door.link.stream.lost(LinkLost(LossKind.CLOSED), 1.0)
    (reason,) = door.host.lost
    assert isinstance(reason, RemoteProtocolError)
    assert reason.offence is Offence.SHORT_HANDSHAKE
    door = Door()
    door.link.stream.lost(LinkLost(LossKind.CLOSED), 1.0)
    assert door.host.lost == [LinkLost(LossKind.CLOSED)]


def test_nothing_is_said_before_it_is_known_what_is_spoken() -> None:
    door = Door()
    assert not door.link.stream.send_buffers(1000)
    door.hears(PROTOCOL[:10])
    assert not door.link.stream.send_buffers(1000)
