"""Our side of a connection, encrypted or without, as fuzz targets hold it: what comes, what it says, how it ends."""

from collections import deque
from collections.abc import Callable
from random import Random

from bittern.base.address import Address
from bittern.base.errors import RemoteProtocolError
from bittern.base.ids import InfoHashV1, PeerId
from bittern.sim.cipher import SimCipher
from bittern.sim.link import scatter
from bittern.testing.wire_pair import WireLink
from bittern.wire.decoder import Scratch
from bittern.wire.handshake import Handshake
from bittern.wire.mse.arrival import Arrival
from bittern.wire.mse.exchange import Exchange, Initiator, Responder
from bittern.wire.mse.keys import name_mark, shared_secret
from bittern.wire.mse.policy import Encryption
from bittern.wire.mse.slab import Slab
from bittern.wire.mse.stream import MseStream
from bittern.wire.peerwire import PeerWire, WireState
from bittern.wire.stream import Link, LinkLost, LossKind, Stream

NAME = InfoHashV1(bytes(range(100, 120)))
HELLO = Handshake(bytes(8), NAME, PeerId(b"-XX0000-abcdefghijkl")).encode()
_SCRATCH, _SLAB = Scratch(), Slab()


class Bare:
    """Our side of a connection, as an engine has it: encrypted, or without, as the measure of what must come of it."""

    def __init__(self, *, dialed: bool, hesitant: bool = False) -> None:
        self.dialed = dialed
        self._hesitant = hesitant
        self._undecided = False
        self.calls = list[tuple[object, ...]]()
        self.ends = list[LinkLost | RemoteProtocolError]()
        self.said = bytearray()
        self.wire: PeerWire
        self.link = WireLink(Address("10.0.0.1", 1), self._open)

    def _open(self, link: Link) -> Stream:
        self.wire = PeerWire(link, _SCRATCH, self, 0.0)
        if self.dialed:
            self.wire.send_handshake(Handshake.parse(HELLO))
        return self._begins(link)

    def _begins(self, link: Link) -> Stream:
        del link
        return self.wire

    def __getattr__(self, name: str) -> Callable[..., None]:
        """Whatever a sink is told."""
        if not name.startswith("on_"):
            raise AttributeError(name)
        return lambda *said: self.calls.append(
            (name, *(bytes(each) if isinstance(each, memoryview) else each for each in said))
        )

    def on_handshake(self, wire: PeerWire, handshake: Handshake, now: float) -> None:
        """See Greeter."""
        self.calls.append((handshake,))
        if not self.dialed:
            wire.send_handshake(Handshake.parse(HELLO))
        if self._hesitant:
            self._undecided = True
            wire.pause()
        else:
            self._land()

    def _land(self) -> None:
        self.wire.land_nowhere(self, "peer", lambda _: None)
        self.wire.send_have_all()
        self.wire.send_have(7)

    def on_wire_lost(self, wire: PeerWire, reason: LinkLost | RemoteProtocolError, now: float) -> None:
        """See Greeter."""
        self.ends.append(reason)

    def on_lost(self, peer: object, reason: LinkLost | RemoteProtocolError, now: float) -> None:
        """See PeerSink."""
        self.ends.append(reason)

    def hear(self, data: bytes) -> None:
        """Let bytes come, as many at once as there is room for."""
        unread = deque([memoryview(data)] if data else ())
        while self.wire.state is not WireState.CLOSED:
            stream = self.link.stream
            count = scatter(unread, stream.receive_buffers(), len(data))
            if count:
                stream.received(count, 0.0)
            elif not self.resolve():
                assert not unread, "it offers no room"
                return

    def resolve(self) -> bool:
        """Do what is waited for; whether anything was."""
        decides, self._undecided = self._undecided, False
        if decides:
            self._land()
            self.wire.catch_up(0.0)
        return decides

    def say(self, *, slowly: bool = False) -> None:
        """Let go what we say now, in parts if so wished."""
        while self.wire.state is not WireState.CLOSED and (data := b"".join(self.link.stream.send_buffers(1 << 20))):
            count = len(data) // 2 + 1 if slowly else len(data)
            self.said += data[:count]
            self.link.stream.sent(count, 0.0)

    def end(self) -> None:
        """The connection is closed by the other side."""
        self.link.stream.lost(LinkLost(LossKind.CLOSED), 0.0)
        assert self.wire.state is WireState.CLOSED
        assert len(self.ends) == 1, f"it ended {len(self.ends)} times"


class Encrypted(Bare):
    """With encryption."""

    def __init__(self, policy: Encryption, seed: str, *, dialed: bool, hesitant: bool, patient: bool) -> None:
        self._policy = policy
        self._patient = patient
        self._entropy = Random(seed).randbytes
        self._sums = list[tuple[MseStream, Exchange]]()
        self.exchange: Exchange | None = None
        super().__init__(dialed=dialed, hesitant=hesitant)

    def _begins(self, link: Link) -> Stream:
        if self.dialed:
            return self._mse()
        return Arrival(link, self.wire, _SCRATCH, self._mse, plain=self._policy.plain)

    def _mse(self) -> MseStream:
        if self.dialed:
            words = b"".join(self.wire.send_buffers(1000))
            self.wire.sent(len(words), 0.0)
            self.exchange = Initiator(self._entropy, SimCipher, NAME, self._policy, words)
        else:
            self.exchange = Responder(self._entropy, SimCipher, {name_mark(NAME): NAME}.get, self._policy)
        return MseStream(self.wire.link, self.wire, self.exchange, _SCRATCH, _SLAB, self._work_out)

    def _work_out(self, stream: MseStream, exchange: Exchange, now: float) -> None:
        self._sums.append((stream, exchange))
        if not self._patient:
            self.resolve()

    def resolve(self) -> bool:
        """See `Bare`."""
        sums, self._sums = self._sums, []
        for stream, exchange in sums:
            assert exchange.wanted is not None
            stream.know(shared_secret(exchange.secret, exchange.wanted), 0.0)
        return super().resolve() or bool(sums)
