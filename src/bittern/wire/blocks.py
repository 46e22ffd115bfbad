"""Headers of whole runs of blocks at once: the protocol's most frequent bytes, made by stride, not one by one.

A run is `count` neighbouring blocks of one piece. HOT: bench/calls_per_block
"""

from functools import lru_cache

from bittern.base.geometry import BLOCK

HEAD = 13
"""Bytes before the data of a block message: length, id, piece, begin (BEP 3)."""

SPAN = HEAD + BLOCK
"""Bytes of a whole message with a full block."""

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


def block_heads(piece: int, first: int, count: int, last_length: int = BLOCK) -> bytes:
    """The `13 * count` header bytes of blocks `first`.. of `piece`; the last block has `last_length` bytes."""
    return _with_piece(_head_template(first, count, last_length), HEAD, piece)


def block_requests(piece: int, first: int, count: int, last_length: int = BLOCK) -> bytes:
    """`count` request messages for blocks `first`.. of `piece`; the last block has `last_length` bytes."""
    return _with_piece(_request_template(first, count, last_length), REQUEST, piece)
