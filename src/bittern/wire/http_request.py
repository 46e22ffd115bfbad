"""The server's side of HTTP/1.1, as much as small GETs need: heads of requests out of a stream, answers into it.

A request has no body, and its head is bounded. Everything else is an error with a status, after which the
connection ends: what would follow cannot be told from a body any more.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

MAX_HEAD: Final = 16384
"""Bytes of a request line and its fields."""
HTML: Final = "text/html; charset=utf-8"
TEXT: Final = "text/plain; charset=utf-8"

_REASONS: Final = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Content Too Large",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
    505: "HTTP Version Not Supported",
}


class Request(NamedTuple):
    """A GET or HEAD.

    Attributes:
        method: `GET`, `HEAD` or another, as it came.
        target: path and query, ASCII.
        keep_alive: whether the connection stays after the answer.
        forwarded: for whom a proxy says that it asks: the last word of `X-Forwarded-For`, "" for none. Whoever
            sends the request writes it as they like.
    """

    method: str
    target: str
    keep_alive: bool
    forwarded: str = ""


class RequestError(Exception):
    """What came is no request that can be answered.

    Attributes:
        status: of the last answer on this connection.
    """

    def __init__(self, status: int) -> None:
        super().__init__(_REASONS[status])
        self.status = status


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent for a request.

    Attributes:
        fields: more header fields, each ending in CRLF.
    """

    body: bytes
    status: int = 200
    content_type: str = TEXT
    fields: str = ""

    def encode(self, *, keep_alive: bool, head_only: bool = False) -> bytes:
        """The bytes to send; `head_only` for HEAD."""
        head = (
            f"HTTP/1.1 {self.status} {_REASONS[self.status]}\r\nContent-Type: {self.content_type}\r\n"
            f"Content-Length: {len(self.body)}\r\n{self.fields}"
            f"Connection: {'keep-alive' if keep_alive else 'close'}\r\n\r\n"
        ).encode("ascii")
        return head if head_only else head + self.body


class RequestReader:
    """Cuts requests out of a stream, however it is split."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def room(self) -> int:
        """Bytes that may be fed: what is there already has to be taken first when it is 0."""
        return MAX_HEAD + 4 - len(self._buffer)

    def feed(self, data: bytes) -> None:
        """Bytes have come, at most `room`."""
        self._buffer += data

    def take(self) -> Request | None:
        """The next request, or None when it has not come as a whole.

        Raises:
            RequestError: there is none, and never will be.
        """
        buffer = self._buffer
        while buffer.startswith(b"\r\n"):  # RFC 9112 2.2: some clients send an empty line after a request
            del buffer[:2]
        end = buffer.find(b"\r\n\r\n")
        if end < 0 or end > MAX_HEAD:
            if end > MAX_HEAD or len(buffer) >= MAX_HEAD + 4:
                raise RequestError(431)
            return None
        line, _, fields = bytes(buffer[:end]).partition(b"\r\n")
        del buffer[: end + 4]
        return _request(line, fields)


def _request(line: bytes, fields: bytes) -> Request:
    words = line.split(b" ")
    if len(words) != 3 or not line.isascii() or not words[0].isalpha():
        raise RequestError(400)
    method, target, version = words
    if version not in (b"HTTP/1.1", b"HTTP/1.0"):
        raise RequestError(505 if version.startswith(b"HTTP/") else 400)
    if not target.startswith(b"/"):
        # RFC 9112 3.2.2: the whole URL, as proxies send it
        scheme, _, rest = target.partition(b"://")
        if scheme.lower() not in (b"http", b"https"):
            raise RequestError(400)
        target = b"/" + rest.partition(b"/")[2]
    lowered = fields.lower()
    keep_alive = _keeps_alive(lowered, default=version == b"HTTP/1.1")
    return Request(method.decode(), target.decode(), keep_alive, _forwarded(lowered))


def _forwarded(lowered: bytes) -> str:
    if b"x-forwarded-for:" not in lowered:
        return ""
    # At the beginning of a line: what else says so is in a field that the client may write as it likes.
    _, found, rest = (b"\r\n" + lowered).rpartition(b"\r\nx-forwarded-for:")
    return rest.partition(b"\r\n")[0].rpartition(b",")[2].strip().decode("ascii", "replace") if found else ""


def _keeps_alive(lowered: bytes, *, default: bool) -> bool:
    if not (b"connection" in lowered or b"content-length" in lowered or b"transfer-encoding" in lowered):
        return default
    keep = default
    for field in lowered.split(b"\r\n"):
        name, _, value = field.partition(b":")
        value = value.strip()
        if name == b"connection":
            keep = b"close" not in value and (default or b"keep-alive" in value)
        elif name.strip() == b"transfer-encoding" or (name.strip() == b"content-length" and value != b"0"):
            raise RequestError(413)
    return keep
