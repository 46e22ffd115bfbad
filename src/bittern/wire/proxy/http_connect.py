"""CONNECT of HTTP (RFC 9110, 9.3.6): a connection to anywhere, through a proxy for web browsers."""

import errno
import re
from base64 import b64encode
from typing import Final

from bittern.base.errors import ProxyError

from .handshake import NOWHERE, Endpoint, Handshake, Step

MAX_ANSWER: Final = 16384
"""Bytes of the head of an answer."""

_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([1-9]\d\d)(?: [^\r\n]*)?\r?\n")
_BEGIN: Final = b"HTTP/1."
_END: Final = b"\r\n\r\n"
_TELLS_OF_TARGET: Final = {
    403: errno.EACCES,
    404: errno.EHOSTUNREACH,
    500: errno.EHOSTUNREACH,  # tinyproxy, for whatever it cannot connect to
    502: errno.EHOSTUNREACH,
    503: errno.EHOSTUNREACH,
    504: errno.ETIMEDOUT,
}


def http_connect(target: Endpoint, user: str | None = None, password: str = "") -> Handshake:
    """Ask an HTTP proxy for a connection to `target`.

    Args:
        target: a name is looked up by the proxy.
        user: to give; None to give none.
        password: that goes with it.

    Raises:
        ProxyError: it refuses, or speaks something else.
    """
    if not target.host.isascii() or any(character <= " " for character in target.host):
        raise ProxyError(f"{target.host!r} is no name that a proxy could look up", errno.EHOSTUNREACH)
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    if user is not None:
        lines.append(f"Proxy-Authorization: Basic {b64encode(f'{user}:{password}'.encode()).decode()}")
    head = yield Step("".join(f"{line}\r\n" for line in [*lines, ""]).encode(), len(_END))
    while not head.endswith(_END):
        if not head.startswith(_BEGIN[: len(head)]):
            raise ProxyError("it does not speak HTTP")
        if len(head) > MAX_ANSWER:
            raise ProxyError("it does not end its answer")
        head += yield Step(b"", _missing(head))
    _judge(head)
    return NOWHERE


def _judge(head: bytes) -> None:
    match = _STATUS.match(head)
    if match is None:
        raise ProxyError("it does not speak HTTP")
    status = int(match[1])
    if status == 407:
        raise ProxyError("it wants a name and password, other ones than it was given")
    if not 200 <= status < 300:
        raise ProxyError(f"it answers with HTTP status {status}", _TELLS_OF_TARGET.get(status))


def _missing(head: bytes) -> int:
    """How many bytes there are at least until the end."""
    return next(len(_END) - known for known in (3, 2, 1, 0) if head.endswith(_END[:known]))
