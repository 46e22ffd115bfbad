"""Many datagrams with one call where the system neither gathers nor cuts them: recvmmsg and sendmmsg of Linux.

HOT: bench/transfer.py

Senders that send one by one, as most do, and drivers that do not gather (GRO) leave it to the reader. Datagrams of one
length from one source, which are the rule where much comes, land side by side here, as if they had been gathered.
"""

import ctypes
import errno
import socket
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from bittern.base.address import Address

from .mmsg import NAME, Header, Message, Vector, address_of, name_of
from .sockets import LONGEST, SOL_UDP, UDP_GRO

BATCH: Final = 64
"""Datagrams of a call at most."""
WORTH_A_SLOT: Final = 256
"""Bytes of datagrams that are laid side by side; shorter ones are answers of many lengths, and each comes alone."""
_CONTROL: Final = 64
_LONG: Final = 65536
_ETHERNET: Final = 1472  # what most packets of uTP have where there are many
_CONTROL_LENGTH: Final = ctypes.sizeof(ctypes.c_size_t)  # struct cmsghdr begins with it
_GATHERED: Final = struct.Struct("=iii")  # level, type, and for UDP_GRO the bytes of a segment


class Row(NamedTuple):
    """Datagrams of one source, side by side.

    Attributes:
        data: their bytes; valid until the next call.
        segment: bytes of each; the last may be shorter.
        source: where from.
    """

    data: memoryview
    segment: int
    source: Address


class BatchReader:
    """Reads a socket.

    A datagram lands in a slot of the length that was met last; what is longer goes on in a place of its own, which
    needs no memory before.
    """

    def __init__(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._call = libc.recvmmsg
        self._call.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p)
        self._slots = bytearray(BATCH * _LONG)  # zeros of the system, not there before they are written to
        self._rests = bytearray(BATCH * _LONG)
        self._names = bytearray(BATCH * NAME)
        self._controls = bytearray(BATCH * _CONTROL)
        self._messages = (Message * BATCH)()
        self._vectors = (Vector * (2 * BATCH))()
        held = self._slots, self._rests, self._names, self._controls
        # What from_buffer makes holds its bytearray: the addresses stay good.
        self._held = [(ctypes.c_char * len(part)).from_buffer(part) for part in held]
        self._bases, self._rest_base, names, controls = map(ctypes.addressof, self._held)
        for at, message in enumerate(self._messages):
            header = message.header
            header.name, header.name_size = names + at * NAME, NAME
            header.vectors, header.vector_count = ctypes.addressof(self._vectors[2 * at]), 2
            header.control, header.control_size = controls + at * _CONTROL, _CONTROL
        raw = memoryview(self._messages).cast("B")
        # "L" is size_t on Linux.
        word, step = ctypes.sizeof(ctypes.c_size_t), ctypes.sizeof(Message)
        self._sizes = raw.cast("I")[Message.size.offset // 4 :: step // 4]
        self._control_sizes = raw.cast("L")[Header.control_size.offset // word :: step // word]
        self._all_controls = memoryview((ctypes.c_size_t * BATCH)(*[_CONTROL] * BATCH)).cast("B").cast("L")
        self._view = memoryview(self._slots)
        self._slot = 0
        self._fit(_ETHERNET)

    def read(self, sock: socket.socket, slot: int) -> Iterator[Row]:
        """What waits, `BATCH` datagrams at most.

        Args:
            sock: does not block.
            slot: bytes that the next datagrams probably have.

        Raises:
            BlockingIOError: nothing waits.
            OSError: it is news about a datagram that was sent.
        """
        if slot != self._slot and slot >= WORTH_A_SLOT:
            self._fit(slot)
        count = self._call(sock.fileno(), ctypes.addressof(self._messages), BATCH, socket.MSG_DONTWAIT, None)
        if count < 0:
            number = ctypes.get_errno()
            raise OSError(number, errno.errorcode.get(number, ""))  # of the subclass that the number stands for
        sizes, control_sizes = self._sizes[:count].tolist(), self._control_sizes[:count].tolist()
        rows = self._singles(sizes, control_sizes) if any(control_sizes) else self._rows(sizes)
        self._control_sizes[:count] = self._all_controls[:count]  # the system has written what it used of each
        return rows

    def _fit(self, slot: int) -> None:
        self._slot = slot
        for at in range(BATCH):
            first, rest = self._vectors[2 * at], self._vectors[2 * at + 1]
            first.base, first.size = self._bases + at * slot, slot
            rest.base, rest.size = self._rest_base + at * _LONG, LONGEST - slot

    def _rows(self, sizes: list[int]) -> Iterator[Row]:
        slot, names, count, at = self._slot, self._names, len(sizes), 0
        while at < count:
            name = names[at * NAME : (at + 1) * NAME]
            if sizes[at] != slot:
                yield Row(self._single(at, sizes[at]), sizes[at], address_of(bytes(name)))
                at += 1
                continue
            end = at + 1
            while end < count and sizes[end] == slot and names[end * NAME : (end + 1) * NAME] == name:
                end += 1
            length = (end - at) * slot
            if end < count and sizes[end] < slot and names[end * NAME : (end + 1) * NAME] == name:
                length += sizes[end]
                end += 1
            yield Row(self._view[at * slot : at * slot + length], slot, address_of(bytes(name)))
            at = end

    def _singles(self, sizes: list[int], control_sizes: list[int]) -> Iterator[Row]:
        """Each for itself: the system has gathered some of them."""
        for at, (size, control) in enumerate(zip(sizes, control_sizes, strict=True)):
            segment = size
            if control:
                start = at * _CONTROL
                level, kind, segment_said = _GATHERED.unpack_from(self._controls, start + _CONTROL_LENGTH)
                segment = segment_said if (level, kind) == (SOL_UDP, UDP_GRO) else size
            yield Row(self._single(at, size), segment, address_of(bytes(self._names[at * NAME : (at + 1) * NAME])))

    def _single(self, at: int, size: int) -> memoryview:
        slot = self._slot
        whole = self._view[at * slot : at * slot + min(size, slot)]
        if size <= slot:
            return whole
        return memoryview(b"".join((whole, memoryview(self._rests)[at * _LONG : at * _LONG + size - slot])))


class BatchWriter:
    """Sends by one socket after the other."""

    def __init__(self) -> None:
        self._call = ctypes.CDLL(None, use_errno=True).sendmmsg
        self._call.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)
        self._messages = (Message * BATCH)()
        self._vectors = (Vector * BATCH)()
        self._name = ctypes.create_string_buffer(NAME)
        for at, message in enumerate(self._messages):
            message.header.name = ctypes.addressof(self._name)
            message.header.vectors, message.header.vector_count = ctypes.addressof(self._vectors[at]), 1

    def write(self, sock: socket.socket, data: bytes, segment: int, address: Address) -> int:
        """Send datagrams of `segment` bytes each, `BATCH` of them at most; how many have gone.

        Args:
            sock: does not block.
            data: all of them, one after the other; the last may be shorter.
            segment: bytes of each.
            address: whom they are for.

        Raises:
            BlockingIOError: there is no room for any.
            OSError: the first cannot be sent.
        """
        name = name_of(address)
        ctypes.memmove(self._name, name, len(name))
        base = ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value
        assert base is not None
        count = min(BATCH, -(-len(data) // segment))
        for at in range(count):
            vector = self._vectors[at]
            vector.base, vector.size = base + at * segment, min(segment, len(data) - at * segment)
            self._messages[at].header.name_size = len(name)
        gone = int(self._call(sock.fileno(), ctypes.addressof(self._messages), count, socket.MSG_DONTWAIT))
        if gone < 0:
            number = ctypes.get_errno()
            raise OSError(number, errno.errorcode.get(number, ""))
        return gone
