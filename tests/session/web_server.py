"""A web server on a real socket, in threads of its own, which breaks as it is told."""

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request.

    Attributes:
        path: of the file, with its query.
        span: first and last byte of the range; None for the whole file.
        connection: which of the connections it came over, from 1.
        ahead: requests that had come behind it when it was answered.
    """

    path: str
    span: Span | None
    connection: int
    ahead: int


@dataclass(frozen=True, slots=True)
class Said:
    """An answer.

    Attributes:
        data: head and body.
        closes: whether the connection ends behind it.
        step: bytes that are sent at a time, one lot in 50 ms; 0 for all at once.
    """

    data: bytes
    closes: bool = False
    step: int = 0


@dataclass
class WebServer:
    """Serves `files` by their paths.

    Attributes:
        url: its root, with a slash at the end.
        asked: all that was asked for.
        react: says something else than the rule.
        lingers: seconds in which more requests may come before one is answered.
    """

    url: str
    files: dict[str, bytes]
    asked: list[Asked] = field(default_factory=list)
    react: Callable[[Asked], Said | None] = lambda _: None
    lingers: float = 0.0

    @property
    def connections(self) -> int:
        """How many asked for something."""
        return len({asked.connection for asked in self.asked})

    def answer(self, asked: Asked) -> Said:
        """What to say."""
        self.asked.append(asked)
        return self.react(asked) or self.right(asked)

    def right(self, asked: Asked) -> Said:
        """What a good server says."""
        data = self.files.get(asked.path)
        if data is None:
            return Said(head(404, "Content-Length: 0"))
        if asked.span is None:
            return Said(head(200, f"Content-Length: {len(data)}") + data)
        first, last = asked.span
        body = data[first : last + 1]
        return Said(
            head(206, f"Content-Range: bytes {first}-{last}/{len(data)}", f"Content-Length: {len(body)}") + body
        )


def head(status: int, *fields: str) -> bytes:
    """The head of an answer."""
    return "\r\n".join([f"HTTP/1.1 {status} Said", *fields, "", ""]).encode()


@contextmanager
def web_server(folder: Path) -> Iterator[WebServer]:
    """A server of the files below `folder`, on 127.0.0.1."""
    found = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    files = {f"/{path.relative_to(folder).as_posix()}": path.read_bytes() for path in found}
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = WebServer(f"http://127.0.0.1:{listening.getsockname()[1]}/", files)
        open_ones: list[socket.socket] = []
        threads: list[threading.Thread] = []

        def accept() -> None:
            with suppress(OSError):
                while True:
                    sock, _ = listening.accept()
                    open_ones.append(sock)
                    threads.append(threading.Thread(target=_serve, args=(server, sock, len(open_ones))))
                    threads[-1].start()

        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield server
        finally:
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            accepting.join()
            for sock in open_ones:
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()


def _serve(server: WebServer, sock: socket.socket, number: int) -> None:
    """One connection."""
    came = b""
    with sock, suppress(OSError):
        while True:
            while b"\r\n\r\n" not in came:
                more = sock.recv(65536)
                if not more:
                    return
                came += more
            if server.lingers:
                sock.settimeout(server.lingers)
                with suppress(TimeoutError):
                    came += sock.recv(65536)
                sock.settimeout(None)
            request, _, came = came.partition(b"\r\n\r\n")
            if not _say(sock, server.answer(_read(request.decode(), number, came.count(b"\r\n\r\n")))):
                return


def _say(sock: socket.socket, said: Said) -> bool:
    """Send an answer; whether the connection goes on."""
    step = said.step or max(1, len(said.data))
    for at in range(0, len(said.data), step):
        sock.sendall(said.data[at : at + step])
        if said.step:
            threading.Event().wait(0.05)
    return not said.closes


def _read(request: str, connection: int, ahead: int) -> Asked:
    assert "Accept-Encoding: identity" in request
    span = re.search(r"^Range: bytes=(\d+)-(\d+)\r?$", request, re.MULTILINE)
    path = unquote(request.split(" ", 2)[1])
    return Asked(path, (int(span[1]), int(span[2])) if span else None, connection, ahead)
