"""Many packets at once: built for one call to the system, and read from what one call gave.

HOT: bench/transfer.py
"""

from bittern.base.address import Address
from bittern.wire.datagrams import MAX_BURST, MAX_BURST_BYTES, Burst, Cut
from bittern.wire.stream import Buffer

from .packet import HEAD, MASK, VERSION

_COUNTING = bytes(range(256)) * 2


def _numbers(first: int, count: int) -> tuple[bytes, bytes]:
    """The high bytes and the low bytes of `count` numbers of 16 bits from `first` on, at most 256 of them."""
    high, low = first >> 8 & 255, first & 255
    turn = 256 - low
    if count <= turn:
        return bytes((high,)) * count, _COUNTING[low : low + count]
    return bytes((high,)) * turn + bytes((high + 1 & 255,)) * (count - turn), _COUNTING[low : low + count]


def data_bursts(
    address: Address, prefix: bytes, ack: int, first: int, data: memoryview, size: int, cut: Cut = Cut.HERE
) -> list[Burst]:
    """Packets number `first` and following.

    Args:
        address: where to.
        prefix: the header up to the sequence number, the same for all.
        ack: what they acknowledge.
        first: the number of the first.
        data: their payload.
        size: bytes of each payload; the last may be shorter.
        cut: where they may be cut.
    """
    bursts = []
    segment = HEAD + size
    most = max(1, min(MAX_BURST, MAX_BURST_BYTES // segment))
    head = prefix + b"\0\0" + (ack & MASK).to_bytes(2)
    if most == 1:  # the largest: no columns of numbers
        return [
            Burst(address, [b"".join((prefix, (number & MASK).to_bytes(2), head[-2:])), data[at : at + size]], segment)
            for number, at in enumerate(range(0, len(data), size), first)
        ]
    for start in range(0, len(data), most * size):
        end = min(start + most * size, len(data))
        count = -(-(end - start) // size)
        heads = bytearray(head * count)
        heads[16::HEAD], heads[17::HEAD] = _numbers(first, count)
        first += count
        view = memoryview(heads)
        buffers: list[Buffer] = [b""] * (2 * count)
        buffers[::2] = [view[at : at + HEAD] for at in range(0, HEAD * count, HEAD)]
        buffers[1::2] = [data[at : at + size] for at in range(start, end - size, size)] + [
            data[start + (count - 1) * size : end]
        ]
        bursts.append(Burst(address, buffers, segment, cut))
    return bursts


def row(data: memoryview, segment: int) -> int:
    """Whether datagrams of `segment` bytes are one row: data of one connection, numbered without a gap.

    Args:
        data: of at least one datagram, from one address.
        segment: bytes of each; the last may be shorter.

    Returns:
        How many datagrams; 0 when they are to be looked at one by one.
    """
    size = len(data)
    if size <= segment:
        return int(size > HEAD and data[0] == VERSION and not data[1])
    count = -(-size // segment)
    if segment <= HEAD or 0 < size % segment <= HEAD or count > 256 or data[0] != VERSION or data[1]:
        return 0
    for at in (0, 1, 2, 3):
        if data[at::segment].tobytes() != bytes((data[at],)) * count:
            return 0
    high, low = _numbers(data[16] << 8 | data[17], count)
    if data[17::segment].tobytes() != low or data[16::segment].tobytes() != high:
        return 0
    return count


def payload(data: memoryview, segment: int) -> bytes:
    """The payload of all datagrams of a row, in one piece."""
    return b"".join([data[at + HEAD : at + segment] for at in range(0, len(data), segment)])
