"""Headers of whole runs of blocks at once: the protocol's most frequent bytes, made by stride, not one by one.

A run is `count` neighbouring blocks of one piece. HOT: bench/calls_per_block
"""

from functools import lru_cache
from struct import Struct
from typing import TypeAlias

from bittern.base.geometry import BLOCK

HEAD = 13
"""Bytes before the data of a block message: length, id, piece, begin (BEP 3)."""

SPAN = HEAD + BLOCK
"""Bytes of a whole message with a full block."""

_HEAD = Struct(">IBII")
_PIECE = 7

Head: TypeAlias = tuple[int, int, int, int]
"""A block message's header: length, id, piece, begin."""

head_at = _HEAD.unpack_from
"""The header at an offset of a buffer, a `Head` if the id is that of a block."""

REQUEST = 17
"""Bytes of a request message: length, id, piece, begin, length (BEP 3)."""


@lru_cache(maxsize=4096)
def _head_template(first: int, count: int, last_length: int) -> bytes:
    begins = (((first + i) * BLOCK).to_bytes(4) for i in range(count))
    heads = bytearray().join((BLOCK + 9).to_bytes(4) + b"\7\0\0\0\0" + begin for begin in begins)
    heads[-HEAD : -HEAD + 4] = (last_length + 9).to_bytes(4)
    return bytes(heads)


@lru_cache(maxsize=4096)
def _request_template(first: int, count: int, last_length: int) -> bytes:
    begins = (((first + i) * BLOCK).to_bytes(4) for i in range(count))
    requests = bytearray().join(b"\0\0\0\x0d\6\0\0\0\0" + begin + BLOCK.to_bytes(4) for begin in begins)
    requests[-4:] = last_length.to_bytes(4)
    return bytes(requests)


def _with_piece(template: bytes, stride: int, piece: int) -> bytes:
    message = bytearray(template)
    count = len(template) // stride
    for at, byte in enumerate(piece.to_bytes(4), start=5):
        message[at::stride] = bytes((byte,)) * count
    return bytes(message)


def head_of(piece: int, begin: int, length: int) -> Head:
    """The header of the message with `length` bytes from `begin` on."""
    return length + HEAD - 4, _PIECE, piece, begin


def block_heads(piece: int, first: int, count: int, last_length: int = BLOCK) -> bytes:
    """The `13 * count` header bytes of blocks `first`.. of `piece`; the last block has `last_length` bytes."""
    return _with_piece(_head_template(first, count, last_length), HEAD, piece)


def block_requests(piece: int, first: int, count: int, last_length: int = BLOCK) -> bytes:
    """`count` request messages for blocks `first`.. of `piece`; the last block has `last_length` bytes."""
    return _with_piece(_request_template(first, count, last_length), REQUEST, piece)


def heads_from(piece: int, begin: int, length: int) -> bytes:
    """The headers that answer for `length` bytes at `begin` of `piece`: whole blocks, or one odd request."""
    first, odd = divmod(begin, BLOCK)
    if odd:
        return _HEAD.pack(*head_of(piece, begin, length))
    count = -(-length // BLOCK)
    return block_heads(piece, first, count, length - (count - 1) * BLOCK)


class Run:
    """Neighbouring blocks of one piece that were asked of one peer and come in this order.

    Attributes:
        piece: piece number.
        first: number in the piece of the run's first block.
        count: blocks of the run, at least 1.
        done: how many of them, from the front, need no more waiting for.
        bodies: for each block the view of the buffer where its data shall lie.
        heads: the bytes of all their message headers.
    """

    __slots__ = ("bodies", "count", "done", "first", "heads", "piece")

    def __init__(self, piece: int, first: int, bodies: list[memoryview]) -> None:
        self.piece = piece
        self.first = first
        self.count = len(bodies)
        self.done = 0
        self.bodies = bodies
        self.heads = block_heads(piece, first, len(bodies), len(bodies[-1]))

    def __repr__(self) -> str:
        return f"Run(piece {self.piece}, blocks {self.first + self.done}..{self.first + self.count - 1})"

    @property
    def blocks(self) -> range:
        """The blocks that are still waited for."""
        return range(self.first + self.done, self.first + self.count)

    def part(self, first: int, stop: int) -> "Run":
        """A run of its own of the blocks numbered `first` to `stop` (not included) in the piece."""
        return Run(self.piece, first, self.bodies[first - self.first : stop - self.first])

    def requests(self) -> bytes:
        """The request messages for the blocks still waited for."""
        blocks = self.blocks
        return block_requests(self.piece, blocks.start, len(blocks), len(self.bodies[-1]))
