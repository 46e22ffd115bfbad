"""Datagrams in and answers out, many with one system call where the system can (Linux: recvmmsg, sendmmsg).

A tracker's datagrams are small, so that a system call each is most of their price, and addresses as text are most of
the rest: here they stay as the kernel has them.
"""

# HOT: bench/tracker.py
import ctypes
import errno
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, Protocol, TypeAlias

from bittern.io.mmsg import NAME, Header, Message, Vector

Later: TypeAlias = Callable[[Callable[[bytes | None], None]], None]
"""An answer that takes time: called once, with who sends it."""
Answer: TypeAlias = Callable[[bytes, bytes, float], bytes | Later | None]
"""From a datagram, the packed address it came from, and the time, to what is sent back, if anything."""

BATCH: Final = 64
SLOT: Final = 2048
"""Bytes of a datagram at most; what is longer is cut, and then no request."""
_ROUNDS: Final = 16


class Exchange(Protocol):
    """Answers what waits at one socket."""

    def turn(self, sock: socket.socket, answer: Answer, now: float) -> int:
        """Receive, answer and send until nothing waits or others should have their turn; how many came."""
        ...


_MESSAGE: Final = ctypes.sizeof(Message)
_SIZE_AT: Final = ctypes.sizeof(Header)


class _Side:
    """Buffers for one direction, and the headers that lead the kernel to them."""

    def __init__(self) -> None:
        self.data = bytearray(BATCH * SLOT)
        self.names = bytearray(BATCH * NAME)
        self.raw = bytearray(BATCH * _MESSAGE)
        self.raw_vectors = bytearray(BATCH * ctypes.sizeof(Vector))
        self.messages = (Message * BATCH).from_buffer(self.raw)
        vectors = (Vector * BATCH).from_buffer(self.raw_vectors)
        # What from_buffer makes holds its bytearray: the addresses stay good.
        self._held = [(ctypes.c_char * len(part)).from_buffer(part) for part in (self.data, self.names)]
        data, names = map(ctypes.addressof, self._held)
        for at in range(BATCH):
            vectors[at].base, vectors[at].size = data + at * SLOT, SLOT
            header = self.messages[at].header
            header.name, header.name_size = names + at * NAME, NAME
            header.vectors, header.vector_count = ctypes.addressof(vectors[at]), 1
        self.address = ctypes.addressof(self.messages)
        self._vectors = vectors


class BatchExchange:
    """See Exchange: 64 datagrams with two system calls.

    Args:
        ipv6: the family of the socket.
    """

    def __init__(self, *, ipv6: bool) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._receive, self._send = libc.recvmmsg, libc.sendmmsg
        self._receive.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p)
        self._send.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)
        self._in, self._out = _Side(), _Side()
        self._host = slice(8, 24) if ipv6 else slice(4, 8)  # of sockaddr_in6, sockaddr_in
        self._name_size = NAME if ipv6 else 16
        for message in self._out.messages:
            message.header.name_size = self._name_size

    def turn(self, sock: socket.socket, answer: Answer, now: float) -> int:
        """See Exchange."""
        descriptor, total = sock.fileno(), 0
        for _ in range(_ROUNDS):
            count = self._receive(descriptor, self._in.address, BATCH, socket.MSG_DONTWAIT, None)
            if count <= 0:  # nothing waits; an error of an earlier answer is told here, too, and is over then
                break
            total += count
            self._send_all(descriptor, self._answers(sock, count, answer, now))
            if count < BATCH:
                break
        return total

    def _answers(self, sock: socket.socket, count: int, answer: Answer, now: float) -> int:
        came, out = self._in, self._out
        names, host_from, host_to, name_size = came.names, self._host.start, self._host.stop, self._name_size
        sizes = memoryview(came.raw).cast("I")
        vectors = memoryview(out.raw_vectors).cast("L")  # size_t on Linux
        step, first = _MESSAGE // sizes.itemsize, _SIZE_AT // sizes.itemsize
        made = 0
        data, answers, answer_names = memoryview(came.data), out.data, out.names
        for at in range(count):
            start, name = at * SLOT, at * NAME
            said = bytes(data[start : start + sizes[at * step + first]])
            reply = answer(said, bytes(names[name + host_from : name + host_to]), now)
            if not isinstance(reply, bytes):
                if reply is not None:
                    reply(_sender(sock, _address(bytes(names[name : name + name_size]))))
                continue
            size, to, answer_name = len(reply), made * SLOT, made * NAME
            answers[to : to + size] = reply
            answer_names[answer_name : answer_name + name_size] = names[name : name + name_size]
            vectors[2 * made + 1] = size
            made += 1
        return made

    def _send_all(self, descriptor: int, count: int) -> None:
        sent = 0
        while sent < count:
            more = self._send(descriptor, self._out.address + sent * _MESSAGE, count - sent, socket.MSG_DONTWAIT)
            if more <= 0:
                if ctypes.get_errno() in (errno.EAGAIN, errno.ENOBUFS):
                    return  # the network is full: clients ask again
                more = 1  # nobody can be reached there
            sent += more


class SingleExchange:
    """See Exchange: for systems that take one datagram at a time.

    Args:
        ipv6: the family of the socket.
    """

    def __init__(self, *, ipv6: bool) -> None:
        self._family = socket.AF_INET6 if ipv6 else socket.AF_INET

    def turn(self, sock: socket.socket, answer: Answer, now: float) -> int:
        """See Exchange."""
        for count in range(_ROUNDS * BATCH):
            try:
                data, sender = sock.recvfrom(SLOT)
            except OSError:
                return count  # nothing waits; an error of an earlier answer is told here, too, and is over then
            reply = answer(data, socket.inet_pton(self._family, sender[0].partition("%")[0]), now)
            send = _sender(sock, sender)
            if reply is None or isinstance(reply, bytes):
                send(reply)
            else:
                reply(send)
        return _ROUNDS * BATCH


def _address(name: bytes) -> tuple[Any, ...]:
    """The address in a sockaddr_in or sockaddr_in6, as Python's sockets have it."""
    port = int.from_bytes(name[2:4])
    if len(name) < NAME:
        return socket.inet_ntop(socket.AF_INET, name[4:8]), port
    scope = int.from_bytes(name[24:28], sys.byteorder)
    return socket.inet_ntop(socket.AF_INET6, name[8:24]), port, int.from_bytes(name[4:8]), scope


def _sender(sock: socket.socket, address: Any) -> Callable[[bytes | None], None]:
    def send(data: bytes | None) -> None:
        # The network may be full, nobody be reached there, or the socket be closed since: clients ask again.
        with suppress(OSError):
            if data is not None:
                sock.sendto(data, address)

    return send


def best_exchange(*, ipv6: bool) -> Exchange:
    """The fastest that this system has."""
    return BatchExchange(ipv6=ipv6) if sys.platform == "linux" else SingleExchange(ipv6=ipv6)
