"""A scripted peer: it says what it is told to say, and keeps what it hears as messages."""

from collections.abc import Sequence
from dataclasses import replace

from bittern.base.ids import InfoHashV1, PeerId
from bittern.sim.host import Host
from bittern.wire.handshake import HANDSHAKE_SIZE, Handshake
from bittern.wire.hashes import Hashes
from bittern.wire.messages import BitfieldMessage, Extended, Message, Piece, Unknown, decode_message
from bittern.wire.stream import Buffer, Link, LinkLost


class Actor:
    """The other end of one connection, as a Stream without any behaviour.

    Args:
        host: where it is.
        hello: its handshake.

    Attributes:
        heard: messages that came and were not yet expected.
        greeted: the handshake that came, or None.
        lost_by: how the connection ended, or None.
    """

    def __init__(self, host: Host, hello: Handshake) -> None:
        self.host = host
        self.hello = hello
        self.heard: list[Message] = []
        self.greeted: Handshake | None = None
        self.lost_by: LinkLost | None = None
        self.link: Link | None = None
        self._to_send = bytearray()
        self._unparsed = bytearray()
        self._room = memoryview(bytearray(65536))

    @classmethod
    def on(cls, host: Host, info_hash: InfoHashV1, reserved: bytes) -> "Actor":
        """An actor whose peer id is made of the host's name."""
        peer_id = PeerId(b"-PL0000-" + host.name.encode()[:12].ljust(12, b"."))
        return cls(host, Handshake(reserved, info_hash, peer_id))

    # ------------------------------------------------------------------ what the playbook calls

    def say(self, data: bytes) -> None:
        """Send `data`."""
        self._to_send += data
        if self.link is not None:
            self.link.wake_sender()

    def take_heard(self) -> list[Message]:
        """What came since the last call."""
        heard, self.heard = self.heard, []
        return heard

    # ------------------------------------------------------------------ what the network calls

    def connected(self, link: Link) -> "Actor":
        """This end's link is there."""
        self.link = link
        return self

    def accepted(self, link: Link, now: float) -> "Actor":
        """See Acceptor: it was dialed."""
        return self.connected(link)

    def receive_buffers(self) -> Sequence[memoryview]:
        """See Stream."""
        return (self._room,)

    def received(self, count: int, now: float) -> None:
        """See Stream: take bytes apart into the handshake and messages."""
        self._unparsed += self._room[:count]
        if self.greeted is None:
            if len(self._unparsed) < HANDSHAKE_SIZE:
                return
            self.greeted = Handshake.parse(self._unparsed)
            del self._unparsed[:HANDSHAKE_SIZE]
        while len(self._unparsed) >= 4 and len(self._unparsed) >= (end := 4 + int.from_bytes(self._unparsed[:4])):
            self.heard.append(_frozen(decode_message(bytes(self._unparsed[4:end]))))
            del self._unparsed[:end]

    def send_buffers(self, limit: int) -> Sequence[Buffer]:
        """See Stream."""
        return [bytes(self._to_send[:limit])] if self._to_send else []

    def sent(self, count: int, now: float) -> None:
        """See Stream."""
        del self._to_send[:count]

    def lost(self, reason: LinkLost, now: float) -> None:
        """See Stream."""
        self.lost_by = reason


def _frozen(message: Message) -> Message:
    """`message` with bytes of its own, so that it compares equal to one that a test wrote."""
    match message:
        case Piece():
            return replace(message, block=bytes(message.block))
        case BitfieldMessage():
            return replace(message, bits=bytes(message.bits))
        case Hashes():
            return replace(message, hashes=bytes(message.hashes))
        case Extended() | Unknown():
            return replace(message, payload=bytes(message.payload))
    return message
