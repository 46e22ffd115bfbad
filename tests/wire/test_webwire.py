"""One connection to a web server, without the server: however its bytes are cut, the same follows."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.errors import Offence, RemoteProtocolError
from bittern.testing.wire_pair import feed
from bittern.wire.decoder import Scratch
from bittern.wire.http_range import Answer, Body
from bittern.wire.stream import LinkLost
from bittern.wire.webseed import FileRange
from bittern.wire.webwire import WebWire
from tests.engine.peers import Line

DATA = bytes(range(256)) * 4
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 1024\r\n\r\n" + DATA


def part(first: int = 0, length: int = 1024) -> FileRange:
    return FileRange(0, first, length, first, 1024, pad=False)


def partial(first: int, length: int) -> bytes:
    head = b"HTTP/1.1 206 X\r\nContent-Range: bytes %d-%d/1024\r\nContent-Length: %d\r\n\r\n"
    return head % (first, first + length - 1, length) + DATA[first : first + length]


def chunked(*sizes: int, end: bytes = b"0\r\n\r\n") -> bytes:
    out, at = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 0
    for size in sizes:
        out += b"%x\r\n%b\r\n" % (size, DATA[at : at + size])
        at += size
    return out + end


class Sink:
    """Keeps what lands, in buffers of `step` bytes; may take nothing for a while, or have enough."""

    def __init__(self, step: int = 300, *, wants: bool = True) -> None:
        self.body = bytearray()
        self.calls: list[object] = []
        self.room = 1 << 30
        self.enough_at = 1 << 30
        self.wire: WebWire | None = None
        self._step = step
        self._wants = wants
        self._buffer = memoryview(bytearray(4096))

    def answered(self, answer: Answer, now: float) -> bool:
        self.calls.append(answer)
        return self._wants

    def place(self, most: int) -> Sequence[memoryview]:
        count = min(most, self._step, self.room)
        half = count // 2
        return tuple(filter(len, (self._buffer[:half], self._buffer[half:count])))

    def landed(self, count: int, now: float) -> None:
        self.room -= count
        self.body += self._buffer[:count]
        if len(self.body) >= self.enough_at and self.wire is not None:
            self.wire.close()

    def ended(self, now: float) -> None:
        self.calls.append("ended")

    def lost(self, reason: LinkLost | RemoteProtocolError, now: float) -> None:
        self.calls.append(reason.offence if isinstance(reason, RemoteProtocolError) else reason.kind.name)


def connect(sink: Sink, *parts: FileRange) -> tuple[WebWire, Line]:
    line = Line()
    wire = WebWire(line, Scratch(), sink)
    sink.wire = wire
    for each in parts:
        wire.ask(b"GET\r\n\r\n", each)
    return wire, line


CASES: dict[str, tuple[bytes, list[FileRange], bytes, list[object]]] = {
    "length": (OK, [part()], DATA, [Body(0, 1024), "ended"]),
    "range": (partial(100, 50), [part(100, 50)], DATA[100:150], [Body(100, 50), "ended"]),
    "two": (
        partial(0, 9) + partial(9, 3),
        [part(0, 9), part(9, 3)],
        DATA[:12],
        [Body(0, 9), "ended", Body(9, 3), "ended"],
    ),
    "hints": (
        b"HTTP/1.1 103 X\r\nLink: x\r\n\r\nHTTP/1.1 100 Go\r\n\r\n" + OK,
        [part()],
        DATA,
        [Body(0, 1024), "ended"],
    ),
    "chunked": (chunked(1, 1000, 23), [part()], DATA, [Body(0, 1024), "ended"]),
    "trailers": (
        chunked(1024, end=b"0\r\nA: b\r\n\r\n") + OK,
        [part(), part()],
        DATA * 2,
        [Body(0, 1024), "ended"] * 2,
    ),
    "close": (
        OK.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n"),
        [part()],
        DATA,
        [Body(0, 1024), "ended", "CLOSED"],
    ),
    "no length": (b"HTTP/1.1 200 OK\r\n\r\n" + DATA, [part()], DATA, [Body(0, 1024), "ended", "CLOSED"]),
    "too much": (OK + b"x", [part()], DATA, [Body(0, 1024), "ended"]),
    "unasked": (OK + OK, [part()], DATA, [Body(0, 1024), "ended", Offence.BAD_HTTP]),
    "wrong range": (partial(1, 50), [part(0, 50)], b"", [Offence.WRONG_RANGE]),
    "chunk too long": (chunked(1000, 200), [part()], DATA[:1000], [Body(0, 1024), Offence.WRONG_RANGE]),
    "chunks too few": (chunked(1000), [part()], DATA[:1000], [Body(0, 1024), Offence.WRONG_RANGE]),
    "chunk without end": (
        chunked(1).replace(b"\0\r\n0", b"\0xx0") + b"\r\n",
        [part()],
        DATA[:1],
        [Body(0, 1024), Offence.BAD_HTTP],
    ),
    "endless head": (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 20_000, [part()], b"", [Offence.BAD_HTTP]),
    "endless size": (chunked() + b"", [part()], b"", [Body(0, 1024), Offence.WRONG_RANGE]),
    "no http": (b"\x16\x03\x01 hello\r\n\r\n", [part()], b"", [Offence.BAD_HTTP]),
}


@pytest.mark.parametrize("case", list(CASES))
@given(cuts=st.lists(st.integers(1, 700), min_size=1, max_size=6), step=st.sampled_from([1, 7, 300, 5000]))
def test_however_bytes_are_cut_the_same_follows(case: str, cuts: list[int], step: int) -> None:
    data, parts, body, calls = CASES[case]
    sink = Sink(step)
    wire, line = connect(sink, *parts)
    turns = iter(cuts * (len(data) + 1))
    feed(wire, data, cut=lambda _: next(turns))
    assert (bytes(sink.body), sink.calls) == (body, calls)
    assert wire.closed == line.closed == any(not isinstance(call, Body) and call != "ended" for call in calls)


def test_requests_go_out_in_order() -> None:
    wire, line = connect(Sink())
    wire.ask(b"first", part(0, 1))
    wire.ask(b"second", part(1, 1))
    assert (line.woken, wire.waiting) == (2, 2)
    sent = b""
    while buffers := wire.send_buffers(100):
        sent += b"".join(buffers)[:3]
        wire.sent(min(3, sum(map(len, buffers))), 0.0)
    assert sent == b"firstsecond"


def test_a_body_waits_for_room_also_what_came_with_its_head() -> None:
    sink = Sink()
    wire, line = connect(sink, part())
    sink.room = 0
    came = len(OK) - 900
    assert feed(wire, OK[:came]) == came
    assert feed(wire, OK[came:]) == 0
    assert sink.body == b""
    sink.room = 10
    wire.wake(0.0)
    assert sink.body == DATA[:10]
    assert line.reads_woken == 0
    sink.room = 1 << 20
    wire.wake(0.0)
    assert line.reads_woken == 1
    assert sink.body == DATA[:124]
    assert feed(wire, OK[came:]) == 900
    assert sink.body == DATA


def test_a_sink_that_has_enough_hears_nothing_more() -> None:
    sink = Sink()
    sink.enough_at = 300
    wire, line = connect(sink, part())
    feed(wire, OK)
    assert len(sink.body) == 300
    assert line.closed
    assert sink.calls == [Body(0, 1024)]


def test_a_body_that_nobody_wants_ends_the_connection() -> None:
    sink = Sink(wants=False)
    _, line = connect(sink, part())
    feed(sink.wire, OK)  # type: ignore[arg-type]  # it is there
    assert sink.calls == [Body(0, 1024), "ABORTED"]
    assert line.closed


def test_a_short_page_for_people_is_skipped_and_a_long_one_not_read() -> None:
    sink = Sink()
    wire, line = connect(sink, part(), part())
    feed(wire, b"HTTP/1.1 404 X\r\nContent-Length: 5\r\n\r\nsorry" + OK, cut=lambda _: 3)
    assert sink.body == DATA
    assert "ended" in sink.calls
    assert not line.closed
    for page in (b"Content-Length: 70000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n", b"\r\n"):
        sink = Sink()
        wire, line = connect(sink, part())
        feed(wire, b"HTTP/1.1 404 X\r\n" + page)
        assert sink.calls[-1] == "ABORTED"
        assert line.closed
