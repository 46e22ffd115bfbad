# Invariant: only RemoteProtocolError escapes; what an answer says lies inside the file that was asked for; a wire
# never lets more bytes land than were asked for; URLs made from what a torrent or a server said are printable ASCII.
"""Fuzz target: answers of web servers, and URLs of web seeds."""

from collections.abc import Sequence
from contextlib import suppress

from bittern.base.address import Address
from bittern.base.errors import RemoteProtocolError
from bittern.base.transport import Transport
from bittern.testing.wire_pair import feed
from bittern.wire.decoder import Scratch
from bittern.wire.http_range import Answer, Body, Head, answer_to
from bittern.wire.stream import LinkLost, Stream
from bittern.wire.webseed import FileRange, Origin, WebUrl
from bittern.wire.webwire import WebWire
from fuzz.driver import Target

_PART = FileRange(file=0, first=100, length=50, offset=1100, size=1000, pad=False)
_BASE = WebUrl(Origin(secure=False, host="a", port=80), "/b/c", "d")
_SCRATCH = Scratch()


class _Sink:
    """Counts."""

    def __init__(self) -> None:
        self.left = 0
        self.ended_bodies = 0
        self.over = False
        self._buffer = memoryview(bytearray(256))

    def answered(self, answer: Answer, now: float) -> bool:
        assert not self.over
        if isinstance(answer, Body):
            assert 0 <= answer.first <= answer.first + answer.length <= _PART.size
            self.left = answer.length
        return True

    def place(self, most: int) -> Sequence[memoryview]:
        assert 0 < most <= self.left
        return (self._buffer[:most],)

    def landed(self, count: int, now: float) -> None:
        self.left -= count
        assert self.left >= 0

    def ended(self, now: float) -> None:
        assert self.left == 0
        self.ended_bodies += 1

    def lost(self, reason: LinkLost | RemoteProtocolError, now: float) -> None:
        assert not self.over
        self.over = True


class _Link:
    """Goes nowhere."""

    address = Address("10.0.0.1", 80)
    transport = Transport.TCP

    def serve(self, stream: Stream) -> None:
        """Nothing."""

    def wake_sender(self) -> None:
        """Nothing."""

    def wake_receiver(self) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


def check(data: bytes) -> bool:
    """Take `data` for what a server sends, for a head alone, and for a URL and a place to go on to."""
    _check_url(data.decode(errors="replace"))
    sink = _Sink()
    wire = WebWire(_Link(), _SCRATCH, sink)
    for _ in range(4):
        wire.ask(b"", _PART)
    step = 1 + len(data) % 97
    feed(wire, data, cut=lambda _: step)
    assert wire.closed == sink.over
    with suppress(RemoteProtocolError):
        answer_to(_PART, Head.parse(data))
    return sink.ended_bodies > 0


def _check_url(text: str) -> None:
    url = WebUrl.parse(text)
    there = _BASE.leads_to(text)
    for each in (url, there, url.below((text, "..")) if url is not None else None):
        if each is not None:
            assert all("!" <= char <= "~" for char in f"{each}{each.origin.host}")
            assert 0 < each.origin.port < 65536


TARGET = Target(
    "webseed",
    corpus=(
        b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 100-149/1000\r\nContent-Length: 50\r\n\r\n" + bytes(50),
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nConnection: keep-alive\r\n\r\n" + bytes(1000),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e8;a=b\r\n"
        + bytes(1000)
        + b"\r\n0\r\nTrailer: x\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://b/c\r\nContent-Length: 5\r\n\r\nthere",
        b"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\nHTTP/1.1 503 X\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 206 X\r\ncontent-range: bytes 100-149/*\r\n\r\n" + bytes(50),
        b"http://user:pass@mirror.example:8080/pub/?key=1#x",
        b"https://[::1]/",
        b"../up/there?and#down",
    ),
    words=(
        *(b"HTTP/1.1 ", b"HTTP/1.0 ", b"200", b"206", b"301", b"416", b"503", b"\r\n", b"\r\n\r\n", b": ", b"bytes "),
        *(b"Content-Range", b"Content-Length", b"Content-Encoding: gzip", b"Transfer-Encoding: chunked", b"Location"),
        *(b"100-149/1000", b"0-0/1", b"99999999999999999999", b"-1", b"0\r\n", b"ffffffff\r\n", b"close", b";"),
        *(b"http://", b"https://", b"//", b"@", b"[", b"]", b"%", b"%0d%0a", b":99999", b"?", b"#", b"\xc3\xbc"),
    ),
    check=check,
)
