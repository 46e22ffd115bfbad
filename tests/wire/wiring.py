"""A sink that writes down what it is told, a landing that is a plain list, and ways to deliver bytes."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence

from bittern.base.errors import Offence, RemoteProtocolError
from bittern.base.geometry import BLOCK
from bittern.wire.blocks import Head, Run, head_of
from bittern.wire.decoder import Decoder
from bittern.wire.hashes import HashRange

Call = tuple[object, ...]


def pattern(*key: int, length: int = BLOCK) -> bytes:
    """Bytes that tell by themselves where they belong."""
    return repr(key).encode().ljust(32, b".").__mul__(-(-length // 32))[:length]


class Recorder:
    """A PeerSink: each call becomes a tuple; requests one by one, however they were bundled."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.react: Callable[[Call], None] = lambda _: None

    def note(self, *call: object) -> None:
        self.calls.append(call)
        self.react(call)

    def on_choke(self, peer: object, now: float) -> None:
        self.note("choke")

    def on_unchoke(self, peer: object, now: float) -> None:
        self.note("unchoke")

    def on_interested(self, peer: object, now: float) -> None:
        self.note("interested")

    def on_not_interested(self, peer: object, now: float) -> None:
        self.note("not interested")

    def on_have(self, peer: object, piece: int, now: float) -> None:
        self.note("have", piece)

    def on_bitfield(self, peer: object, payload: bytes, now: float) -> None:
        self.note("bitfield", payload)

    def on_have_all(self, peer: object, now: float) -> None:
        self.note("have all")

    def on_have_none(self, peer: object, now: float) -> None:
        self.note("have none")

    def on_requests(self, peer: object, runs: Sequence[tuple[int, int, int, int]], now: float) -> None:
        for piece, begin, length, count in runs:
            for at in range(count - 1):
                self.note("request", piece, begin + at * BLOCK, BLOCK)
            self.note("request", piece, begin + (count - 1) * BLOCK, length - (count - 1) * BLOCK)

    def on_cancel(self, peer: object, piece: int, begin: int, length: int, now: float) -> None:
        self.note("cancel", piece, begin, length)

    def on_reject(self, peer: object, piece: int, begin: int, length: int, now: float) -> None:
        self.note("reject", piece, begin, length)

    def on_suggest(self, peer: object, piece: int, now: float) -> None:
        self.note("suggest", piece)

    def on_allowed_fast(self, peer: object, piece: int, now: float) -> None:
        self.note("allowed fast", piece)

    def on_port(self, peer: object, port: int, now: float) -> None:
        self.note("port", port)

    def on_extended(self, peer: object, ext_id: int, payload: bytes, now: float) -> None:
        self.note("extended", ext_id, payload)

    def on_hash_request(self, peer: object, span: HashRange, now: float) -> None:
        self.note("hash request", span)

    def on_hashes(self, peer: object, span: HashRange, hashes: bytes, now: float) -> None:
        self.note("hashes", span, hashes)

    def on_hash_reject(self, peer: object, span: HashRange, now: float) -> None:
        self.note("hash reject", span)

    def on_lost(self, peer: object, reason: object, now: float) -> None:
        self.note("lost", reason)


class Wanted:
    """A Landing over fresh memory: what was asked, in order, and what came of it.

    After `patience` blocks out of turn no order is expected any more.
    """

    most_bitfield = 1 << 18

    def __init__(self, sink: Recorder, runs: Iterable[tuple[int, int, int, int]] = (), patience: int = 1 << 30) -> None:
        self._sink = sink
        self._patience = patience
        self.runs: deque[Run] = deque()
        self.loose: dict[Head, memoryview] = {}
        self._arriving = (0, 0)
        for run in runs:
            self.ask(*run)

    def ask(self, piece: int, first: int, count: int, last_length: int = BLOCK) -> None:
        lengths = [BLOCK] * (count - 1) + [last_length]
        self.runs.append(Run(piece, first, [memoryview(bytearray(length)) for length in lengths]))

    def expected(self) -> Iterable[Run]:
        return self.runs

    def scattered(self) -> dict[Head, memoryview]:
        self._lent = dict(self.loose)
        return self.loose

    def landed_scattered(self, heads: list[Head], now: float) -> None:
        assert heads
        for head in heads:
            assert head not in self.loose
            self._sink.note("block", head[2], head[3] // BLOCK, bytes(self._lent.pop(head)))

    def landed_run(self, run: Run, count: int, now: float) -> None:
        assert run is self.runs[0]
        assert count > 0
        for _ in range(count):
            self._sink.note("block", run.piece, run.first + run.done, bytes(run.bodies[run.done]))
            run.done += 1
        if run.done == run.count:
            self.runs.popleft()

    def upcoming(self, piece: int, begin: int, length: int) -> Run | None:
        block, odd = divmod(begin, BLOCK)
        for at, run in enumerate(self.runs):
            if run.piece == piece and block in run.blocks and not odd:
                if len(run.bodies[block - run.first]) != length:
                    return None
                self._patience -= 1
                if self._patience < 0:
                    self._loosen()
                    return None
                blocks, rest = run.blocks, run
                del self.runs[at]
                if blocks.start < block:
                    self.runs.insert(at, run.part(blocks.start, block))
                    rest = run.part(block, blocks.stop)
                self.runs.appendleft(rest)
                return rest
        return None

    def place(self, piece: int, begin: int, length: int) -> memoryview:
        body = self.take(piece, begin // BLOCK)
        if body is None or begin % BLOCK:
            raise RemoteProtocolError(Offence.UNASKED_BLOCK)
        if len(body) != length:
            raise RemoteProtocolError(Offence.WRONG_BLOCK_LENGTH)
        self._arriving = (piece, begin // BLOCK)
        return body

    def landed(self, data: memoryview, now: float) -> None:
        self._sink.note("block", *self._arriving, bytes(data))

    def diverted(self) -> None:
        pass

    def _loosen(self) -> None:
        for run in self.runs:
            for block in run.blocks:
                body = run.bodies[block - run.first]
                self.loose[head_of(run.piece, block * BLOCK, len(body))] = body
        self.runs.clear()

    def take(self, piece: int, block: int) -> memoryview | None:
        for head in self.loose:
            if head[2:] == (piece, block * BLOCK):
                return self.loose.pop(head)
        for at, run in enumerate(self.runs):
            if run.piece == piece and block in run.blocks:
                body, blocks = run.bodies[block - run.first], run.blocks
                del self.runs[at]
                if block + 1 < blocks.stop:
                    self.runs.insert(at, run.part(block + 1, blocks.stop))
                if blocks.start < block:
                    self.runs.insert(at, run.part(blocks.start, block))
                return body
        return None


def deliver(decoder: Decoder, data: bytes | memoryview, limit: int, now: float = 0.0) -> int:
    """One read: scatter at most `limit` bytes of `data` as recvmsg_into does; how many went."""
    buffers = decoder.buffers()
    rest = memoryview(data)[:limit]
    for buffer in buffers:
        assert len(buffer), "an empty buffer was offered"
        part = rest[: len(buffer)]
        buffer[: len(part)] = part
        rest = rest[len(part) :]
        if not rest:
            break
    count = min(limit, len(data)) - len(rest)
    decoder.received(count, now)
    return count
