"""TCP links on sockets of our own, and the listener. No asyncio streams or transports: they allocate and copy.

HOT: bench/transfer.py
"""

import asyncio
import errno
import os
import socket
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from ipaddress import ip_address

from bittern.base.address import Address
from bittern.base.rate import TokenBucket
from bittern.base.transport import Transport
from bittern.wire.stream import Buffer, Link, LinkLost, LossKind, Stream

from . import capabilities
from .turn import Turn

SEND_BYTES = 3 << 19
"""Offered to the system at once: more than is ever queued of blocks (1.25 MiB), so that all of it goes in one call."""

_ACCEPT_PAUSE_SECONDS = 1.0
_BACKLOG = 128
ACCEPTS_AT_ONCE = 16
"""Connections accepted before others of the loop have their turn."""
ACCEPTS_PER_SECOND = 250.0
"""Connections accepted by a listener; a flood waits, or is refused, in the system's queue."""
_ACCEPT_BURST_SECONDS = 0.4

_KINDS = {
    errno.ECONNREFUSED: LossKind.REFUSED,
    errno.ECONNRESET: LossKind.RESET,
    errno.EPIPE: LossKind.RESET,
    errno.ECONNABORTED: LossKind.RESET,
    errno.ETIMEDOUT: LossKind.TIMED_OUT,
}


def loss_of(error: OSError) -> LinkLost:
    """What an OSError of a socket means for a link."""
    kind = _KINDS.get(error.errno or 0, LossKind.UNREACHABLE)
    # The system's words: asyncio has put its own ones in their place.
    reason = os.strerror(error.errno) if error.errno else str(error)
    return LinkLost(kind, "" if kind is not LossKind.UNREACHABLE else reason)


class TcpLink:
    """A connected TCP socket that serves one stream (see Link).

    Args:
        loop: that watches the socket.
        turn: of that loop.
        sock: connected and non-blocking; owned by the link.
        address: the other end.
    """

    __slots__ = ("__weakref__", "_address", "_loop", "_reading", "_sock", "_stream", "_turn", "_writing")

    def __init__(self, loop: asyncio.AbstractEventLoop, turn: Turn, sock: socket.socket, address: Address) -> None:
        self._loop = loop
        self._turn = turn
        self._sock: socket.socket | None = sock
        self._address = address
        self._stream: Stream | None = None
        self._reading = False
        self._writing = False
        turn.links.add(self)
        with suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def address(self) -> Address:
        """The other end."""
        return self._address

    @property
    def transport(self) -> Transport:
        """See Link."""
        return Transport.TCP

    def serve(self, stream: Stream) -> None:
        """See Link."""
        if self._sock is not None:
            self._stream = stream
            self.wake_receiver()
            self.wake_sender()

    def wake_sender(self) -> None:
        """See Link."""
        if not self._writing and self._stream is not None:
            self._turn.send_later(self)

    def wake_receiver(self) -> None:
        """See Link."""
        if self._sock is not None and not self._reading and self._stream is not None:
            self._reading = True
            self._loop.add_reader(self._sock.fileno(), self._readable)

    def our_host(self) -> str | None:
        """The IP address at our end; None when the link has ended."""
        return str(self._sock.getsockname()[0]).partition("%")[0].removeprefix("::ffff:") if self._sock else None

    def host_gone(self, hosts: Collection[str], now: float) -> bool:
        """Whether the address at our end is none of `hosts`; the link has ended then, for no answer can come."""
        host = self.our_host()
        if host is None or host in hosts or ip_address(host).is_loopback or ip_address(host).is_link_local:
            return False
        self._lose(LinkLost(LossKind.UNREACHABLE, "our own address is gone"), now)
        return True

    def close(self) -> None:
        """See Link."""
        if self._sock is None:
            return
        if self._stream is not None and not self._writing:
            with suppress(OSError):
                buffers = self._stream.send_buffers(SEND_BYTES)
                if buffers:
                    self._send(self._sock, buffers)
        self._shut()

    def flush(self, now: float) -> None:
        """Send what the stream has, as far as the kernel takes it."""
        try:
            sock, stream = self._sock, self._stream
            while sock is not None and stream is not None:
                buffers = stream.send_buffers(SEND_BYTES)
                if not buffers:
                    break
                try:
                    count = self._send(sock, buffers)
                except (BlockingIOError, InterruptedError):
                    count = 0
                except OSError as error:
                    self._lose(loss_of(error), now)
                    return
                if count:
                    stream.sent(count, now)
                sock = self._sock
                if sock is not None and count < sum(map(len, buffers)):
                    if not self._writing:
                        self._writing = True
                        self._loop.add_writer(sock.fileno(), self._writable)
                    return
            if self._writing and sock is not None:
                self._writing = False
                self._loop.remove_writer(sock.fileno())
        except Exception as error:  # noqa: BLE001 - reported; the links after this one are to be flushed, too
            self._break(error, now)

    def _writable(self) -> None:
        self.flush(self._turn.now())
        self._turn.soon()

    def _readable(self) -> None:
        sock, stream = self._sock, self._stream
        if sock is None or stream is None:
            return
        try:
            buffers = stream.receive_buffers()
            if not buffers:
                self._reading = False
                self._loop.remove_reader(sock.fileno())
                return
            try:
                count = sock.recvmsg_into(buffers)[0] if capabilities.RECVMSG_INTO else _receive(sock, buffers)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                self._lose(loss_of(error), self._turn.now())
                return
            if not count:
                self._lose(LinkLost(LossKind.CLOSED), self._turn.now())
                return
            stream.received(count, self._turn.now())
            self._turn.soon()
        except Exception as error:  # noqa: BLE001 - reported; else the socket would call again without end
            self._break(error, self._turn.now())

    @staticmethod
    def _send(sock: socket.socket, buffers: Sequence[Buffer]) -> int:
        if capabilities.SENDMSG:
            return sock.sendmsg(buffers)
        sent = 0
        for buffer in buffers:
            try:
                count = sock.send(buffer)
            except BlockingIOError:
                break
            sent += count
            if count < len(buffer):
                break
        return sent

    def _break(self, error: Exception, now: float) -> None:
        """A bug of ours, in this stream or behind it, costs this connection and no other."""
        self._loop.call_exception_handler({"message": f"the connection to {self._address} broke", "exception": error})
        self._lose(LinkLost(LossKind.ABORTED, "internal error"), now)

    def _lose(self, reason: LinkLost, now: float) -> None:
        stream = self._stream
        self._shut()
        if stream is not None:
            stream.lost(reason, now)
            self._turn.soon()

    def _shut(self) -> None:
        sock, self._sock, self._stream = self._sock, None, None
        if sock is not None:
            if self._reading:
                self._loop.remove_reader(sock.fileno())
            if self._writing:
                self._loop.remove_writer(sock.fileno())
            sock.close()


def _receive(sock: socket.socket, buffers: Sequence[memoryview]) -> int:
    """As recvmsg_into, with one call for each buffer."""
    count = 0
    for buffer in buffers:
        try:
            came = sock.recv_into(buffer)
        except OSError:
            if not count:
                raise
            break  # what came comes first; the next call meets the error again
        count += came
        if came < len(buffer):
            break
    return count


class Listener:
    """Accepts connections on one address.

    Args:
        loop: that watches the socket.
        turn: of that loop.
        sock: bound; owned by the listener.
        accepted: gives the stream for a new link.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        turn: Turn,
        sock: socket.socket,
        accepted: Callable[[Link, float], Stream],
    ) -> None:
        self._loop = loop
        self._turn = turn
        self._sock = sock
        self._accepted = accepted
        self._pause: asyncio.TimerHandle | None = None
        self._pace = TokenBucket(ACCEPTS_PER_SECOND, _ACCEPT_BURST_SECONDS)
        sock.listen(_BACKLOG)
        sock.setblocking(False)
        self._watch()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._sock.getsockname()[1])

    def close(self) -> None:
        """Accept no more."""
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._sock.fileno())
        self._sock.close()

    def _watch(self) -> None:
        self._pause = None
        self._loop.add_reader(self._sock.fileno(), self._acceptable)

    def _acceptable(self) -> None:
        for _ in range(ACCEPTS_AT_ONCE):
            now = self._turn.now()
            if self._pace.available(now) <= 0:
                self._rest(self._pace.ready_at(now) - now)
                return
            try:
                sock, name = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:
                # No descriptors left: they do not come back by asking at once, and the socket stays readable.
                self._rest(_ACCEPT_PAUSE_SECONDS)
                return
            self._pace.take(1)
            sock.setblocking(False)
            link = TcpLink(self._loop, self._turn, sock, Address.of(name[0].partition("%")[0], name[1]))
            link.serve(self._accepted(link, self._turn.now()))
            self._turn.soon()

    def _rest(self, seconds: float) -> None:
        self._loop.remove_reader(self._sock.fileno())
        self._pause = self._loop.call_later(seconds, self._watch)
