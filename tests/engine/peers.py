"""Peers of the engine without a network: a real wire over a link that keeps what is sent."""

from bittern.base.address import Address
from bittern.base.ids import InfoHashV1, PeerId
from bittern.base.transport import Transport
from bittern.engine.download.download import Download
from bittern.engine.download.requests import Pipeline
from bittern.engine.settings import EngineSettings
from bittern.engine.swarm.peer import Peer
from bittern.wire.decoder import Scratch
from bittern.wire.messages import Message, decode_message
from bittern.wire.peerwire import PeerWire
from bittern.wire.stream import Stream
from tests.wire.wiring import Recorder

HASH = InfoHashV1(bytes(20))
OURS = PeerId(b"-BZ0000-ourselvesxxx")
THEIRS = PeerId(b"-XX0000-abcdefghijkl")


class NoDisk:
    """A disk that is never asked."""

    def submit(self, job: object) -> None:
        raise AssertionError(job)

    def read_now(self, torrent: int, offset: int, into: memoryview) -> bool:
        raise AssertionError(torrent)


def deep(download: Download, number: int) -> Pipeline:
    """A pipeline that asks for sixteen blocks at first, as of a torrent with longer pieces."""
    return Pipeline(number, download.assembly, EngineSettings().max_requests_outstanding)


class Line:
    """A Link that does nothing but count."""

    def __init__(self, host: str = "10.0.0.1", port: int = 1) -> None:
        self.address = Address(host, port)
        self.transport = Transport.TCP
        self.closed = False
        self.woken = 0
        self.reads_woken = 0

    def serve(self, stream: Stream) -> None:
        self.stream = stream

    def wake_sender(self) -> None:
        self.woken += 1

    def wake_receiver(self) -> None:
        self.reads_woken += 1

    def close(self) -> None:
        self.closed = True


def make_peer(number: int = 1, *, fast: bool = True, host: str = "10.0.0.1") -> Peer:
    """A peer that shook hands and was told nothing yet."""
    wire = PeerWire(Line(host), Scratch(), None, 0.0)  # type: ignore[arg-type]  # nobody greets
    peer = Peer(
        number=number,
        wire=wire,
        address=Address(host, number),
        peer_id=PeerId(b"-XX0000-%012d" % number),
        fast=fast,
        extended=False,
        incoming=True,
        joined_at=0.0,
    )
    wire.land_nowhere(Recorder(), peer, lambda _: None)
    return peer


def take_sent(peer: Peer, most: int = 1 << 30) -> bytes:
    """The next bytes that the wire sends, at most so many."""
    taken = bytearray()
    while len(taken) < most:
        data = b"".join(peer.wire.send_buffers(1 << 20))[: most - len(taken)]
        if not data:
            break
        peer.wire.sent(len(data), 0.0)
        taken += data
    return bytes(taken)


def messages_of(data: bytes) -> list[Message]:
    """The messages that whole bytes of the wire hold."""
    messages = []
    while data:
        end = 4 + int.from_bytes(data[:4])
        messages.append(decode_message(data[4:end]))
        data = data[end:]
    return messages
