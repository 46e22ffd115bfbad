"""One question to a router over HTTP, and its answer: small, bounded, and of nobody else."""

import asyncio
import re
import socket
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import urlsplit

from bittern.base.errors import GatewayError, RemoteProtocolError
from bittern.codec.xml import MAX_BYTES
from bittern.io.tcp import loss_of
from bittern.wire.http_range import Head, chunk_size

SECONDS: Final = 5.0
"""An answer may take so long."""
MAX_HEAD: Final = 8192

_CHUNK = 16 << 10
_NOTICE = re.compile(rb"HTTP/1\.[01] 1\d\d(?s:.*?)\r\n\r\n")  # "100 Continue": the answer follows
_INTERFACE = re.compile(r"%.*]")


async def exchange(
    url: str,
    dial: Callable[[str], socket.socket],
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    seconds: float = SECONDS,
) -> tuple[int, bytes]:
    """Fetch `url`, or post `body` there: status and body of the answer. Nothing that it redirects to is fetched.

    Args:
        url: http, of a numeric host; an IPv6 one may have its interface behind a per cent sign.
        dial: makes a socket for connections to a host, not connected yet.
        headers: of the question, beside those that all have.
        body: of a POST; None for a GET.
        seconds: for everything.

    Raises:
        GatewayError: no answer, too long a one, or none of HTTP.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 80
    try:
        async with asyncio.timeout(seconds):
            with dial(host) as sock:
                loop = asyncio.get_running_loop()
                await loop.sock_connect(sock, (host, port))
                await loop.sock_sendall(sock, _question(url, headers or {}, body))
                return await _answer(loop, sock)
    except TimeoutError:
        raise GatewayError(f"the router does not answer within {seconds:g} s") from None
    except OSError as error:
        raise GatewayError(f"the router at {host}: {loss_of(error)}") from None
    except RemoteProtocolError as error:
        raise GatewayError(f"the router at {host} {error}") from None


def _question(url: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [
        f"{'GET' if body is None else 'POST'} {target} HTTP/1.1",
        f"Host: {_INTERFACE.sub(']', parts.netloc)}",  # RFC 6874: that name is ours, and means nothing there
        "Connection: close",
        *[f"{name}: {value}" for name, value in headers.items()],
    ]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("ascii", "replace") + (body or b"")


async def _answer(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> tuple[int, bytes]:
    raw = bytearray()
    while True:
        data = await loop.sock_recv(sock, _CHUNK)
        raw += data
        while _NOTICE.match(raw):
            del raw[: raw.find(b"\r\n\r\n") + 4]
        end = raw.find(b"\r\n\r\n")
        if end > MAX_HEAD or (end < 0 and (len(raw) > MAX_HEAD or not data)):
            raise GatewayError("the router's answer has no head, or a very long one")
        if end < 0:
            continue
        head = Head.parse(raw[: end + 4])
        body = whole_body(head, memoryview(raw)[end + 4 :].tobytes(), ended=not data)
        if body is not None:
            return head.status, body


def whole_body(head: Head, data: bytes, *, ended: bool) -> bytes | None:
    """The body of an answer, out of what came behind its head; None while more must come.

    Args:
        head: of the answer.
        data: what came so far.
        ended: whether nothing more will.

    Raises:
        GatewayError: it ended too early, or is longer than 64 KiB.
        RemoteProtocolError: BAD_HTTP, sizes that are none.
    """
    length = head.length
    if head.chunked:
        body = _joined(data)
    elif length is not None:
        body = data[:length] if len(data) >= length else None
    else:
        body = data if ended else None
    if len(data) > 2 * MAX_BYTES or (length or 0) > MAX_BYTES or len(body or b"") > MAX_BYTES:
        raise GatewayError(f"the router's answer is longer than {MAX_BYTES} bytes")
    if body is None and ended:
        raise GatewayError("the router's answer ends in the middle")
    return body


def _joined(data: bytes) -> bytes | None:
    """The body out of chunks; None while the last one has not come."""
    parts: list[bytes] = []
    at = 0
    while True:
        end = data.find(b"\r\n", at)
        if end < 0:
            if len(data) - at > 100:
                chunk_size(b"")  # a line without an end
            return None
        size = chunk_size(data[at:end])
        if not size:
            return b"".join(parts)
        at = end + 2 + size + 2
        if at > len(data):
            return None
        parts.append(data[end + 2 : at - 2])
