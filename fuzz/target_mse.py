# Invariant: nothing escapes; the handler of either role keeps no more bytes than a handshake may have, and a connection
# whose handshake is garbage ends after 628 bytes at the latest; what was said before its end never says the info hash.
"""Fuzz target: both roles of the encrypted handshake, from the first byte to the messages behind it."""

from random import Random

from bittern.base.address import Address
from bittern.base.errors import RemoteProtocolError
from bittern.base.ids import InfoHashV1, PeerId
from bittern.sim.cipher import SimCipher
from bittern.testing.wire_pair import WireLink, feed
from bittern.wire.decoder import Scratch
from bittern.wire.handshake import Handshake
from bittern.wire.messages import Have, Unchoke
from bittern.wire.mse.arrival import Arrival
from bittern.wire.mse.cipher import processed, ready
from bittern.wire.mse.exchange import VC, Exchange, Initiator, Responder
from bittern.wire.mse.keys import KEY_SIZE, name_mark, public_key, shared_secret, stream_keys, sync_mark, veiled
from bittern.wire.mse.policy import Encryption
from bittern.wire.mse.slab import Slab
from bittern.wire.mse.stream import MseStream
from bittern.wire.peerwire import PeerWire, WireState
from bittern.wire.stream import Link, LinkLost
from fuzz.driver import Target

_NAME = InfoHashV1(bytes(range(100, 120)))
_HELLO = Handshake(bytes(8), _NAME, PeerId(b"-XX0000-abcdefghijkl")).encode()
_SECRET = b"the fuzzer's secret."
_SCRATCH, _SLAB = Scratch(), Slab()
_MOST_PLAIN = 628
_POLICIES = (Encryption.PREFER, Encryption.REQUIRE)


class _Ear:
    """A sink that takes everything."""

    def __getattr__(self, name: str) -> object:
        return lambda *_: None


class _Side:
    """Our side of a connection, as an engine has it."""

    def __init__(self, policy: Encryption, *, dialed: bool) -> None:
        self.wire: PeerWire
        self.exchange: Exchange | None = None
        self._policy = policy
        self._dialed = dialed
        self.link = WireLink(Address("10.0.0.1", 1), self._open)

    def _open(self, link: Link) -> Arrival | MseStream:
        self.wire = PeerWire(link, _SCRATCH, self, 0.0)
        if not self._dialed:
            return Arrival(link, self.wire, _SCRATCH, self._encrypted, plain=self._policy.plain)
        return self._encrypted()

    def _encrypted(self) -> MseStream:
        entropy = Random(1).randbytes
        if self._dialed:
            self.exchange = Initiator(entropy, SimCipher, _NAME, self._policy, _HELLO)
        else:
            self.exchange = Responder(entropy, SimCipher, {name_mark(_NAME): _NAME}.get, self._policy)
        return MseStream(self.wire.link, self.wire, self.exchange, _SCRATCH, _SLAB, self._work_out)

    @staticmethod
    def _work_out(stream: MseStream, exchange: Exchange, now: float) -> None:
        assert exchange.wanted is not None
        stream.know(shared_secret(exchange.secret, exchange.wanted), now)

    def on_handshake(self, wire: PeerWire, handshake: Handshake, now: float) -> None:
        """See Greeter."""
        wire.land_nowhere(_Ear(), "peer", lambda _: None)  # type: ignore[arg-type]  # it hears everything

    def on_wire_lost(self, wire: PeerWire, reason: LinkLost | RemoteProtocolError, now: float) -> None:
        """See Greeter."""

    def hear(self, data: bytes, size: int) -> None:
        """Let bytes come, so many at a time, until the connection ends."""
        for at in range(0, len(data), size):
            if self.wire.state is WireState.CLOSED:
                return
            feed(self.link.stream, data[at : at + size])
            if self.exchange is not None and self.exchange.agreed is None:
                assert len(self.exchange._came) <= _MOST_PLAIN + size  # noqa: SLF001 - what is kept is what counts

    def said(self) -> bytes:
        """What we say now."""
        data = b"".join(self.link.stream.send_buffers(1 << 20))
        if data:
            self.link.stream.sent(len(data), 0.0)
        return data


def check(data: bytes) -> bool:
    """A byte of flags, one that says how what comes is cut, then what comes: as it is, or for the cipher to encrypt."""
    if len(data) < 3:
        return False
    flags, size, body = data[0], data[1] + 1, data[2:]
    side = _Side(_POLICIES[flags >> 1 & 1], dialed=bool(flags & 1))
    said = side.said()
    if flags & 4:
        side.hear(body, size)
    else:
        side.hear(public_key(_SECRET) + bytes(flags), size)
        side.hear(_said_well(said or side.said(), body, dialed=bool(flags & 1)), size)
    said += side.said()
    assert bytes(_NAME) not in said or not side.wire.encrypted
    if side.wire.state is not WireState.CLOSED and flags & 4 and side.exchange is not None:
        assert len(body) < _MOST_PLAIN or side.exchange.agreed is not None
    return side.wire.state is WireState.OPEN


def _said_well(said: bytes, body: bytes, *, dialed: bool) -> bytes:
    """`body` encrypted as by a remote that knows the secret and the name."""
    if len(said) < KEY_SIZE:
        return body
    shared = shared_secret(_SECRET, said[:KEY_SIZE])
    theirs, ours = stream_keys(shared, _NAME) if not dialed else stream_keys(shared, _NAME)[::-1]
    assert theirs != ours
    hidden = processed(ready(SimCipher, theirs), body)
    return hidden if dialed else sync_mark(shared) + veiled(name_mark(_NAME), shared) + hidden


_BEHIND = Have(7).encode() + Unchoke().encode()
_OFFER = VC + b"\0\0\0\3\0\2ab\0\x44" + _HELLO + _BEHIND
_PLAIN_OFFER = VC + b"\0\0\0\1\0\0\0\x44" + _HELLO

TARGET = Target(
    "mse",
    corpus=(
        b"\x00\xff" + _OFFER,
        b"\x00\x00" + _OFFER,
        b"\x02\x30" + _OFFER,
        b"\x00\x10" + _PLAIN_OFFER,
        b"\x01\xff" + VC + b"\0\0\0\2\0\0" + _HELLO + _BEHIND,
        b"\x01\x05" + VC + b"\0\0\0\1\0\3abc",
        b"\x04\x20" + _HELLO,
        b"\x04\x20" + public_key(_SECRET) + bytes(600),
        b"\x05\x20" + public_key(_SECRET) + bytes(600),
    ),
    words=(VC, b"\0\0\0\1", b"\0\0\0\2", b"\0\0\0\3", b"\2\0", b"\2\1", b"\xff\xff", _HELLO, bytes(96), b"\1"),
    check=check,
)
