"""The other end of a connection to the engine under fire: it says any bytes, and hears what is asked of it."""

from collections import deque
from collections.abc import Sequence
from typing import TypeVar

from bittern.base.errors import BencodeError, ProtocolError
from bittern.codec.bencode import decode_prefix
from bittern.codec.layers import Layers
from bittern.engine.swarm.welcome import UT_METADATA
from bittern.engine.upload.hashes import answer
from bittern.sim.content import Content
from bittern.sim.host import Host
from bittern.wire.handshake import HANDSHAKE_SIZE
from bittern.wire.hashes import Hashes, HashReject, HashRequest
from bittern.wire.messages import Extended, Piece, Reject, Request, decode_message
from bittern.wire.stream import Buffer, Link, LinkLost
from bittern.wire.ut_metadata import METADATA_PIECE, MetadataData, MetadataReject

MOST_HEARD = 1 << 24
"""Bytes that one play may make the engine say to one guest."""

_ASKED = 200
_Asked = TypeVar("_Asked")


class Guest:
    """A Stream without any behaviour but to count what it was asked.

    Args:
        host: where it is.
        content: what the torrent is about; answers come from there.

    Attributes:
        reads: whether it takes what the engine says.
        heard: bytes that came.
        lost_by: how the connection ended, or None.
    """

    def __init__(self, host: Host, content: Content) -> None:
        self.host = host
        self.reads = True
        self.heard = 0
        self.beginning = bytearray()
        """The first bytes that came: as many as keys may have."""
        self.lost_by: LinkLost | None = None
        self.link: Link | None = None
        self._content = content
        self._to_send = bytearray()
        self._unparsed = bytearray()
        self._room = memoryview(bytearray(65536))
        self._greeted = False
        self._blocks: deque[Request] = deque(maxlen=_ASKED)
        self._metadata: deque[int] = deque(maxlen=_ASKED)
        self._rows: deque[HashRequest] = deque(maxlen=_ASKED)

    # --- what a play does with it

    def say(self, data: bytes) -> None:
        """Send `data`."""
        self._to_send += data
        if self.link is not None:
            self.link.wake_sender()

    def give(self, count: int, *, rightly: bool = True) -> bytes:
        """Answers to the oldest requests for blocks."""
        parts = []
        for request in _taken(self._blocks, count):
            offset = request.piece * self._content.info.piece_size + request.begin
            block = self._content.data[offset : offset + request.length]
            parts.append(Piece(request.piece, request.begin, block if rightly else _wrong(block)).encode())
        return b"".join(parts)

    def reject(self, count: int) -> bytes:
        """Refusals of the oldest requests of each kind."""
        said: list[Reject | HashReject | Extended] = []
        said += [Reject(each.piece, each.begin, each.length) for each in _taken(self._blocks, count)]
        said += [HashReject(each.span) for each in _taken(self._rows, count)]
        said += [Extended(UT_METADATA, MetadataReject(piece).encode()) for piece in _taken(self._metadata, count)]
        return b"".join([each.encode() for each in said])

    def tell_metadata(self, count: int, *, rightly: bool = True) -> bytes:
        """Answers to the oldest requests for pieces of the metadata."""
        raw, parts = self._content.info.raw, []
        for piece in _taken(self._metadata, count):
            data = raw[piece * METADATA_PIECE : (piece + 1) * METADATA_PIECE]
            said = MetadataData(piece, len(raw), data if rightly else _wrong(data))
            parts.append(Extended(UT_METADATA, said.encode()).encode())
        return b"".join(parts)

    def tell_hashes(self, count: int, *, rightly: bool = True) -> bytes:
        """Answers to the oldest requests for rows of hashes."""
        layers, parts = Layers(self._content.info, self._content.metainfo.piece_layers), []
        for request in _taken(self._rows, count):
            row = answer(layers, request.span)
            if row is not None:
                parts.append(Hashes(request.span, row if rightly else _wrong(row)).encode())
        return b"".join(parts)

    # --- what the network calls

    def connected(self, link: Link) -> "Guest":
        """This end's link is there."""
        self.link = link
        return self

    def accepted(self, link: Link, now: float) -> "Guest":
        """See Acceptor: it was dialed."""
        return self.connected(link)

    def receive_buffers(self) -> Sequence[memoryview]:
        """See Stream."""
        return (self._room,) if self.reads else ()

    def received(self, count: int, now: float) -> None:
        """See Stream."""
        self.heard += count
        assert self.heard < MOST_HEARD, f"{self.heard} bytes were said to {self.host}"
        if len(self.beginning) < 2000:
            self.beginning += self._room[:count]
        self._unparsed += self._room[:count]
        if not self._greeted:
            if len(self._unparsed) < HANDSHAKE_SIZE:
                return
            self._greeted = True
            del self._unparsed[:HANDSHAKE_SIZE]
        while len(self._unparsed) >= 4 and len(self._unparsed) >= (end := 4 + int.from_bytes(self._unparsed[:4])):
            self._hear(bytes(self._unparsed[4:end]))
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

    def _hear(self, body: bytes) -> None:
        try:
            message = decode_message(body)
        except ProtocolError:  # encrypted, where it was not to be
            return
        match message:
            case Request():
                self._blocks.append(message)
            case HashRequest():
                self._rows.append(message)
            case Extended(number, payload) if number:
                try:
                    said = decode_prefix(payload)[0]
                except BencodeError:  # messages about holes to punch are binary
                    return
                if isinstance(said, dict) and said.get(b"msg_type") == 0 and isinstance(said[b"piece"], int):
                    self._metadata.append(said[b"piece"])


def _wrong(data: bytes) -> bytes:
    return bytes((*data[:-1], data[-1] ^ 1)) if data else data


def _taken(asked: deque[_Asked], count: int) -> list[_Asked]:
    return [asked.popleft() for _ in range(min(count, len(asked)))]
