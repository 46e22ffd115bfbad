"""What one peer owes us: runs of blocks in the order we asked, and how many to ask ahead.

It is the `Landing` of the peer's wire. Blocks asked of this peer alone are offered for writing in place; as soon
as a block is asked of two (endgame), both write aside and copy, so that nobody can overwrite what is here. A peer
that mixes up the blocks of a run (libtorrent reads each with any of its threads) is no longer held to an order: its
blocks are looked up one by one.
HOT: bench/calls_per_block
"""

from collections import deque
from collections.abc import Iterable

from bittern.base.errors import Offence, RemoteProtocolError
from bittern.base.geometry import BLOCK
from bittern.wire.blocks import HEAD, Head, Run, head_of

from .assembly import Assembly

_DEPTH_FIRST = 16
_DEPTH_SMALL = 4
_DEPTH_LEAST = 2
_AHEAD_SECONDS = 1.5
_TRIAL_PIECES = 2
_WHOLE_SECONDS = 5.0
_PATIENCE_LEAST = 10.0
_NEVER = -1.0
_FORGIVEN = 4096
_SUGGESTED = 16
_ALLOWED = 64
_STRAYS = 32
_STRAY_SHARE = 8  # more than one block in so many out of turn: no order


class Pipeline:
    """The outstanding requests of one peer.

    Args:
        number: the peer's number in the torrent.
        assembly: where blocks land.
        most: blocks to ask ahead at most.
        unit: blocks of a piece: at first no more is asked of a peer than one, so that who serves a crowd over a slow
            line is not asked for a part of everything at once. Not less than four, and not more than sixteen.
    """

    __slots__ = (
        "_arriving", "_asked_at", "_assembly", "_depth", "_first", "_forgiven", "_in_place", "_mine", "_most",
        "_orderly", "_probe_at", "_probe_due", "_response", "_spread", "_steady", "_strays", "allowed", "arrived",
        "busy_since", "delay", "followed", "heard_at", "helped", "last_piece", "loose", "most_bitfield", "number",
        "outstanding", "paroled", "proven", "rate", "runs", "shared", "snubbed", "suggested", "swift", "wasted",
    )  # fmt: skip

    def __init__(self, number: int, assembly: Assembly, most: int, unit: int = _DEPTH_FIRST) -> None:
        self.number = number
        """The peer's number in the torrent."""
        self.paroled = False
        """Whether it was there when a piece failed, and has brought none alone since that was good."""
        self.proven = False
        """Whether it had a part in a piece that was good."""
        self.helped: dict[int, None] = {}
        """Until then: the pieces that it was asked for together with others, or may have been."""
        self.most_bitfield = (assembly.piece_count + 7) // 8
        """Bytes of the torrent's bitfield."""
        self._assembly = assembly
        self._most = most
        self._first = max(_DEPTH_SMALL, min(unit, _DEPTH_FIRST))
        self._depth = min(self._first, most)
        self._steady = False
        self._arriving: tuple[int, int] | None = None
        self._in_place = False  # whether the arriving block is written where it belongs
        self._mine = False  # whether it is marked as asked on our account
        self._forgiven: dict[tuple[int, int], int] = {}  # copies that may still come of requests taken back
        self.allowed: dict[int, None] = {}
        """Pieces that it gives also while it chokes us (BEP 6 allowed fast)."""
        self.suggested: deque[int] = deque(maxlen=_SUGGESTED)
        """Pieces that the peer would have us ask for (BEP 6), oldest first."""
        self.followed = -1
        """The last of them that was asked for."""
        self.last_piece = -1
        """The piece that was asked for last."""
        self.runs: deque[Run] = deque()
        """What is outstanding of a peer that keeps our order."""
        self.loose: dict[Head, memoryview] = {}
        """What is outstanding of a peer that keeps none."""
        self._orderly = True
        self._strays = 0  # blocks that were not the next of any run
        self.outstanding = 0
        """Blocks asked and not here, the arriving one left out."""
        self.arrived = 0
        """Bytes of blocks that came, ever."""
        self.wasted = 0
        """Bytes of them that were here already."""
        self.shared: dict[tuple[int, int], None] = {}
        """Blocks that are asked of another peer too."""
        self.busy_since = 0.0
        """When it was asked for something after it had owed nothing."""
        self.heard_at = 0.0
        """When the last block came, or the first was asked."""
        self.rate = 0.0
        """Bytes per second that it sends, as measured last."""
        self.delay = 0.0
        """Seconds from the first request of an idle peer to its first block, smoothed."""
        self.swift = False
        """Whether it brings whole pieces fast enough to have its own."""
        self._asked_at = _NEVER  # when it was idle and was asked
        self._probe_at = 0.0  # when something was asked whose answer is timed
        self._probe_due = 0  # the answer is here when so many bytes have come; 0 while nothing is timed
        self._response = 0.0  # seconds from a request to its block, smoothed (RFC 6298)
        self._spread = 0.0
        self.snubbed = False
        """Whether it owed blocks and was silent for too long."""

    # --- the Landing side: called by the decoder

    def expected(self) -> Iterable[Run]:
        """Runs that may be written in place; see Landing."""
        return () if self.shared else self.runs

    def scattered(self) -> dict[Head, memoryview]:
        """Blocks that may come in any order; see Landing."""
        return {} if self.shared else self.loose

    def landed_scattered(self, heads: list[Head], now: float) -> None:
        """Whole blocks of `scattered` lie in place; see Landing."""
        count = len(heads)
        self._assembly.landed_each(heads, self.number)
        self.outstanding -= count
        self.arrived += sum(head[0] for head in heads) - count * (HEAD - 4)
        self._heard(count, now)

    def landed_run(self, run: Run, count: int, now: float) -> None:
        """Blocks lie in place; see Landing."""
        first = run.first + run.done
        self._assembly.landed(run.piece, first, count, self.number)
        run.done += count
        self.outstanding -= count
        self.arrived += count * BLOCK
        if run.done == run.count:
            self.arrived -= BLOCK - len(run.bodies[-1])
            self.runs.popleft()
        self._heard(count, now)

    def upcoming(self, piece: int, begin: int, length: int) -> Run | None:
        """The run that goes on out of turn; see Landing."""
        block, odd = divmod(begin, BLOCK)
        if odd or self.shared:
            return None
        for at, run in enumerate(self.runs):
            if run.piece == piece and block in run.blocks:
                if len(run.bodies[block - run.first]) != length:
                    return None
                if block == run.first + run.done:
                    return self._bring_forward(at)
                self._strays += 1
                if self._strays > _STRAYS and self._strays > self.arrived // BLOCK // _STRAY_SHARE:
                    self._expect_no_order()
                    return None
                self._split(at, block)
                return self._bring_forward(at + 1)
        return None

    def place(self, piece: int, begin: int, length: int) -> memoryview:
        """Where the arriving block goes; see Landing."""
        block, odd = divmod(begin, BLOCK)
        key = (piece, block)
        if odd or length > BLOCK:
            raise RemoteProtocolError(Offence.UNASKED_BLOCK, f"{piece}:{begin}+{length}")
        body = self._take(piece, block)
        if body is None:
            # Withdrawn or given up, but on its way all the same: welcome if nobody else is asked for it.
            if not self._pardon(piece, block):
                raise RemoteProtocolError(Offence.UNASKED_BLOCK, f"{piece}:{begin}+{length}")
        else:
            self.outstanding -= 1
        self._arriving = key
        self._mine = body is not None
        self._in_place = body is not None and key not in self.shared
        if body is not None and len(body) != length:
            raise RemoteProtocolError(Offence.WRONG_BLOCK_LENGTH, f"{piece}:{begin}+{length}")
        return body if body is not None and self._in_place else memoryview(bytearray(length))

    def landed(self, data: memoryview, now: float) -> None:
        """The placed block is here; see Landing."""
        assert self._arriving is not None
        (piece, block), self._arriving = self._arriving, None
        self.arrived += len(data)
        self._heard(1, now)
        if not self._mine and not self._assembly.adopt(piece, block):
            self.wasted += len(data)
            return
        if not self._in_place:
            target = self._assembly.place(piece, block)
            if len(target) != len(data):
                self._assembly.let_go(piece, block, self)
                raise RemoteProtocolError(Offence.WRONG_BLOCK_LENGTH, f"{piece}:{block * BLOCK}+{len(data)}")
            target[:] = data
        self._assembly.races.won(piece, block, self)
        self._assembly.landed(piece, block, 1, self.number)

    def diverted(self) -> None:
        """The arriving block is written aside from now on; see Landing."""
        self._in_place = False

    # --- the torrent's side

    @property
    def room(self) -> int:
        """Blocks to ask for now: 0 until a good part of the pipeline is free, so that requests go in batches."""
        room = self._depth - self.outstanding
        return room if room * 4 >= self._depth or not self.outstanding else 0

    @property
    def alone(self) -> bool:
        """Whether it is asked for pieces that nobody else is asked for.

        That is so on parole. And who has proven nothing yet may spoil two pieces that others bring, not more.
        """
        return self.paroled or (not self.proven and not self.snubbed and len(self.helped) >= _TRIAL_PIECES)

    @property
    def arriving(self) -> tuple[int, int] | None:
        """The (piece, block) that was asked and is here in part."""
        return self._arriving if self._mine else None

    @property
    def waiting(self) -> bool:
        """Whether something that was asked has not come whole: also when half a block was the last that came."""
        return self.outstanding > 0 or self.arriving is not None

    def asked(self, run: Run, now: float) -> None:
        """`run` was asked of this peer."""
        if not self.outstanding:
            self.heard_at = self._asked_at = self.busy_since = now
        self.last_piece = run.piece
        if not self.proven and self._assembly.owner(run.piece) is None:
            self.helped[run.piece] = None
        self.outstanding += run.count
        if not self._probe_due:
            self._probe_at, self._probe_due = now, self.arrived + (self.outstanding - 1) * BLOCK + 1
        if self._orderly:
            self.runs.append(run)
        else:
            self._loosen(run)

    def steer(self, bytes_per_second: float) -> None:
        """Fit the depth to what is measured, rate times delay and a margin; called about once a second."""
        self.rate = bytes_per_second
        if bytes_per_second * _WHOLE_SECONDS >= self._assembly.piece_size:
            self.swift = True
        else:
            self.share_out()
        wanted = int(bytes_per_second * (_AHEAD_SECONDS + self.delay) / BLOCK) + _DEPTH_LEAST
        if wanted < self._depth:
            self._steady = True
        if self._steady:
            self._depth = max(_DEPTH_LEAST, min(wanted, self._most))

    def share_out(self) -> None:
        """What it began and was to finish alone may be asked of all."""
        if self.swift:
            self.swift = False
            self._assembly.share_out(self.number)

    def patience(self, most: float) -> float:
        """Seconds of silence after which it is snubbed: by how long its answers take, at most `most`."""
        if not self._response:
            return most
        return min(most, max(_PATIENCE_LEAST, self._response + 4 * self._spread))

    def limit(self, most: int) -> None:
        """The peer takes at most `most` requests ahead (`reqq` of BEP 10)."""
        self._most = max(1, min(self._most, most))
        self._depth = min(self._depth, self._most)

    def blocks_owed(self) -> list[tuple[int, int, int]]:
        """(piece, block, length) of all that is outstanding, the arriving one left out."""
        owed = [(run.piece, block, len(run.bodies[block - run.first])) for run in self.runs for block in run.blocks]
        return owed + [(piece, begin // BLOCK, len(body)) for (_, _, piece, begin), body in self.loose.items()]

    def withdraw(self, piece: int, block: int) -> bool:
        """Wait no more for a shared block that came from another peer; False when it was not outstanding."""
        if self._arriving == (piece, block) and self._mine:
            self._mine = False
            return False
        # What arrives may also be an old copy of a block that was given up and then asked of this peer anew.
        if self._take(piece, block) is None:
            return False
        self.outstanding -= 1
        self._forgive(piece, block)
        return True

    def allow(self, piece: int) -> None:
        """It gives `piece` also while it chokes us (BEP 6)."""
        if len(self.allowed) < _ALLOWED:
            self.allowed[piece] = None

    def rejected(self, piece: int, block: int) -> bool:
        """The peer will not send a block (BEP 6); False when it was never asked."""
        self.share_out()  # it has other things to do
        self.allowed.pop(piece, None)  # or it would be asked again at once, and for ever
        if self._take(piece, block) is None:
            return self._pardon(piece, block)
        self.outstanding -= 1
        self._assembly.let_go(piece, block, self)
        return True

    def give_up(self, *, forgive: bool) -> None:
        """Wait for nothing more (choke, snub, loss). Call `divert` on the wire before.

        With `forgive`, what comes late all the same is welcome.
        """
        if self._arriving is not None and self._mine:
            self._mine = False
            self._assembly.let_go(*self._arriving, self)
        for piece, block, _ in self.blocks_owed():
            if forgive:
                self._forgive(piece, block)
            self._assembly.let_go(piece, block, self)
        self.runs.clear()
        self.loose.clear()
        self.outstanding = self._probe_due = 0
        self._asked_at = _NEVER
        self._assembly.disown(self.number)
        self.share_out()
        self._depth = min(self._depth, self._first)

    def _heard(self, count: int, now: float) -> None:
        """`count` blocks came."""
        self.heard_at = now
        self.snubbed = False
        if self._asked_at != _NEVER:
            sample = now - self._asked_at
            self.delay += (sample - self.delay) / (4 if self.delay else 1)
            self._asked_at = _NEVER
        if self._probe_due and self.arrived >= self._probe_due:
            sample = now - self._probe_at
            if self._response:
                self._spread += (abs(sample - self._response) - self._spread) / 4
                self._response += (sample - self._response) / 8
            else:
                self._response, self._spread = sample, sample / 2
            self._probe_due = 0
        if not self._steady:
            self._depth = min(self._depth + count, self._most)

    def _forgive(self, piece: int, block: int) -> None:
        # Counted: a peer that stalls is asked for the same block again, and in the end answers each time.
        self._forgiven[piece, block] = self._forgiven.get((piece, block), 0) + 1
        if len(self._forgiven) > _FORGIVEN:
            del self._forgiven[next(iter(self._forgiven))]

    def _pardon(self, piece: int, block: int) -> bool:
        """Whether an answer comes to a request that was taken back; it may come once for each of them."""
        copies = self._forgiven.pop((piece, block), 0)
        if copies > 1:
            self._forgiven[piece, block] = copies - 1
        return copies > 0

    def _bring_forward(self, at: int) -> Run:
        """Expect a run before all else: who answers out of turn goes on there."""
        run = self.runs[at]
        if at:
            del self.runs[at]
            self.runs.appendleft(run)
        return run

    def _split(self, at: int, block: int) -> None:
        """Cut a run in two, of which the second begins with `block`."""
        run = self.runs[at]
        blocks = run.blocks
        self.runs[at] = run.part(blocks.start, block)
        self.runs.insert(at + 1, run.part(block, blocks.stop))

    def _expect_no_order(self) -> None:
        """The peer mixes up the blocks of a run: to look each up is cheaper than to guess and to cut runs."""
        self._orderly = False
        for run in self.runs:
            self._loosen(run)
        self.runs.clear()

    def _loosen(self, run: Run) -> None:
        piece, first = run.piece, run.first
        for block in run.blocks:
            body = run.bodies[block - first]
            self.loose[head_of(piece, block * BLOCK, len(body))] = body

    def _take(self, piece: int, block: int) -> memoryview | None:
        """Take a block out of what is outstanding; its place, or None when it is not."""
        if self.loose:
            return self.loose.pop(head_of(piece, block * BLOCK, self._assembly.length(piece, block)), None)
        for at, run in enumerate(self.runs):
            if run.piece == piece and block in run.blocks:
                blocks = run.blocks
                del self.runs[at]
                for start, stop in ((block + 1, blocks.stop), (blocks.start, block)):
                    if start < stop:
                        self.runs.insert(at, run.part(start, stop))
                return run.bodies[block - run.first]
        return None
