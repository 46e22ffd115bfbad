"""An HTTP/1.1 server for small answers: bounded connections, requests and patience, nothing allocated to wait."""

# HOT: bench/tracker.py
import asyncio
import errno
import os
import socket
import time
from collections.abc import Callable
from typing import Final, TypeAlias

from bittern.wire.http_request import Answer, Request, RequestError, RequestReader

from .accepting import best_accept

Later: TypeAlias = Callable[[Callable[[Answer], None]], None]
"""An answer that takes time: called once, with who takes the answer."""
Respond: TypeAlias = Callable[[Request, bytes, float], Answer | Later]
"""From a request, the packed address that it came from, and the time, to the answer."""

REQUEST_SECONDS: Final = 10.0
"""From the connection to the end of the first request's answer: who sends a byte now and then gets no more."""
IDLE_SECONDS: Final = 30.0
"""From the end of an answer to the end of the next."""
MAX_CONNECTIONS: Final = 8000
_BACKLOG: Final = 1024
_ACCEPTS: Final = 64
_UNSENT: Final = 64 * 1024
"""Bytes of answers that wait: beyond, no further request is read."""
_PAUSE_SECONDS: Final = 1.0
_FULL: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class WebServer:
    """Serves one listening socket, which it owns.

    Args:
        loop: whose turns it takes.
        sock: bound, and not yet listening.
        respond: makes the answers.
        max_connections: at a time; who comes beyond is let in when another ends.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        respond: Respond,
        max_connections: int = MAX_CONNECTIONS,
    ) -> None:
        self.loop = loop
        self.respond = respond
        self._sock = sock
        self._next = best_accept(sock)
        self._most = max_connections
        self._connections: dict[int, _Connection] = {}
        self._timer: asyncio.TimerHandle | None = None
        sock.setblocking(False)
        sock.listen(_BACKLOG)
        loop.add_reader(sock.fileno(), self._accept)

    @property
    def connections(self) -> int:
        """How many there are."""
        return len(self._connections)

    def close(self) -> None:
        """End all connections and stop listening."""
        if self._timer is not None:
            self._timer.cancel()
        self.loop.remove_reader(self._sock.fileno())
        self._sock.close()
        for connection in list(self._connections.values()):
            connection.close()

    def sweep(self, now: float) -> None:
        """End the connections whose time is over."""
        for connection in [each for each in self._connections.values() if each.due <= now]:
            connection.close()

    def gone(self, descriptor: int) -> None:
        """A connection has ended."""
        del self._connections[descriptor]

    def _accept(self) -> None:
        now = time.monotonic()
        for _ in range(_ACCEPTS):
            if len(self._connections) >= self._most:
                self._pause()
                return
            try:
                descriptor, host = self._next()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _FULL:
                    self._pause()
                    return
                continue  # it ended before it began
            connection = _Connection(self, descriptor, host, now + REQUEST_SECONDS)
            self._connections[descriptor] = connection
            connection.begin()

    def _pause(self) -> None:
        """Leave who comes in the backlog for a while, instead of being told of them for ever."""
        self.loop.remove_reader(self._sock.fileno())
        self._timer = self.loop.call_later(_PAUSE_SECONDS, self.loop.add_reader, self._sock.fileno(), self._accept)


class _Connection:
    """One client.

    Attributes:
        due: when its time is over.
    """

    __slots__ = (
        "_asking",
        "_closed",
        "_descriptor",
        "_ending",
        "_host",
        "_owed",
        "_reader",
        "_server",
        "_unsent",
        "_waiting",
        "due",
    )

    def __init__(self, server: WebServer, descriptor: int, host: bytes, due: float) -> None:
        self.due = due
        self._asking = False  # an answer that takes time is just being asked for
        self._closed = False  # the descriptor may be another's by now
        self._descriptor = descriptor
        self._ending = False  # after what is unsent and owed
        self._host = host
        self._owed: Request | None = None  # its answer takes time; what comes after it waits
        self._reader = RequestReader()
        self._server = server
        self._unsent = b""
        self._waiting = False  # for what it says next

    def begin(self) -> None:
        """Serve what is there already; most clients ask once and go, and are never waited for."""
        self._readable()

    def close(self) -> None:
        """End it."""
        if self._waiting:
            self._server.loop.remove_reader(self._descriptor)
        if self._unsent:
            self._server.loop.remove_writer(self._descriptor)
        self._closed = True
        os.close(self._descriptor)
        self._server.gone(self._descriptor)

    def _readable(self) -> None:
        if self._owed is not None:
            self._wait_no_more()
            return
        try:
            data = os.read(self._descriptor, self._reader.room)
        except BlockingIOError:
            self._rest()
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        self._reader.feed(data)
        self._serve()

    def _serve(self) -> None:
        """Answer what has come as a whole, as long as the answers are taken."""
        now = time.monotonic()
        while not (self._unsent or self._ending or self._owed is not None):
            answers, later = bytearray(), None
            while len(answers) < _UNSENT and later is None:
                answer = self._next(now)
                if isinstance(answer, bytes):
                    answers += answer
                elif answer is None:
                    break
                else:
                    later = answer
            if not answers and later is None:
                break
            self.due = now + IDLE_SECONDS
            if answers and not self._send(bytes(answers)):
                return
            if later is not None:
                self._asking = True
                later(self._pay)
                self._asking = False
                if self._closed:
                    return
        self._rest()

    def _rest(self) -> None:
        """Nothing more can be answered now: end, or wait for what comes."""
        if self._unsent or self._owed is not None:
            return
        if self._ending:
            self.close()
        elif not self._waiting:
            self._waiting = True
            self._server.loop.add_reader(self._descriptor, self._readable)

    def _wait_no_more(self) -> None:
        self._waiting = False
        self._server.loop.remove_reader(self._descriptor)

    def _next(self, now: float) -> bytes | Later | None:
        """The next answer, or None when no request is there as a whole, or none is to be answered any more."""
        if self._ending:
            return None
        try:
            request = self._reader.take()
        except RequestError as error:
            self._ending = True
            return Answer(f"{error}\n".encode(), error.status).encode(keep_alive=False)
        if request is None:
            return None
        self._ending = not request.keep_alive
        answer = self._server.respond(request, self._host, now)
        if not isinstance(answer, Answer):
            self._owed = request
            return answer
        return answer.encode(keep_alive=request.keep_alive, head_only=request.method == "HEAD")

    def _pay(self, answer: Answer) -> None:
        """Here is the answer that took time."""
        request, self._owed = self._owed, None
        if request is None or self._closed:
            return
        data = answer.encode(keep_alive=request.keep_alive, head_only=request.method == "HEAD")
        if self._unsent:
            self._unsent += data
        elif self._send(data) and not self._asking:
            self._serve()

    def _send(self, data: bytes) -> bool:
        """Send, and keep what is not taken; False when the connection is over."""
        try:
            sent = os.write(self._descriptor, data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.close()
            return False
        waited, self._unsent = bool(self._unsent), data[sent:]
        if self._unsent and not waited:
            if self._waiting:
                self._wait_no_more()
            self._server.loop.add_writer(self._descriptor, self._writable)
        elif waited and not self._unsent:
            self._server.loop.remove_writer(self._descriptor)
        return True

    def _writable(self) -> None:
        if self._send(self._unsent) and not self._unsent:
            self.due = time.monotonic() + IDLE_SECONDS
            self._serve()
