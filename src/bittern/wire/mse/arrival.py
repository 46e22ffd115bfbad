"""A connection that was made to us, until its first bytes tell whether it is encrypted."""

from collections.abc import Callable, Sequence

from bittern.wire.decoder import Scratch
from bittern.wire.handshake import PROTOCOL
from bittern.wire.peerwire import PeerWire
from bittern.wire.stream import Buffer, Link, LinkLost, LossKind

from .stream import HANDSHAKE_READ, MseStream


class Arrival:
    """The first stream of such a link; it makes room for another as soon as it knows which.

    A plain connection begins with twenty bytes that are known, an encrypted one with a public key: by chance alone.

    Args:
        link: the transport.
        wire: the inner stream, whatever comes; it keeps the time.
        scratch: where the first bytes are received.
        encrypted: makes the stream of an encrypted connection.
        plain: whether those that are not encrypted are let in.
    """

    def __init__(
        self, link: Link, wire: PeerWire, scratch: Scratch, encrypted: Callable[[], MseStream], *, plain: bool
    ) -> None:
        self._link = link
        self._wire = wire
        self._room = (scratch.tail[:HANDSHAKE_READ],)
        self._encrypted = encrypted
        self._plain = plain
        self._came = bytearray()

    def receive_buffers(self) -> Sequence[memoryview]:
        """Where the next bytes should land; see Stream."""
        return self._room

    def received(self, count: int, now: float) -> None:
        """Bytes came; see Stream."""
        self._came += self._room[0][:count]
        start = self._came[: len(PROTOCOL)]
        if not PROTOCOL.startswith(start):
            stream = self._encrypted()
            self._link.serve(stream)
            stream.take(bytes(self._came), now)
        elif start == PROTOCOL and not self._plain:
            self._wire.lost(LinkLost(LossKind.ABORTED, "it is not encrypted"), now)
        elif start == PROTOCOL:
            self._link.serve(self._wire)
            self._hand_over(now)

    def send_buffers(self, limit: int) -> Sequence[Buffer]:
        """Nothing yet: who connected speaks first."""
        del limit
        return ()

    def sent(self, count: int, now: float) -> None:
        """Never called: nothing was offered."""

    def lost(self, reason: LinkLost, now: float) -> None:
        """The link is gone; see Stream."""
        if self._came:
            self._hand_over(now)  # it looked like a plain one
        self._wire.lost(reason, now)

    def _hand_over(self, now: float) -> None:
        """Let the wire have what came."""
        self._wire.receive_buffers()[0][: len(self._came)] = self._came
        self._wire.received(len(self._came), now)
