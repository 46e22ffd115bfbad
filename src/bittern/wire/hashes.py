"""Messages about the hash trees of BitTorrent v2 (BEP 52): asking for a row of hashes, giving it, refusing it.

All three name the row in the same way, by a `HashRange`; the answer must repeat the question's.
"""

from dataclasses import dataclass
from struct import Struct, error
from typing import ClassVar, Final, TypeAlias

from bittern.base.errors import LocalProtocolError, Offence, RemoteProtocolError

Buffer: TypeAlias = bytes | bytearray | memoryview

HASH_REQUEST: Final = 21
HASHES: Final = 22
HASH_REJECT: Final = 23

HASH_BYTES: Final = 32
MOST_HASHES: Final = 512
"""Hashes that are asked for at a time (BEP 52: should not be more)."""
MOST_PROOFS: Final = 64
"""Layers that a tree can have above its leaves, and more than fit into a torrent."""
RANGE_BODY: Final = 1 + 48
"""Bytes of the body of a hash request or reject."""
MAX_HASHES_BODY: Final = RANGE_BODY + (MOST_HASHES + MOST_PROOFS) * HASH_BYTES
"""Longest `hashes` body: the longest answer to what we ask."""

_HEAD: Final = Struct(">IB32sIIII")
_RANGE: Final = Struct(">32sIIII")


@dataclass(frozen=True, slots=True)
class HashRange:
    """Neighbouring hashes of one layer of a file's tree, and what proves them.

    Attributes:
        pieces_root: root of the tree, 32 bytes; it names the file.
        base: layers above the leaves.
        index: of the first hash in its layer; a multiple of `length`.
        length: hashes, a power of two.
        proofs: layers above `base` of which the hash beside the way to the root is wanted, where the row itself
            does not give it.
    """

    pieces_root: bytes
    base: int
    index: int
    length: int
    proofs: int

    @classmethod
    def parse(cls, payload: Buffer) -> "HashRange":
        """Read the first 48 bytes of `payload`.

        Raises:
            RemoteProtocolError: BAD_HASH_REQUEST where no tree has such a row.
        """
        span = cls(*_RANGE.unpack_from(payload))
        # BEP 52 wants two hashes at least; libtorrent asks for one where a layer has one more than 512.
        if not span.length or span.length & (span.length - 1) or span.index % span.length:
            raise RemoteProtocolError(Offence.BAD_HASH_REQUEST, f"{span.length} hashes from {span.index} on")
        if span.base > MOST_PROOFS or span.proofs > MOST_PROOFS:
            raise RemoteProtocolError(Offence.BAD_HASH_REQUEST, f"layer {span.base} and {span.proofs} above it")
        return span

    @property
    def uncles(self) -> int:
        """Hashes that follow the row as its proof: those of the lowest layers follow from the row itself."""
        return max(0, self.proofs - self.length.bit_length() + 2)

    @property
    def answer_bytes(self) -> int:
        """Bytes of hashes in the answer."""
        return (self.length + self.uncles) * HASH_BYTES

    def encode(self, message_id: int, extra: int = 0) -> bytes:
        """The head of a message about this row, length prefix included; `extra` bytes follow it.

        Raises:
            LocalProtocolError: a number does not fit its place, or the root is no hash.
        """
        if len(self.pieces_root) != HASH_BYTES:
            raise LocalProtocolError(f"a root of {len(self.pieces_root)} bytes")
        try:
            return _HEAD.pack(
                RANGE_BODY + extra, message_id, self.pieces_root, self.base, self.index, self.length, self.proofs
            )
        except error as problem:
            raise LocalProtocolError(f"no such message: {problem}") from None


@dataclass(frozen=True, slots=True)
class _AboutRange:
    ID: ClassVar[int]
    span: HashRange

    def encode(self) -> bytes:
        """The message as it goes on the wire, length prefix included."""
        return self.span.encode(self.ID)


class HashRequest(_AboutRange):
    """Send me this row of hashes."""

    __slots__ = ()
    ID = HASH_REQUEST


class HashReject(_AboutRange):
    """You will not get this row of hashes from me."""

    __slots__ = ()
    ID = HASH_REJECT


@dataclass(frozen=True, slots=True)
class Hashes:
    """A row of hashes, and the hashes beside the way from it to the root, lowest first."""

    span: HashRange
    hashes: Buffer

    def encode(self) -> bytes:
        """The message as it goes on the wire, length prefix included."""
        return b"".join((self.span.encode(HASHES, len(self.hashes)), self.hashes))


def parse_hashes(body: Buffer) -> Hashes:
    """Read the payload of a `hashes` message; its hashes are a view where `body` is one.

    Raises:
        RemoteProtocolError: BAD_HASH_REQUEST as `HashRange.parse`; BAD_MESSAGE_LENGTH where it has not as many hashes
            as it says.
    """
    span = HashRange.parse(body)
    hashes = body[RANGE_BODY - 1 :]
    if len(hashes) != span.answer_bytes:
        raise RemoteProtocolError(Offence.BAD_MESSAGE_LENGTH, f"{len(hashes)} bytes of hashes for {span}")
    return Hashes(span, hashes)
