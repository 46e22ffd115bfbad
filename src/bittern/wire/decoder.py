"""The receiving half of the peer wire: bytes in, calls out; blocks land where they belong without a copy.

Most bytes that come are the answers to our requests, and those are known in advance up to the last bit of their
headers. So the decoder offers the kernel a scatter list: a small buffer for each expected header and the final
place for each block. One comparison then confirms a whole batch. When something else comes instead, the
bytes after that point are put together again and parsed one message at a time. HOT: bench/calls_per_block
"""

from struct import Struct

from bittern.base.errors import Offence, RemoteProtocolError
from bittern.base.geometry import BLOCK

from .blocks import HEAD, REQUEST, SPAN, Head, Run, head_at
from .landing import Landing
from .messages import BITFIELD, PIECE, max_body
from .messages import REQUEST as REQUEST_ID
from .sink import PeerSink, request_runs, tell

_SLAB = 1 << 20  # for peers without order: each read costs a hand-over of the interpreter, whatever its size
_TAIL = 1 << 15  # of it, for everybody else: two thousand small messages at once, or those of a flood hold up others
_WINDOW = 64
_WINDOW_LEAST = 4

_length_at = Struct(">I").unpack_from
_two_at = Struct(">II").unpack_from

_LIMITS = [max_body(kind) for kind in range(256)]


class Scratch:
    """Buffers that all decoders of one event loop share: between two calls nothing in them is needed."""

    def __init__(self) -> None:
        self.slab = memoryview(bytearray(_SLAB))
        self.tail = self.slab[:_TAIL]
        self.heads = bytearray(HEAD * _WINDOW)
        view = memoryview(self.heads)
        self.head_views = [view[at * HEAD : at * HEAD + HEAD] for at in range(_WINDOW)]


class Decoder:
    """Parses what one peer sends after its handshake.

    Args:
        scratch: buffers of the loop.
        sink: is told of messages, with `peer`.
        peer: whose they are.
        landing: knows where blocks belong.
        in_one: whether all is to come in one buffer, as for a cipher; blocks are copied to their places then.
    """

    __slots__ = (
        "_ahead", "_carry", "_filled", "_in_one", "_landing", "_need", "_offered", "_peer", "_place", "_plan", "_rest",
        "_scratch", "_sink", "_stopped", "_window",
    )  # fmt: skip

    def __init__(
        self, scratch: Scratch, sink: PeerSink, peer: object, landing: Landing, *, in_one: bool = False
    ) -> None:
        self._in_one = in_one
        self._scratch = scratch
        self._sink = sink
        self._peer = peer
        self._landing = landing
        self._carry = bytearray()  # an incomplete message; empty while blocks land in place
        self._need = 0  # bytes until parsing `_carry` makes sense
        self._place: memoryview | None = None  # where the block that began to arrive lies
        self._filled = 0
        self._rest = 0  # bytes that came of the first expected block, header included
        self._window = _WINDOW_LEAST
        self._ahead = _WINDOW  # runs after the first that are expected to come in turn
        self._stopped = False
        self._plan: list[tuple[Run, int, int, int, int]] = []
        self._offered: list[memoryview] = []

    def buffers(self) -> list[memoryview]:
        """Where the next bytes should land."""
        scratch = self._scratch
        if self._in_one:
            return [scratch.slab if self._awaits_blocks and not self._carry else scratch.tail]
        self._plan = plan = []
        self._offered = offered = []
        if self._carry:
            offered.append(scratch.tail)
            return offered
        if self._place is not None:
            offered.append(self._place[self._filled :])
        rest = self._rest
        room = self._window
        slot = 0
        for run in self._landing.expected():
            done = run.done
            count = min(run.count - done, room)
            parts = run.bodies[done : done + count] * 2
            parts[::2] = scratch.head_views[slot : slot + count]
            parts[1::2] = run.bodies[done : done + count]
            if rest >= HEAD:
                parts[:2] = [parts[1][rest - HEAD :]]
            elif rest:
                parts[0] = parts[0][rest:]
            offered += parts
            plan.append((run, slot, done, rest, count))
            rest = 0
            slot += count
            room -= count
            if not room:
                return offered  # more blocks are expected: they are to land in place, too
            if len(plan) > self._ahead:
                break
        offered.append(scratch.slab if self._landing.scattered() else scratch.tail)
        return offered

    def received(self, count: int, now: float) -> None:
        """`count` bytes lie in the buffers given last.

        Raises:
            RemoteProtocolError: the peer broke the protocol; nothing may follow.
        """
        if self._in_one:
            self.feed(self._scratch.slab[:count], now)
            return
        left = count
        if self._place is not None:
            take = min(left, len(self._place) - self._filled)
            self._filled += take
            left -= take
            if self._filled < len(self._place):
                return
            self._finish_place(now)
        heads = self._scratch.heads
        for run, slot, done, rest, blocks in self._plan:
            if not left or self._stopped:
                return
            size = blocks * SPAN - rest
            if done + blocks == run.count:
                size -= BLOCK - len(run.bodies[-1])
            if left >= size:
                take, full, tail = size, blocks, 0
            else:
                take = left
                full, tail = divmod(rest + left, SPAN)
            skip = min(rest, HEAD)
            end = full * HEAD + min(tail, HEAD)
            if heads[slot * HEAD + skip : slot * HEAD + end] != run.heads[done * HEAD + skip : done * HEAD + end]:
                self._mispredicted(run, slot, done, rest, count - left, count, now)
                return
            left -= take
            self._rest = tail
            if full:
                self._landing.landed_run(run, full, now)
        if len(self._plan) > 1:
            self._ahead = min(self._ahead * 2 + 1, _WINDOW)
        # Offer about as much as comes: a long list costs, a short one costs more calls.
        if left or count >= self._window * (SPAN // 2):
            self._window = min(self._window * 2, _WINDOW)
        elif count < self._window * (SPAN // 8):
            self._window = max(self._window // 2, _WINDOW_LEAST)
        if left:
            self._feed(self._scratch.slab[:left], now)

    def feed(self, data: memoryview, now: float) -> None:
        """Bytes that came another way than through `buffers` (after a handshake, out of a cipher).

        Raises:
            RemoteProtocolError: as `received`.
        """
        if self._rest:
            data = self._go_on(data, now)
        if self._place is not None:
            take = min(len(data), len(self._place) - self._filled)
            self._place[self._filled : self._filled + take] = data[:take]
            self._filled += take
            if self._filled < len(self._place):
                return
            self._finish_place(now)
            data = data[take:]
        if data:
            self._feed(data, now)

    @property
    def _awaits_blocks(self) -> bool:
        landing = self._landing
        expected = next(iter(landing.expected()), None)
        return expected is not None or self._place is not None or bool(landing.scattered())

    def land(self, landing: Landing) -> None:
        """Blocks will be asked for from now on (the metadata came)."""
        self._landing = landing

    def stop(self) -> None:
        """Call nobody any more: the connection was closed, perhaps by a call of ours that is still under way."""
        self._stopped = True

    def divert(self) -> None:
        """Write no more into the place of the block that is arriving now: it is no longer ours alone."""
        if self._rest:
            run = next(iter(self._landing.expected()))
            rest, self._rest = self._rest, 0
            if rest < HEAD:
                self._carry += run.heads[run.done * HEAD : run.done * HEAD + rest]
                self._need = HEAD
                return
            block = run.first + run.done
            length = len(run.bodies[run.done])
            self._place = self._landing.place(run.piece, block * BLOCK, length)
            self._filled = rest - HEAD
        if self._place is not None:
            copy = memoryview(bytearray(len(self._place)))
            copy[: self._filled] = self._place[: self._filled]
            self._place = copy
            self._landing.diverted()

    def _go_on(self, data: memoryview, now: float) -> memoryview:
        """Copy what `data` has of the expected block that came in part; what is left of `data`."""
        run = next(iter(self._landing.expected()))
        if self._rest < HEAD:
            self._carry += run.heads[run.done * HEAD : run.done * HEAD + self._rest]
            self._need, self._rest = HEAD, 0
            return data
        body = run.bodies[run.done]
        filled = self._rest - HEAD
        take = min(len(data), len(body) - filled)
        body[filled : filled + take] = data[:take]
        self._rest += take
        if filled + take == len(body):
            self._rest = 0
            self._landing.landed_run(run, 1, now)
        return data[take:]

    def _finish_place(self, now: float) -> None:
        place, self._place = self._place, None
        assert place is not None
        self._landing.landed(place, now)

    def _mispredicted(self, run: Run, slot: int, done: int, rest: int, before: int, count: int, now: float) -> None:
        """Of `count` bytes in the offered buffers, those from byte `before` on do not match `run` throughout."""
        heads = self._scratch.heads
        good, skip = 0, min(rest, HEAD)
        while (
            heads[(slot + good) * HEAD + skip : (slot + good + 1) * HEAD]
            == run.heads[(done + good) * HEAD + skip : (done + good + 1) * HEAD]
        ):
            good += 1
            skip = 0
        at = before + good * SPAN - rest if good else before
        wild = bytearray(b"" if good else run.heads[done * HEAD : done * HEAD + rest])
        passed = 0
        for part in self._offered:
            low, high = max(at - passed, 0), count - passed
            if high <= 0:
                break
            if low < len(part):
                wild += part[low:high]
            passed += len(part)
        self._rest = 0
        # What comes out of turn is put together again and copied: let it be less. A peer that has its own order of
        # runs is believed one run at a time; where the next begins is then seen in the slab.
        self._window = max(self._window // 2, _WINDOW_LEAST)
        self._ahead = 0
        if good:
            self._landing.landed_run(run, good, now)
        self._feed(memoryview(wild), now)

    def _feed(self, data: memoryview, now: float) -> None:
        """Parse messages one by one; keep an incomplete one for later."""
        if self._carry:
            self._carry += data
            if len(self._carry) < self._need:
                return
            data = memoryview(self._carry)
            self._carry = bytearray()
        at = self._parse(data, now)
        if at < len(data):
            self._carry += data[at:]

    def _parse(self, data: memoryview, now: float) -> int:
        """Handle the whole messages in `data`; the number of bytes used. Sets `_need` where some are left."""
        at, end = 0, len(data)
        while end - at >= 4 and not self._stopped:
            length: int = _length_at(data, at)[0]
            if not length:  # keep-alive
                at += 4
                continue
            if end - at < 5:
                break
            kind = data[at + 4]
            if kind == PIECE:
                if length <= HEAD - 4:
                    raise RemoteProtocolError(Offence.BAD_MESSAGE_LENGTH, f"a block message of {length} bytes")
                if end - at < HEAD:
                    self._need = HEAD
                    return at
                at = self._blocks(data, at, length - HEAD + 4, now)
                continue
            if length > _LIMITS[kind]:
                raise RemoteProtocolError(Offence.OVERSIZED_MESSAGE, f"message {kind} of {length} bytes")
            if end - at < 4 + length:
                if kind == BITFIELD and length > 1 + self._landing.most_bitfield:
                    raise RemoteProtocolError(Offence.BAD_BITFIELD, f"{length - 1} bytes")  # before it is kept
                self._need = 4 + length
                return at
            if kind == REQUEST_ID and length == REQUEST - 4:
                runs, at = request_runs(data, at)
                self._sink.on_requests(self._peer, runs, now)
                continue
            tell(self._sink, self._peer, kind, data[at + 5 : at + 4 + length], now)
            at += 4 + length
        self._need = 5
        return at

    def _blocks(self, data: memoryview, at: int, length: int, now: float) -> int:
        """A block that was not predicted begins at `at`, perhaps with more after it; the number of bytes used."""
        scattered = self._landing.scattered()
        if scattered:
            stop = self._gather(scattered, data, at, now)
            if stop > at:
                return stop
        piece, begin = _two_at(data, at + 5)
        first = next(iter(self._landing.expected()), None)
        run = self._landing.upcoming(piece, begin, length)
        if run is not None:
            self._ahead = self._ahead * 2 + 1 if run is first else 0
            return self._follow(run, data, at, now)
        place = self._landing.place(piece, begin, length)
        at += HEAD
        have = min(length, len(data) - at)
        place[:have] = data[at : at + have]
        self._place, self._filled = place, have
        if have == length:
            self._finish_place(now)
        return at + have

    def _gather(self, scattered: dict[Head, memoryview], data: memoryview, at: int, now: float) -> int:
        """Copy whole blocks that were looked for into place; where the first other message begins."""
        end = len(data)
        heads: list[Head] = []
        while end - at >= HEAD:
            head = head_at(data, at)
            body = scattered.get(head)
            if body is None:
                break
            stop = at + 4 + head[0]
            if stop > end:
                break
            body[:] = data[at + HEAD : stop]
            del scattered[head]
            heads.append(head)
            at = stop
        if heads:
            self._landing.landed_scattered(heads, now)
        return at

    def _follow(self, run: Run, data: memoryview, at: int, now: float) -> int:
        """Copy the next block of `run`, and those that follow it, into place; the number of bytes of `data` used."""
        end, done, number = len(data), run.done, run.done
        while (
            number < run.count
            and end - at >= HEAD
            and data[at : at + HEAD] == run.heads[number * HEAD : (number + 1) * HEAD]
        ):
            body = run.bodies[number]
            have = min(len(body), end - at - HEAD)
            body[:have] = data[at + HEAD : at + HEAD + have]
            at += HEAD + have
            if have < len(body):
                self._rest = HEAD + have
                break
            number += 1
        if number > done:
            self._landing.landed_run(run, number - done, now)
        return at
