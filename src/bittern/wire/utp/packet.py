"""uTP's packets (BEP 29): a header of 20 bytes, extensions, payload."""

from struct import Struct
from typing import NamedTuple

DATA, FIN, STATE, RESET, SYN = range(5)
HEAD = 20
"""Bytes of the header."""
SELECTIVE_ACK = 1
PADDING = 0x50
"""An extension of ours that says nothing: it makes a packet long. Everybody skips extensions that they do not know."""
MOST_SELECTIVE = 252
"""Bytes of a selective acknowledgement: its length is one byte, and a multiple of four."""
MASK = 0xFFFF
VERSION = 1

_HEAD = Struct(">BBHIIIHH")
pack_head = _HEAD.pack
head_at = _HEAD.unpack_from
_PREFIX = Struct(">BBHIII")
pack_prefix = _PREFIX.pack
_MOST_PADDING = 255
_PADS = bytes(_MOST_PADDING)


class Packet(NamedTuple):
    """What a datagram says.

    Attributes:
        kind: DATA, FIN, STATE, RESET or SYN.
        connection: the id that the receiver knows it by.
        stamp: when it was sent, in microseconds of the sender's clock, modulo 2**32; 0 for unknown.
        difference: what the sender measured so of our last packet; 0 before it knows.
        window: bytes that the sender has room for.
        seq: its number; of the next one with a number of its own when it has none (STATE).
        ack: the last number that came in order.
        selective: bit n is set when number `ack + 2 + n` came.
        body: where the payload begins.
        span: bits that the selective acknowledgement had room for; 0 without one.
    """

    kind: int
    connection: int
    stamp: int
    difference: int
    window: int
    seq: int
    ack: int
    selective: int
    body: int
    span: int = 0


def parse(data: memoryview) -> Packet | None:
    """Read a datagram; None when it is none of uTP's version 1."""
    if len(data) < HEAD:
        return None
    first, extension, connection, stamp, difference, window, seq, ack = head_at(data)
    if first & 15 != VERSION or first > SYN << 4 | VERSION:
        return None
    selective, span, at = 0, 0, HEAD
    while extension:
        if at + 2 > len(data):
            return None
        end = at + 2 + data[at + 1]
        if end > len(data):
            return None
        if extension == SELECTIVE_ACK:
            selective, span = int.from_bytes(data[at + 2 : end], "little"), 8 * data[at + 1]
        extension, at = data[at], end
    return Packet(first >> 4, connection, stamp, difference, window, seq, ack, selective, at, span)


def encode(packet: Packet, payload: bytes | memoryview = b"") -> bytes:
    """The datagram of `packet`, with its selective acknowledgement; `body` and `span` follow."""
    extension = selective_ack(packet.selective)
    return (
        pack_head(
            packet.kind << 4 | VERSION,
            SELECTIVE_ACK if extension else 0,
            packet.connection,
            packet.stamp,
            packet.difference,
            packet.window,
            packet.seq,
            packet.ack,
        )
        + extension
        + payload
    )


def selective_ack(mask: int) -> bytes:
    """The extension for `mask`, as in `Packet.selective`, in whole groups of 32 bits; empty for 0."""
    if not mask:
        return b""
    size = min(-(-mask.bit_length() // 32) * 4, MOST_SELECTIVE)
    bits = (mask & ((1 << 8 * size) - 1)).to_bytes(size, "little")
    return bytes((0, size)) + bits


def padding(size: int) -> bytes:
    """Extensions of `size` bytes in all that say nothing; `size` 0 or at least 2."""
    parts = []
    while size:
        part = min(size, 2 + _MOST_PADDING)
        if size - part == 1:
            part -= 1  # the last one has two bytes at least
        size -= part
        parts.append(bytes((PADDING if size else 0, part - 2)) + _PADS[: part - 2])
    return b"".join(parts)


def micros(now: float) -> int:
    """`now` as a time stamp; never 0, which means unknown."""
    return int(now * 1e6) & 0xFFFFFFFF or 1


def ahead(number: int, other: int) -> int:
    """How far the 16-bit `number` is ahead of `other`; negative when it is behind."""
    return ((number - other + 0x8000) & MASK) - 0x8000
