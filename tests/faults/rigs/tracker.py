"""HTTP trackers that answer what no tracker should."""

import socket
from collections.abc import Callable

from tests.faults.rigs.hostile import Server

Answer = Callable[[socket.socket], None]
"""What is done with a connection once its request has come."""


class BadTracker(Server):
    """Hears requests and answers each by `answer`.

    Attributes:
        asked: the first line of every request, oldest first.
    """

    def __init__(self, answer: Answer) -> None:
        super().__init__("127.0.0.1")
        self._answer = answer
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        """To announce to."""
        return f"http://{self.address}/announce"

    def serve(self, sock: socket.socket) -> None:
        """Hear one request, answer it, hang up."""
        request = b""
        while b"\r\n\r\n" not in request:
            data = sock.recv(65536)
            if not data:
                return
            request += data
        self.asked.append(request.partition(b"\r\n")[0].decode())
        self._answer(sock)
        sock.shutdown(socket.SHUT_RDWR)


def page(body: bytes, *headers: str, status: str = "200 OK") -> Answer:
    """An answer with this body."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return lambda sock: sock.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


def silence(sock: socket.socket) -> None:
    """No answer, and no end."""
    sock.recv(1)


def endless(sock: socket.socket) -> None:
    """A body that never ends."""
    sock.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    while True:
        sock.sendall(b"d" + bytes(1 << 16))
