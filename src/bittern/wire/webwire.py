"""A connection to a web server as a Stream: requests for parts of files go out, their bytes land where they belong.

It knows HTTP's form and nothing of torrents: where bytes land, and what follows from an answer, is its sink's.
HOT: bench/web_seed.py
"""

from collections import deque
from collections.abc import Sequence
from enum import Enum, unique
from typing import Protocol

from bittern.base.errors import Offence, RemoteProtocolError

from .decoder import Scratch
from .http_range import MAX_HEAD, Answer, Body, Head, answer_to, chunk_size
from .stream import Buffer, Link, LinkLost, LossKind
from .webseed import FileRange

_HEAD_READ = 4096  # what comes behind a head must be copied: read little of it
_MOST_SKIPPED = 1 << 16
_LINE_MOST = 4096


class WebSink(Protocol):
    """Who asked, and what becomes of it. Each call but the last may close the wire."""

    def answered(self, answer: Answer, now: float) -> bool:
        """The oldest request is answered; whether a `Body` is wanted. False ends the connection."""
        ...

    def place(self, most: int) -> Sequence[memoryview]:
        """Where the next bytes of the body go, at most so many; none: not now (then `WebWire.wake` is to follow)."""
        ...

    def landed(self, count: int, now: float) -> None:
        """The next `count` bytes of the body are where `place` said last."""
        ...

    def ended(self, now: float) -> None:
        """All of the oldest request's answer is here."""
        ...

    def lost(self, reason: LinkLost | RemoteProtocolError, now: float) -> None:
        """The connection is no more; nothing follows."""
        ...


@unique
class _State(Enum):
    HEAD = "before or in a head"
    BODY = "in a body that is wanted"
    SKIP = "in a body that nobody wants"
    CHUNK = "in the line before a chunk"
    CHUNK_END = "behind a chunk"
    TRAILER = "behind the last chunk"
    CLOSED = "closed"


class WebWire:
    """One connection.

    Args:
        link: the transport.
        scratch: buffers that are shared by all streams of the loop.
        sink: who is told.
    """

    __slots__ = ("_asked", "_carry", "_chunk", "_chunked", "_keeps", "_left", "_line", "_link", "_out", "_scratch",
                 "_sink", "_state")  # fmt: skip

    def __init__(self, link: Link, scratch: Scratch, sink: WebSink) -> None:
        self._link = link
        self._scratch = scratch
        self._sink = sink
        self._out: deque[memoryview] = deque()
        self._asked: deque[FileRange] = deque()
        self._state = _State.HEAD
        self._line = bytearray()  # of a head, or of a line, as far as it came
        self._carry = b""  # came behind a head, and has no place yet
        self._left = 0  # bytes of the body that are still to come
        self._chunk = 0  # of its chunk
        self._chunked = False
        self._keeps = True

    # --- the Stream side: called by the link

    def receive_buffers(self) -> Sequence[memoryview]:
        """Where the next bytes should land; see Stream."""
        state = self._state
        if state is _State.CLOSED or self._carry:
            return ()
        if state is _State.BODY:
            return self._sink.place(min(self._left, self._chunk) if self._chunked else self._left)
        return (self._scratch.tail if state is _State.SKIP else self._scratch.tail[:_HEAD_READ],)

    def received(self, count: int, now: float) -> None:
        """Bytes came; see Stream."""
        try:
            if self._state is _State.BODY:
                self._landed(count, now)
            else:
                self._parse(bytes(self._scratch.tail[:count]), now)
        except RemoteProtocolError as error:
            self._end(error, now)

    def send_buffers(self, limit: int) -> Sequence[Buffer]:
        """What to send next; see Stream."""
        return tuple(self._out)

    def sent(self, count: int, now: float) -> None:
        """Bytes went; see Stream."""
        while count:
            first = self._out[0]
            if count < len(first):
                self._out[0] = first[count:]
                return
            count -= len(first)
            self._out.popleft()

    def lost(self, reason: LinkLost, now: float) -> None:
        """The link is gone; see Stream."""
        self._end(reason, now)

    # --- the owner's side

    @property
    def link(self) -> Link:
        """The transport."""
        return self._link

    @property
    def waiting(self) -> int:
        """Requests whose answers are not all here."""
        return len(self._asked)

    @property
    def closed(self) -> bool:
        """Whether it has ended."""
        return self._state is _State.CLOSED

    def ask(self, request: bytes, part: FileRange) -> None:
        """Send a request for a part of a file."""
        self._asked.append(part)
        self._out.append(memoryview(request))
        self._link.wake_sender()

    def wake(self, now: float) -> None:
        """There may be room for more again."""
        carry, self._carry = self._carry, b""
        if carry:
            try:
                self._parse(carry, now)
            except RemoteProtocolError as error:
                self._end(error, now)
        if self._state is not _State.CLOSED and not self._carry:
            self._link.wake_receiver()

    def close(self) -> None:
        """End the connection for a reason of our own; the sink is not told."""
        if self._state is not _State.CLOSED:
            self._state = _State.CLOSED
            self._link.close()

    # --- what comes

    def _parse(self, data: bytes, now: float) -> None:
        """Take bytes that lie aside."""
        view = memoryview(data)
        while view and self._state is not _State.CLOSED:
            if self._state is _State.BODY:
                taken = self._copy(view, now)
                if not taken:
                    self._carry = bytes(view)
                    return
            elif self._state is _State.SKIP:
                taken = min(len(view), self._left)
                self._left -= taken
                if not self._left:
                    self._complete(now)
            elif self._state is _State.HEAD:
                taken = self._take_head(view, now)
            else:
                taken = self._take_line(view, now)
            view = view[taken:]

    def _copy(self, view: memoryview, now: float) -> int:
        """Put bytes of the body in their place; how many."""
        most = min(len(view), self._left, self._chunk if self._chunked else self._left)
        taken = 0
        for place in self._sink.place(most):
            count = min(len(place), most - taken)
            place[:count] = view[taken : taken + count]
            taken += count
        if taken:
            self._landed(taken, now)
        return taken

    def _landed(self, count: int, now: float) -> None:
        self._left -= count
        self._chunk -= count
        self._sink.landed(count, now)
        if self._state is not _State.BODY:
            return  # the sink has enough
        if self._chunked and not self._chunk:
            self._state = _State.CHUNK_END
        elif not self._left:
            self._complete(now)

    def _take_head(self, view: memoryview, now: float) -> int:
        """Take what belongs to a head; how many bytes."""
        line = self._line
        before = len(line)
        line += view
        end = line.find(b"\r\n\r\n", max(0, before - 3))
        if end < 0:
            if len(line) > MAX_HEAD:
                raise RemoteProtocolError(Offence.BAD_HTTP, f"a head of more than {MAX_HEAD} bytes")
            return len(view)
        head = Head.parse(line[: end + 4])
        taken = end + 4 - before
        self._line = bytearray()
        if not self._asked:
            raise RemoteProtocolError(Offence.BAD_HTTP, "an answer to no request")
        if head.status == 101 or head.status >= 200:  # else an answer follows
            self._on_head(head, now)
        return taken

    def _on_head(self, head: Head, now: float) -> None:
        answer = answer_to(self._asked[0], head)
        self._keeps, self._chunked = head.keeps, head.chunked
        wanted = self._sink.answered(answer, now)
        if self._state is _State.CLOSED:
            return
        if isinstance(answer, Body):
            if not wanted:
                self._end(LinkLost(LossKind.ABORTED), now)
                return
            self._left = answer.length
            self._state = _State.CHUNK if self._chunked else _State.BODY
            if head.length is None and not self._chunked:
                self._keeps = False  # the end of the connection is the end of the body
            return
        length = head.length
        if length is None or length > _MOST_SKIPPED:
            self._end(LinkLost(LossKind.ABORTED), now)  # sooner than to read a page for people to its end
            return
        self._left, self._state = length, _State.SKIP
        if not length:
            self._complete(now)

    def _take_line(self, view: memoryview, now: float) -> int:
        """Take what belongs to a line round chunks (RFC 9112, 7.1); how many bytes."""
        line = self._line
        before = len(line)
        line += view[:_LINE_MOST]
        end = line.find(b"\r\n", max(0, before - 1))
        if end < 0:
            if len(line) > _LINE_MOST:
                raise RemoteProtocolError(Offence.BAD_HTTP, "a chunk without a size")
            return len(view[:_LINE_MOST])
        text, self._line = bytes(line[:end]), bytearray()
        self._on_line(text, now)
        return end + 2 - before

    def _on_line(self, line: bytes, now: float) -> None:
        if self._state is _State.CHUNK:
            self._chunk = chunk_size(line)
            if self._chunk > self._left:
                raise RemoteProtocolError(Offence.WRONG_RANGE, "more bytes than were asked for")
            if not self._chunk and self._left:
                raise RemoteProtocolError(Offence.WRONG_RANGE, f"{self._left} bytes less than were asked for")
            self._state = _State.BODY if self._chunk else _State.TRAILER
        elif self._state is _State.CHUNK_END:
            if line:
                raise RemoteProtocolError(Offence.BAD_HTTP, "a chunk without an end")
            self._state = _State.CHUNK
        elif not line:
            self._complete(now)

    def _complete(self, now: float) -> None:
        self._asked.popleft()
        self._state = _State.HEAD
        self._chunked = False
        self._sink.ended(now)
        if not self._keeps and not self.closed:
            self._end(LinkLost(LossKind.CLOSED), now)

    def _end(self, reason: LinkLost | RemoteProtocolError, now: float) -> None:
        if self._state is not _State.CLOSED:
            self._state = _State.CLOSED
            self._link.close()
            self._sink.lost(reason, now)
