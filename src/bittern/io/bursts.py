"""Sending many datagrams with one call, where the system can: UDP_SEGMENT of Linux, or sendmmsg; else one by one.

HOT: bench/transfer.py
"""

import errno
import socket
import struct
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from bittern.base.address import Address
from bittern.wire.datagrams import Burst, Cut, datagrams_of
from bittern.wire.stream import Buffer

from . import capabilities
from .batches import BatchWriter
from .sockets import SOL_UDP, UDP_SEGMENT

_SEGMENT: Final = struct.Struct("=H")
_CAN_NOT: Final = frozenset((errno.EIO, errno.ENOPROTOOPT, errno.EOPNOTSUPP))
"""What a network card, or a kernel, says that cannot cut bursts."""
_FEW_BUFFERS: Final = 8
"""So many are not worth a call for several datagrams."""
_MTU_DISCOVER: Final = {socket.AF_INET: (socket.IPPROTO_IP, 10), socket.AF_INET6: (socket.IPPROTO_IPV6, 23)}
_DONT, _WANT, _DO = 0, 1, 2
"""IP_PMTUDISC_*: let routers cut; cut what is known to be too long, the system's rule; cut nothing."""
_IPV6_MTU: Final = 24  # linux/in6.h
_EVERYWHERE_IPV6: Final = 1280
"""Bytes that every path must carry by IPv6, whose routers cut nothing (RFC 8200)."""


class BurstSender:
    """Sends by one socket.

    Args:
        sock: bound, and does not block.

    Attributes:
        gathers: whether bursts go with one call each.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._rest: deque[list[Buffer]] = deque()  # datagrams of a burst that went in part
        self._rest_for = Address("", 0)
        self._writer: BatchWriter | None = None
        self._batches = True
        self._proved = False  # a burst has gone with one call
        self.gathers = capabilities.SEGMENTS and capabilities.SENDMSG

    def send(self, burst: Burst) -> None:
        """Send a burst. What the system refuses to send at once goes one by one.

        Raises:
            BlockingIOError: there is no room; nothing has gone.
            OSError: it cannot be sent.
        """
        if self._rest:
            raise BlockingIOError
        if burst.cut is not Cut.HERE:
            self._send_cut(burst)
        elif _is_single(burst):
            self.put(burst.buffers, burst.address)
        elif not self.gathers:
            self._send_singly(burst)
        else:
            self._send_gathered(burst)

    def resume(self) -> None:
        """Send what is left of a burst that there was no room for.

        Raises:
            BlockingIOError: there is none still.
        """
        while self._rest:
            try:
                self.put(self._rest[0], self._rest_for)
            except BlockingIOError:
                raise
            except OSError:
                self._rest.clear()  # as if they were lost on the way
                return
            self._rest.popleft()

    def put(self, buffers: Sequence[Buffer], address: Address, segment: int = 0) -> None:
        """Send one datagram, or several of `segment` bytes.

        Raises:
            BlockingIOError: there is no room.
            OSError: it cannot be sent.
        """
        try:
            self._put(buffers, address, segment)
        except BlockingIOError:
            raise
        except OSError:
            # It may be news about a datagram before this one, which are told once.
            self._put(buffers, address, segment)

    def _put(self, buffers: Sequence[Buffer], address: Address, segment: int) -> None:
        if segment:
            self._sock.sendmsg(buffers, ((SOL_UDP, UDP_SEGMENT, _SEGMENT.pack(segment)),), 0, address)
        elif capabilities.SENDMSG:
            self._sock.sendmsg(buffers, (), 0, address)
        else:
            self._sock.sendto(b"".join(buffers), address)

    def _send_gathered(self, burst: Burst) -> None:
        try:
            self.put(burst.buffers, burst.address, burst.segment)
        except BlockingIOError:
            raise
        except OSError as error:
            self._send_singly(burst)  # which fails, too, where the address is at fault
            if error.errno in _CAN_NOT or not self._proved:
                self.gathers = False
        else:
            self._proved = True

    def _send_singly(self, burst: Burst) -> None:
        datagrams = None
        if capabilities.BATCHES and self._batches and len(burst.buffers) > _FEW_BUFFERS:
            datagrams = self._send_batch(burst)
        if datagrams is None:
            datagrams = deque(datagrams_of(burst))
            self.put(datagrams.popleft(), burst.address)
        self._rest, self._rest_for = datagrams, burst.address
        with suppress(BlockingIOError):
            self.resume()

    def _send_batch(self, burst: Burst) -> deque[list[Buffer]] | None:
        """The datagrams that have not gone with one call; None where the system has no such call."""
        if self._writer is None:
            self._writer = BatchWriter()
        data, segment = b"".join(burst.buffers), burst.segment
        try:
            gone = self._writer.write(self._sock, data, segment, burst.address)
        except BlockingIOError:
            raise
        except OSError as error:
            self._batches = error.errno != errno.ENOSYS
            if not self._batches:
                return None
            gone = self._writer.write(self._sock, data, segment, burst.address)  # as in `put`
        return deque([memoryview(data)[at : at + segment]] for at in range(gone * segment, len(data), segment))

    def _send_cut(self, burst: Burst) -> None:
        """Send what is not cut by the system's rule."""
        level, option = _MTU_DISCOVER[self._sock.family]
        now, usual = (_DO if burst.cut is Cut.NEVER else _DONT), _WANT
        if burst.cut is Cut.ANYWHERE and self._sock.family == socket.AF_INET6:
            option, now, usual = _IPV6_MTU, _EVERYWHERE_IPV6, 0
        if capabilities.ERROR_QUEUE:
            self._sock.setsockopt(level, option, now)
        try:
            self._send_singly(burst)
        finally:
            if capabilities.ERROR_QUEUE:
                self._sock.setsockopt(level, option, usual)


def _is_single(burst: Burst) -> bool:
    """Whether it is one datagram: those that begin a connection must not be held against the system."""
    return len(burst.buffers) <= 2 and sum(map(len, burst.buffers)) <= burst.segment
