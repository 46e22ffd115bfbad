"""Reading many datagrams with one call where nobody has put them together: recvmmsg of Linux.

HOT: bench/transfer.py

Senders that send one by one, as most do, and drivers that do not gather (GRO) leave it to the reader. Datagrams of one
length from one source, which are the rule where much comes, land side by side here, as if they had been gathered.
"""

import ctypes
import errno
import socket
import struct
import sys
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from bittern.base.address import Address

from .sockets import LONGEST

BATCH: Final = 64
"""Datagrams of a call at most."""
WORTH_A_SLOT: Final = 256
"""Bytes of datagrams that are laid side by side; shorter ones are answers of many lengths, and each comes alone."""
_NAME: Final = 28  # sockaddr_in6; sockaddr_in has 16
_CONTROL: Final = 64
_LONG: Final = 65536
_ETHERNET: Final = 1472  # what most packets of uTP have where there are many
_SOL_UDP: Final = 17
_UDP_GRO: Final = 104  # linux/udp.h
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


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))


class _Header(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_size", ctypes.c_uint32),
        ("vectors", ctypes.c_void_p),
        ("vector_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_size", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Message(ctypes.Structure):
    _fields_ = (("header", _Header), ("size", ctypes.c_uint))


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
        self._names = bytearray(BATCH * _NAME)
        self._controls = bytearray(BATCH * _CONTROL)
        self._messages = (_Message * BATCH)()
        self._vectors = (_Vector * (2 * BATCH))()
        held = self._slots, self._rests, self._names, self._controls
        # What from_buffer makes holds its bytearray: the addresses stay good.
        self._held = [(ctypes.c_char * len(part)).from_buffer(part) for part in held]
        self._bases, self._rest_base, names, controls = map(ctypes.addressof, self._held)
        for at, message in enumerate(self._messages):
            header = message.header
            header.name, header.name_size = names + at * _NAME, _NAME
            header.vectors, header.vector_count = ctypes.addressof(self._vectors[2 * at]), 2
            header.control, header.control_size = controls + at * _CONTROL, _CONTROL
        raw = memoryview(self._messages).cast("B")
        # "L" is size_t on Linux.
        word, step = ctypes.sizeof(ctypes.c_size_t), ctypes.sizeof(_Message)
        self._sizes = raw.cast("I")[_Message.size.offset // 4 :: step // 4]
        self._control_sizes = raw.cast("L")[_Header.control_size.offset // word :: step // word]
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
            name = names[at * _NAME : (at + 1) * _NAME]
            if sizes[at] != slot:
                yield Row(self._single(at, sizes[at]), sizes[at], _address(bytes(name)))
                at += 1
                continue
            end = at + 1
            while end < count and sizes[end] == slot and names[end * _NAME : (end + 1) * _NAME] == name:
                end += 1
            length = (end - at) * slot
            if end < count and sizes[end] < slot and names[end * _NAME : (end + 1) * _NAME] == name:
                length += sizes[end]
                end += 1
            yield Row(self._view[at * slot : at * slot + length], slot, _address(bytes(name)))
            at = end

    def _singles(self, sizes: list[int], control_sizes: list[int]) -> Iterator[Row]:
        """Each for itself: the system has gathered some of them."""
        for at, (size, control) in enumerate(zip(sizes, control_sizes, strict=True)):
            segment = size
            if control:
                start = at * _CONTROL
                level, kind, segment_said = _GATHERED.unpack_from(self._controls, start + _CONTROL_LENGTH)
                segment = segment_said if (level, kind) == (_SOL_UDP, _UDP_GRO) else size
            yield Row(self._single(at, size), segment, _address(bytes(self._names[at * _NAME : (at + 1) * _NAME])))

    def _single(self, at: int, size: int) -> memoryview:
        slot = self._slot
        whole = self._view[at * slot : at * slot + min(size, slot)]
        if size <= slot:
            return whole
        return memoryview(b"".join((whole, memoryview(self._rests)[at * _LONG : at * _LONG + size - slot])))


@lru_cache(4096)
def _address(name: bytes) -> Address:
    """What a sockaddr_in or sockaddr_in6 says."""
    port = int.from_bytes(name[2:4])
    if int.from_bytes(name[:2], sys.byteorder) == socket.AF_INET:
        return Address(socket.inet_ntop(socket.AF_INET, name[4:8]), port)
    return Address.of(socket.inet_ntop(socket.AF_INET6, name[8:24]), port)
