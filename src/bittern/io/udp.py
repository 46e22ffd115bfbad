"""A UDP port of ours: one socket that all who speak over UDP share, made to move many datagrams with one call.

HOT: bench/transfer.py
"""

import asyncio
import errno
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from typing import Final

from bittern.base.address import Address
from bittern.base.errors import NetworkError
from bittern.wire.datagrams import Burst, Kind

from . import capabilities
from .batches import BatchReader
from .bursts import BurstSender
from .complaints import ask_for_complaints, complaints
from .datagram_port import Sender
from .route import DIRECT, Route
from .sockets import LONGEST, SOL_UDP, UDP_GRO
from .sorter import Receiver, Sorter

READS_AT_ONCE: Final = 32
"""Reads of a socket before others of the loop have their turn; each brings one datagram, or as many as 64 KiB hold."""
BATCHES_AT_ONCE: Final = 4
"""Likewise of reads that bring up to 64 datagrams which nobody had gathered."""
RECEIVE_BYTES: Final = 4 << 20
"""That the system is asked to keep until they are read; most systems keep less."""
SEND_BYTES: Final = 1 << 20
"""Likewise until they are sent."""

_CONTROL_BYTES: Final = 64
_PAYLOAD_BYTES: Final = 512
"""A datagram of so many carries content: there are more of its kind. Questions come from everywhere, one by one."""
_EVERYWHERE: Final = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound to
_NOBODY: Final = frozenset(
    (
        errno.ECONNREFUSED,
        errno.EHOSTUNREACH,
        errno.ENETUNREACH,
        errno.EADDRNOTAVAIL,
        errno.EAFNOSUPPORT,
        errno.EACCES,
        errno.EINVAL,
    )
)


class UdpPort:
    """One port. It ends with `close`, or when nobody receives anything there any more.

    Args:
        sock: bound, and does not block; owned from now on.
        clock: gives the time.

    Attributes:
        clock: likewise.
        address: where it is, as the system says.
    """

    def __init__(self, sock: socket.socket, clock: Callable[[], float] = time.monotonic) -> None:
        self._loop = asyncio.get_running_loop()
        self._sorter = Sorter()
        self._sender: Sender | None = None
        self._reading = False
        self._writing = False
        self._view = memoryview(b"")
        self._joined = False
        self._batches: BatchReader | None = None
        self.clock = clock
        self._go_on(sock)

    def _go_on(self, sock: socket.socket) -> None:
        self._sock: socket.socket | None = sock
        self._out = BurstSender(sock)
        self.address = Address(*sock.getsockname()[:2])
        with suppress(OSError):
            if isinstance(self._loop, asyncio.SelectorEventLoop):  # uvloop gives up a socket with an error
                ask_for_complaints(sock)
            if capabilities.SEGMENTS:
                sock.setsockopt(SOL_UDP, UDP_GRO, 1)

    def rebind(self, sock: socket.socket | None) -> None:
        """Go on with another socket; with None, what is sent is as if it were lost, until the next one.

        Args:
            sock: as for a new port; owned from now on.
        """
        self.close()
        self._reading = self._writing = False
        if sock is not None:
            self._go_on(sock)
            if self._joined:
                self._read()

    @property
    def is_open(self) -> bool:
        """Whether it has a socket."""
        return self._sock is not None

    def reaches(self, address: Address) -> bool:
        """Whether datagrams can go to `address` from here: it is of the same family, and both or neither are loopback.

        From the address of all, they can go anywhere.
        """
        if self.address.is_ipv6 != address.is_ipv6:
            return False
        return self.address.host in _EVERYWHERE or _is_loopback(self.address.host) == _is_loopback(address.host)

    def join(self, kind: Kind, receiver: Receiver) -> None:
        """`receiver` gets all datagrams of a kind from now on."""
        self._sorter.join(kind, receiver)
        self._joined = True
        self._read()

    def _read(self) -> None:
        if not self._reading and self._sock is not None:
            self._reading = True
            self._view = memoryview(bytearray(LONGEST))
            self._loop.add_reader(self._sock.fileno(), self._readable)

    def leave(self, kind: Kind) -> None:
        """Nobody gets this kind any more; the port is closed when nobody gets any."""
        if not self._sorter.leave(kind):
            self.close()

    def watch(self, sender: Sender) -> None:
        """`sender` hears what becomes of datagrams from now on."""
        self._sender = sender

    def send(self, data: bytes, address: Address) -> None:
        """Send one datagram; where the system has no room, it is as if it were lost on the way.

        Raises:
            OSError: the system cannot send to `address`.
        """
        if self._sock is None:
            return
        try:
            self._sock.sendto(data, address)
        except BlockingIOError:
            pass
        except OSError:
            # It may be news about a datagram before this one, which are told once.
            with suppress(BlockingIOError):
                self._sock.sendto(data, address)

    def send_burst(self, burst: Burst) -> bool:
        """Send a burst, with one call where the system can; False where it has no room: the sender is told of some."""
        if self._sock is None:
            return True  # as if it were lost on the way, as what the system fails to send below
        try:
            self._out.send(burst)
        except BlockingIOError:
            self._wait()
            return False
        except OSError as error:
            if self._sender is not None:
                if error.errno == errno.EMSGSIZE:
                    self._sender.too_big(burst.address, burst.segment, self.clock())
                elif error.errno in _NOBODY:
                    self._sender.refused(burst.address, self.clock())
        return True

    def close(self) -> None:
        """Send and receive no more. May be called again."""
        sock, self._sock = self._sock, None
        if sock is not None:
            if self._reading:
                self._loop.remove_reader(sock.fileno())
            if self._writing:
                self._loop.remove_writer(sock.fileno())
            sock.close()

    def _readable(self) -> None:
        now, sorter, view = self.clock(), self._sorter, self._view
        for _ in range(READS_AT_ONCE):
            if self._sock is None:
                return  # a receiver has closed it
            try:
                count, segment, name = _receive(self._sock, view)
            except (BlockingIOError, InterruptedError):
                self._hear_complaints(now)
                break
            except OSError:
                continue  # news about one that was sent before
            host, port = name[0], name[1]
            sorter.came(view[:count], segment, Address(_canonical(host) if ":" in host else host, port), now)
            if count == segment >= _PAYLOAD_BYTES and capabilities.BATCHES and self._read_batches(count, now):
                break
        sorter.caught_up(now)

    def _read_batches(self, slot: int, now: float) -> bool:
        """Read what waits behind a datagram of `slot` bytes that nobody gathered; False where there is no such call."""
        if self._batches is None:
            self._batches = BatchReader()
        for _ in range(BATCHES_AT_ONCE):
            try:
                rows = self._batches.read(self._sock, slot) if self._sock is not None else ()
            except BlockingIOError:
                self._hear_complaints(now)
                return True
            except OSError as error:
                if error.errno == errno.ENOSYS:
                    return False
                continue  # news about one that was sent before
            for data, segment, source in rows:
                self._sorter.came(data, segment, source, now)
                slot = segment or slot
        return True

    def _hear_complaints(self, now: float) -> None:
        if self._sock is None:
            return
        for address, largest in complaints(self._sock):
            if self._sender is None:
                continue
            if largest is None:
                self._sender.refused(address, now)
            else:
                self._sender.too_big(address, largest + 1, now)

    def _wait(self) -> None:
        if self._sock is not None and not self._writing:
            self._writing = True
            self._loop.add_writer(self._sock.fileno(), self._writable)

    def _writable(self) -> None:
        try:
            self._out.resume()
        except BlockingIOError:
            return
        if self._sock is not None:
            self._writing = False
            self._loop.remove_writer(self._sock.fileno())
        if self._sender is not None:
            self._sender.writable(self.clock())


def bind(host: str, port: int, route: Route = DIRECT) -> UdpPort:
    """A port on the running loop.

    Args:
        host: a numeric address of this machine, or that of all.
        port: 0 for any.
        route: how we get out.

    Raises:
        NetworkError: it is taken, or the address is not this machine's.
    """
    return UdpPort(bound_socket(host, port, route))


def bound_socket(host: str, port: int, route: Route) -> socket.socket:
    """The socket of such a port, for `UdpPort.rebind`.

    Raises:
        NetworkError: as `bind`.
    """
    try:
        sock = route.bound(host, port, socket.SOCK_DGRAM, receive_bytes=RECEIVE_BYTES)
    except OSError as error:
        raise NetworkError(f"cannot use UDP on {host} port {port}: {error.strerror or error}") from error
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
    return sock


def _receive(sock: socket.socket, view: memoryview) -> tuple[int, int, tuple[str, int]]:
    """Bytes that came, bytes of each datagram in them, and whose they are.

    Raises:
        OSError: as `recvmsg`.
    """
    if not capabilities.RECVMSG_INTO:
        count, name = sock.recvfrom_into(view)
        return count, count, name
    count, control, _, name = sock.recvmsg_into((view,), _CONTROL_BYTES)
    for level, kind, value in control:
        if level == SOL_UDP and kind == UDP_GRO:
            return count, int.from_bytes(value[:4], sys.byteorder), name
    return count, count, name


@lru_cache(4096)
def _canonical(host: str) -> str:
    return Address.of(host.partition("%")[0], 0).host


def _is_loopback(host: str) -> bool:
    return host.startswith("127.") or host == "::1"
