"""Messages of the peer wire: their numbers, shapes, bytes and the lengths that are allowed.

On the wire a message is a 4-byte big-endian length and a body; the body is one byte of message number
and a payload. An empty body is a keep-alive. BEP 3 defines 0-8, BEP 5 number 9, BEP 6 13-17,
BEP 10 number 20 and BEP 52 21-23.
"""

from dataclasses import dataclass
from struct import Struct, error
from typing import ClassVar, Final, TypeAlias

from bittern.base.errors import LocalProtocolError, Offence, RemoteProtocolError
from bittern.base.geometry import BLOCK

from .hashes import (
    HASH_REJECT,
    HASH_REQUEST,
    HASHES,
    MAX_HASHES_BODY,
    RANGE_BODY,
    Hashes,
    HashRange,
    HashReject,
    HashRequest,
    parse_hashes,
)
from .stream import Buffer

CHOKE: Final = 0
UNCHOKE: Final = 1
INTERESTED: Final = 2
NOT_INTERESTED: Final = 3
HAVE: Final = 4
BITFIELD: Final = 5
REQUEST: Final = 6
PIECE: Final = 7
CANCEL: Final = 8
PORT: Final = 9
SUGGEST: Final = 13
HAVE_ALL: Final = 14
HAVE_NONE: Final = 15
REJECT: Final = 16
ALLOWED_FAST: Final = 17
EXTENDED: Final = 20

LENGTH_PREFIX: Final = 4
"""Bytes of the length before each body."""
PIECE_HEADER: Final = 9
"""Bytes of a `piece` body before its block: number, piece, begin."""
MAX_PIECE_BODY: Final = PIECE_HEADER + BLOCK
"""We ask for at most 16 KiB, so no honest `piece` message is longer (nor is any from libtorrent)."""
MAX_BITFIELD_BODY: Final = 1 + 2_097_152 // 8
"""Longest `bitfield` body while the number of pieces is not known: torrents have at most 2**21 pieces."""
MAX_EXTENDED_BODY: Final = 1 << 16
"""Longest `extended` body: four times the longest that we ask for, a piece of metadata (BEP 9). Each peer may have one
of them under way, and all of them together have to fit into memory."""
MAX_UNKNOWN_BODY: Final = 1 << 16
"""Longest body of a message that is skipped."""

FIXED_BODY: Final[dict[int, int]] = {
    CHOKE: 1,
    UNCHOKE: 1,
    INTERESTED: 1,
    NOT_INTERESTED: 1,
    HAVE: 5,
    REQUEST: 13,
    CANCEL: 13,
    PORT: 3,
    SUGGEST: 5,
    HAVE_ALL: 1,
    HAVE_NONE: 1,
    REJECT: 13,
    ALLOWED_FAST: 5,
    HASH_REQUEST: RANGE_BODY,
    HASH_REJECT: RANGE_BODY,
}
"""Body length of every message that has only one."""

_PLAIN = Struct(">IB")
_NUMBER = Struct(">IBI")
_SPAN = Struct(">IBIII")
_BLOCK_HEAD = Struct(">IBII")
_PORT = Struct(">IBH")
_EXTENDED_HEAD = Struct(">IBB")


def _pack(shape: Struct, *values: int) -> bytes:
    try:
        return shape.pack(*values)
    except error as problem:
        raise LocalProtocolError(f"no such message: {problem}") from None


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """Nothing to say, still here (BEP 3: every two minutes)."""

    def encode(self) -> bytes:
        """The message as it goes on the wire, length prefix included."""
        return bytes(4)


@dataclass(frozen=True, slots=True)
class _Plain:
    ID: ClassVar[int]

    def encode(self) -> bytes:
        """The message as it goes on the wire, length prefix included."""
        return _pack(_PLAIN, 1, self.ID)


class Choke(_Plain):
    """Your requests will not be answered (BEP 3)."""

    __slots__ = ()
    ID = CHOKE


class Unchoke(_Plain):
    """Your requests will be answered (BEP 3)."""

    __slots__ = ()
    ID = UNCHOKE


class Interested(_Plain):
    """You have pieces that I want (BEP 3)."""

    __slots__ = ()
    ID = INTERESTED


class NotInterested(_Plain):
    """You have nothing that I want (BEP 3)."""

    __slots__ = ()
    ID = NOT_INTERESTED


class HaveAll(_Plain):
    """In place of a full bitfield (BEP 6)."""

    __slots__ = ()
    ID = HAVE_ALL


class HaveNone(_Plain):
    """In place of an empty bitfield (BEP 6)."""

    __slots__ = ()
    ID = HAVE_NONE


@dataclass(frozen=True, slots=True)
class _PieceNumber:
    ID: ClassVar[int]
    piece: int

    def encode(self) -> bytes:
        """The message as it goes on the wire, length prefix included."""
        return _pack(_NUMBER, 5, self.ID, self.piece)


class Have(_PieceNumber):
    """I have this piece now (BEP 3)."""

    __slots__ = ()
    ID = HAVE


class Suggest(_PieceNumber):
    """You might like this piece next (BEP 6)."""

    __slots__ = ()
    ID = SUGGEST


class AllowedFast(_PieceNumber):
    """You may ask for this piece even while choked (BEP 6)."""

    __slots__ = ()
    ID = ALLOWED_FAST


@dataclass(frozen=True, slots=True)
class _BlockSpan:
    ID: ClassVar[int]
    piece: int
    begin: int
    length: int

    def encode(self) -> bytes:
        """The message as it goes on the wire, length prefix included."""
        return _pack(_SPAN, 13, self.ID, self.piece, self.begin, self.length)


class Request(_BlockSpan):
    """Send me `length` bytes at `begin` of `piece` (BEP 3)."""

    __slots__ = ()
    ID = REQUEST


class Cancel(_BlockSpan):
    """I no longer want what I requested (BEP 3)."""

    __slots__ = ()
    ID = CANCEL


class Reject(_BlockSpan):
    """Your request will not be answered (BEP 6)."""

    __slots__ = ()
    ID = REJECT


@dataclass(frozen=True, slots=True)
class BitfieldMessage:
    """The pieces I have: first piece in the highest bit of the first byte (BEP 3)."""

    bits: Buffer

    def encode(self) -> bytes:
        """The message as it goes on the wire, length prefix included."""
        return b"".join((_pack(_PLAIN, 1 + len(self.bits), BITFIELD), self.bits))


@dataclass(frozen=True, slots=True)
class Piece:
    """A block: the bytes at `begin` of `piece`, 1..16384 of them (BEP 3)."""

    piece: int
    begin: int
    block: Buffer

    def encode(self) -> bytes:
        """The message as it goes on the wire, length prefix included."""
        head = _pack(_BLOCK_HEAD, PIECE_HEADER + len(self.block), PIECE, self.piece, self.begin)
        return b"".join((head, self.block))


@dataclass(frozen=True, slots=True)
class Port:
    """My DHT node listens on this UDP port (BEP 5)."""

    port: int

    def encode(self) -> bytes:
        """The message as it goes on the wire, length prefix included."""
        return _pack(_PORT, 3, PORT, self.port)


@dataclass(frozen=True, slots=True)
class Extended:
    """An extension's message; `ext_id` 0 is the extension handshake (BEP 10)."""

    ext_id: int
    payload: Buffer

    def encode(self) -> bytes:
        """The message as it goes on the wire, length prefix included."""
        return b"".join((_pack(_EXTENDED_HEAD, 2 + len(self.payload), EXTENDED, self.ext_id), self.payload))


@dataclass(frozen=True, slots=True)
class Unknown:
    """A message whose number means nothing to us: to be skipped."""

    message_id: int
    payload: Buffer

    def encode(self) -> bytes:
        """The message as it goes on the wire, length prefix included."""
        return b"".join((_pack(_PLAIN, 1 + len(self.payload), self.message_id), self.payload))


Message: TypeAlias = (
    KeepAlive
    | Choke
    | Unchoke
    | Interested
    | NotInterested
    | Have
    | BitfieldMessage
    | Request
    | Piece
    | Cancel
    | Port
    | Suggest
    | HaveAll
    | HaveNone
    | Reject
    | AllowedFast
    | Extended
    | HashRequest
    | Hashes
    | HashReject
    | Unknown
)

_PLAINS: Final = {kind.ID: kind for kind in (Choke, Unchoke, Interested, NotInterested, HaveAll, HaveNone)}
_NUMBERS: Final = {kind.ID: kind for kind in (Have, Suggest, AllowedFast)}
_SPANS: Final = {kind.ID: kind for kind in (Request, Cancel, Reject)}
_RANGES: Final = {kind.ID: kind for kind in (HashRequest, HashReject)}


def max_body(message_id: int, piece_count: int | None = None) -> int:
    """Bytes that the body of a message may have: whatever announces more is refused before it is buffered.

    Args:
        message_id: the first byte of the body.
        piece_count: pieces of the torrent, None while its metadata is not known.
    """
    fixed = FIXED_BODY.get(message_id)
    if fixed is not None:
        return fixed
    if message_id == PIECE:
        return MAX_PIECE_BODY
    if message_id == BITFIELD:
        return MAX_BITFIELD_BODY if piece_count is None else 1 + (piece_count + 7) // 8
    if message_id == HASHES:
        return MAX_HASHES_BODY
    return MAX_EXTENDED_BODY if message_id == EXTENDED else MAX_UNKNOWN_BODY


def check_length(message_id: int, length: int, piece_count: int | None = None) -> None:
    """Judge the announced body length of a message, from its first five bytes.

    Args:
        message_id: the first byte of the body.
        length: bytes of the body, that one included.
        piece_count: pieces of the torrent, None while its metadata is not known.

    Raises:
        RemoteProtocolError: OVERSIZED_MESSAGE, BAD_BITFIELD or BAD_MESSAGE_LENGTH.
    """
    most = max_body(message_id, piece_count)
    if message_id == BITFIELD and piece_count is not None and length != most:
        raise RemoteProtocolError(Offence.BAD_BITFIELD, f"{length - 1} bytes for {piece_count} pieces")
    if message_id in FIXED_BODY:
        if length != most:
            raise RemoteProtocolError(
                Offence.BAD_MESSAGE_LENGTH, f"message {message_id} of {length} bytes instead of {most}"
            )
    elif length > most:
        raise RemoteProtocolError(
            Offence.OVERSIZED_MESSAGE, f"message {message_id} of {length} bytes, at most {most} allowed"
        )
    # A block is never empty, and an extended message carries at least its number (BEP 10).
    elif length < {PIECE: PIECE_HEADER + 1, EXTENDED: 2, HASHES: RANGE_BODY}.get(message_id, 1):
        raise RemoteProtocolError(Offence.BAD_MESSAGE_LENGTH, f"message {message_id} of {length} bytes")


def decode_message(body: Buffer) -> Message:
    """Read one message from its body, the bytes after the length prefix.

    Payloads of variable size are views of `body` when it is a memoryview.

    Raises:
        RemoteProtocolError: the body is shorter or longer than its message may be, or names impossible hashes.
    """
    if not body:
        return KeepAlive()
    number = body[0]
    check_length(number, len(body))
    if number in _PLAINS:
        return _PLAINS[number]()
    if number in _NUMBERS:
        return _NUMBERS[number](int.from_bytes(body[1:5]))
    if number in _SPANS:
        piece, begin, length = (int.from_bytes(body[at : at + 4]) for at in (1, 5, 9))
        return _SPANS[number](piece, begin, length)
    if number == PIECE:
        return Piece(int.from_bytes(body[1:5]), int.from_bytes(body[5:9]), body[PIECE_HEADER:])
    if number == BITFIELD:
        return BitfieldMessage(body[1:])
    if number == PORT:
        return Port(int.from_bytes(body[1:3]))
    if number == EXTENDED:
        return Extended(body[1], body[2:])
    if number == HASHES:
        return parse_hashes(body[1:])
    if number in _RANGES:
        return _RANGES[number](HashRange.parse(body[1:]))
    return Unknown(number, body[1:])
