"""The only place with piece arithmetic: pieces, 16 KiB blocks and byte spans of one torrent."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from bittern.base.bitfield import Bitfield
from bittern.base.errors import LocalProtocolError

BLOCK = 16384
"""Bytes of a transfer block. Everyone asks in blocks of 2**14 bytes (BEP 3, BEP 52)."""

_NONE_SHORT: Mapping[int, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Geometry:
    """How `total_length` bytes fall into pieces and blocks.

    Attributes:
        total_length: bytes of the whole torrent, pad files included; at least 0.
        piece_size: bytes of every piece but perhaps the last; at least 1.
        short: bytes of the other pieces that are not full, by number: in a torrent of version 2 alone the piece at
            the end of a file ends with it, and what follows is a gap without data (BEP 52).
    """

    total_length: int
    piece_size: int
    short: Mapping[int, int] = field(default_factory=lambda: _NONE_SHORT, repr=False, hash=False)

    def __post_init__(self) -> None:
        if self.total_length < 0 or self.piece_size < 1:
            raise LocalProtocolError(f"no geometry: {self.total_length} bytes in pieces of {self.piece_size}")

    @property
    def piece_count(self) -> int:
        """Number of pieces."""
        return -(-self.total_length // self.piece_size)

    @property
    def blocks_per_piece(self) -> int:
        """Blocks of a full piece."""
        return -(-self.piece_size // BLOCK)

    def piece_length(self, piece: int) -> int:
        """Bytes of `piece`; 0 for a piece outside the torrent."""
        if piece < 0:
            return 0
        if piece in self.short:
            return self.short[piece]
        rest = self.total_length - piece * self.piece_size
        return self.piece_size if rest >= self.piece_size else max(0, rest)  # asked for often: most need no call

    def bytes_in(self, pieces: Bitfield) -> int:
        """Bytes of all `pieces` together."""
        last = self.piece_count - 1
        cut = self.piece_size - self.piece_length(last) if last in pieces and last not in self.short else 0
        absent = sum(self.piece_size - length for piece, length in self.short.items() if piece in pieces)
        return len(pieces) * self.piece_size - cut - absent

    def block_count(self, piece: int) -> int:
        """Blocks of `piece`; 0 for a piece outside the torrent."""
        return -(-self.piece_length(piece) // BLOCK)

    def block_length(self, piece: int, block: int) -> int:
        """Bytes of `block` in `piece`; 0 for a block outside the piece."""
        if block < 0:
            return 0
        return max(0, min(BLOCK, self.piece_length(piece) - block * BLOCK))

    def contains(self, piece: int, begin: int, length: int) -> bool:
        """Whether `length` bytes at `begin` lie inside `piece`; zero bytes lie nowhere.

        The gap after a short piece counts as part of it: some clients ask for its zeros, too.
        """
        end = self.piece_size if piece in self.short else self.piece_length(piece)
        return begin >= 0 and length > 0 and begin + length <= end

    def offset(self, piece: int, begin: int = 0) -> int:
        """Byte offset in the torrent of `begin` in `piece`."""
        return piece * self.piece_size + begin

    def pieces_of(self, offset: int, length: int) -> range:
        """The pieces that the byte span touches; empty when `length` is 0."""
        if length <= 0:
            return range(0)
        return range(offset // self.piece_size, (offset + length - 1) // self.piece_size + 1)
