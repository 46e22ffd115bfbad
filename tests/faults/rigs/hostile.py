"""Peers that wait for `bittern get` and do what their script says, and a gate before the honest one.

A hostile peer has an address of its own: what it does may ban it, and bans are by address.
"""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from tests.faults.rigs.wire import HangUpError, Wire

Script = Callable[[Wire], None]
"""What a hostile peer does with a connection; being hung up on ends it."""


class Server:
    """Accepts connections until the `with` block ends, each served by a thread."""

    def __init__(self, host: str) -> None:
        self._listening = socket.create_server((host, 0), backlog=64)
        self.host, self.port = self._listening.getsockname()
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.failures: list[Exception] = []

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return f"{self.host}:{self.port}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for sock in [self._listening, *self._open]:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits on it
        for thread in self._threads:
            thread.join(10)
        for sock in [self._listening, *self._open]:
            sock.close()
        if self.failures and error is None:
            raise self.failures[0]

    def serve(self, sock: socket.socket) -> None:
        """One connection."""
        raise NotImplementedError

    def _start(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self._listening.accept()
                self._open.append(sock)
                self._start(lambda sock=sock: self._guard(sock))  # type: ignore[misc]

    def _guard(self, sock: socket.socket) -> None:
        try:
            self.serve(sock)
        except (HangUpError, OSError):
            pass
        except Exception as error:  # noqa: BLE001 - it fails the test, in the test's thread
            self.failures.append(error)


class HostilePeer(Server):
    """A peer that runs `script` on each connection.

    Attributes:
        done: set when the script has come to its end, or was hung up on.
    """

    def __init__(self, info_hash: bytes, script: Script, host: str = "127.0.0.2") -> None:
        super().__init__(host)
        self._info_hash = info_hash
        self._script = script
        self.done = threading.Event()

    def serve(self, sock: socket.socket) -> None:
        """Run the script."""
        try:
            self._script(Wire(sock, self._info_hash))
        finally:
            self.done.set()


class Proxy(Server):
    """Stands before an honest seed: lets its bytes through when and as far as the test says, and counts them.

    Args:
        port: of the seed.
        shut: whether nothing passes until `open`.
        limit: bytes from the seed after which nothing more passes.
        mark: bytes from the seed after which `reached` is set, while more passes.

    Attributes:
        carried: bytes that came from the seed and went to the other side.
        reached: set when `limit` or `mark` is.
    """

    def __init__(self, port: int, *, shut: bool = False, limit: int | None = None, mark: int | None = None) -> None:
        super().__init__("127.0.0.1")
        self._port = port
        self._gate = threading.Event()
        self._lock = threading.Lock()
        self.limit = limit
        self._mark = mark
        self.carried = 0
        self.reached = threading.Event()
        if not shut:
            self._gate.set()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._gate.set()
        super().__exit__(kind, error, trace)

    def open(self, mark: int | None = None) -> None:
        """Let bytes through from now on; `mark` as above."""
        if mark is not None:
            self._mark = mark
        self._gate.set()

    def serve(self, sock: socket.socket) -> None:
        """Connect through."""
        # Small buffers: what was carried has nearly all arrived.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
        self._gate.wait(60)
        with socket.create_connection(("127.0.0.1", self._port), 10) as seed:
            seed.settimeout(None)
            self._start(lambda: self._upwards(sock, seed))
            with suppress(OSError):
                while (data := seed.recv(1 << 14)) and self._may_pass(len(data)):
                    sock.sendall(data)
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR) if not self.reached.is_set() else None

    def _may_pass(self, count: int) -> bool:
        with self._lock:
            if self.limit is not None and self.carried + count > self.limit:
                self.reached.set()
                return False
            self.carried += count
            if self._mark is not None and self.carried >= self._mark:
                self.reached.set()
            return True

    def _upwards(self, sock: socket.socket, seed: socket.socket) -> None:
        try:
            while data := sock.recv(1 << 16):
                self.overhear(sock, data)
                seed.sendall(data)
        except OSError:  # reset: it was killed with bytes unread
            pass
        finally:
            with suppress(OSError):
                seed.shutdown(socket.SHUT_WR)  # the seed then ends what it sends, which ends `serve`

    def overhear(self, sock: socket.socket, data: bytes) -> None:
        """What came from the other side, on its way to the seed; for those who want to know."""
