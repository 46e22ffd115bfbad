# Invariant: only NetworkError escapes; a body is no longer than wanted; redirects are followed so many times and no
# more, and never to an address where nobody may be asked.
"""Fuzz target: fetches over HTTP, from the first byte to the end of the last redirect."""

import asyncio
import socket
from functools import cache
from typing import Final

from bittern.base.address import Address
from bittern.base.errors import NetworkError
from bittern.engine.sources.guard import refusal
from bittern.io.http import REDIRECTS, HttpFetcher
from bittern.io.proxying import Purpose
from bittern.io.route import Route, Way
from fuzz.driver import Target
from fuzz.plays import act, acts, play_edit
from fuzz.target_tracker_http import TARGET as TRACKER

_MOST: Final = 20_000
_SECONDS: Final = 20.0
_ADDRESSES: Final = {"a.example": "203.0.113.1", "b.example": "203.0.113.2", "inside.example": "10.0.0.1"}


class _Route(Route):
    """Leads to nobody but the input: each connection is answered with the next of its acts."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: list[bytes] = []
        self.connections = 0
        self._held: list[socket.socket] = []

    def way(self, purpose: Purpose) -> Way:
        """Not by a socket of the system."""
        return Way.PROXY

    async def look_up(
        self, host: str, port: int | None, purpose: Purpose, *, family: int = 0, kind: int = 0
    ) -> list[Address]:
        """A few names are known; all else is taken for numeric."""
        known = _ADDRESSES.get(host)
        if known is not None:
            return [Address(known, port or 0)]
        try:
            socket.inet_aton(host)
        except (OSError, ValueError):
            raise OSError("no such name") from None
        return [Address(host, port or 0)]

    async def connect(self, target: Address, purpose: Purpose) -> socket.socket:
        """A connection that says the next answer and then nothing more."""
        assert refusal(target.host, local=False) is None, f"{target} was asked"
        self.connections += 1
        near, far = socket.socketpair()
        self._held.append(far)
        if self.answers:
            far.sendall(self.answers.pop(0))
        far.shutdown(socket.SHUT_WR)
        near.setblocking(False)
        return near

    def close(self) -> None:
        """End all connections."""
        for far in self._held:
            far.close()


@cache
def _runner() -> asyncio.Runner:
    return asyncio.Runner()


def check(data: bytes) -> bool:
    """Each act is what one connection is answered with."""
    return _runner().run(_fetch([said for _, said in acts(data)]))


async def _fetch(answers: list[bytes]) -> bool:
    route = _Route()
    route.answers = answers
    fetcher = HttpFetcher("fuzz", route)
    try:
        status, body = await fetcher.fetch("http://a.example/announce", _MOST, _SECONDS, local=False)
        assert 0 <= status < 1000
        assert len(body) <= _MOST
    except NetworkError:
        return False
    finally:
        await fetcher.close()
        assert route.connections <= 2 * (REDIRECTS + 1)  # a connection that ended is made once more
        route.close()
    return True


_OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b"
_TO = b"HTTP/1.1 302 Found\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n"
_GZIP = bytes.fromhex("1f8b0800000000000003ed c1 0d000000c2a0f74f6d0e37a00000000000000000bed0 21 0000")
_CORPUS = (
    act(0, _OK % (len(TRACKER.corpus[0]), TRACKER.corpus[0])),
    act(0, _TO % b"http://b.example/x") + act(0, _OK % (2, b"de")),
    act(0, _TO % b"/again?a=b") * 9,
    act(0, _TO % b"http://127.0.0.1:22/")
    + act(0, _TO % b"http://inside.example/")
    + act(0, _TO % b"https://b.example/"),
    act(0, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nd1:ai\r\n3;x=y\r\n1ee\r\n0\r\n\r\n"),
    act(0, b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(_GZIP), _GZIP)),
    act(0, b"HTTP/1.0 200 OK\r\n\r\n" + bytes(30_000)),
    act(0, b"HTTP/1.1 100 Continue\r\n\r\n" + _OK % (2, b"de")),
    act(0, b"HTTP/1.1 503 Busy\r\nRetry-After: 9\r\nContent-Length: 4\r\n\r\nbusy"),
    act(0),
)

TARGET = Target(
    "http",
    corpus=_CORPUS,
    words=(
        *(b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 ", b"302", b"308", b"204", b"304", b"999", b"\r\n\r\n", b"\r\n", b": "),
        *(
            b"Location: ",
            b"Content-Length: ",
            b"Transfer-Encoding: chunked\r\n",
            b"Connection: close\r\n",
            b"0\r\n\r\n",
        ),
        *(b"Content-Encoding: gzip\r\n", b"Content-Encoding: br\r\n", b"Set-Cookie: a=b\r\n", b"\xff", b"\0", _GZIP),
        *(b"http://", b"https://", b"//", b"b.example", b"169.254.169.254", b"[::1]", b"0x7f.1", b"2130706433", b"@"),
        *(b"#", b"?", b"%", b"%00", b":99999", b":-1", b"\xc3\xbc.example", b"xn--", b"..", b"file:///etc/passwd"),
    ),
    check=check,
    edits=(play_edit(_CORPUS),),
)
