"""One connection of the peer wire as a Stream: handshake, then messages, in both directions (BEP 3, 6, 10).

It knows the protocol's form and nothing of swarms: what comes is told to a `PeerSink`, where blocks land is
asked of a `Landing`, what to say is decided above.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from enum import Enum, unique
from itertools import islice
from typing import Any, Protocol

from bittern.base.errors import Offence, RemoteProtocolError
from bittern.base.ids import InfoHashV1

from .blocks import Run
from .decoder import Decoder, Scratch
from .handshake import HANDSHAKE_SIZE, Handshake, check_start
from .hashes import Hashes, HashRange, HashReject, HashRequest
from .landing import Landing, NothingLands
from .messages import (
    AllowedFast,
    BitfieldMessage,
    Cancel,
    Choke,
    Extended,
    Have,
    HaveAll,
    HaveNone,
    Interested,
    KeepAlive,
    NotInterested,
    Port,
    Reject,
    Suggest,
    Unchoke,
)
from .mse.slab import SIZE
from .outbox import Outbox
from .sink import PeerSink
from .stream import Buffer, Link, LinkLost, LossKind

HANDSHAKE_SECONDS = 10.0
KEEP_ALIVE_SECONDS = 110.0  # BEP 3: two minutes; we are a little early
SILENCE_SECONDS = 150.0
MOST_UNSENT = 4 << 20
"""Bytes of ours that wait for a remote to read them, beyond which its next words end the connection: it makes us
answer and does not listen."""

HAVES_AT_ONCE = 4096
"""Late words on so many pieces (36 KiB) are queued together, and the next when some of what is queued has gone."""
HAVES_AHEAD = MOST_UNSENT // 2
"""Behind so many unsent bytes no more of them are queued: what else is said finds room."""

_CHOKE, _UNCHOKE = Choke().encode(), Unchoke().encode()
_INTERESTED, _NOT_INTERESTED = Interested().encode(), NotInterested().encode()
_KEEP_ALIVE = KeepAlive().encode()
_HAVE = Have(0).encode()[:5]


@unique
class WireState(Enum):
    """Life of a connection."""

    HANDSHAKE = "handshake"
    OPEN = "open"
    CLOSED = "closed"


class Greeter(Protocol):
    """Decides about a connection when its handshake is there, and hears of its end."""

    def on_handshake(self, wire: "PeerWire", handshake: Handshake, now: float) -> None:
        """The remote's handshake is complete and matches what we asked for: call `wire.land`, or `wire.close`.

        Or `wire.pause`, and one of these later, with `wire.catch_up` after `land`.
        """
        ...

    def on_wire_lost(self, wire: "PeerWire", reason: LinkLost | RemoteProtocolError, now: float) -> None:
        """The connection ended before it was handed over (`land`); the wire is closed already."""
        ...


class PeerWire:
    """A connection to a remote client.

    Args:
        link: the transport.
        scratch: buffers shared by all wires of the loop.
        greeter: decides about the connection.
        now: when the link was opened.
        expected: the info hashes that the remote may answer with; none where it speaks first.
    """

    __slots__ = (
        "_decoder", "_greeter", "_handshake", "_haves", "_heard_at", "_link", "_on_turn", "_opened_at", "_outbox",
        "_paused", "_peer", "_scratch", "_sink", "_spoke_at", "_taken_before", "encrypted", "expected", "heard", "key",
        "state",
    )  # fmt: skip

    def __init__(
        self, link: Link, scratch: Scratch, greeter: Greeter, now: float, expected: Collection[InfoHashV1] = ()
    ) -> None:
        self._link = link
        self._scratch = scratch
        self._greeter = greeter
        self._outbox = Outbox()
        self._handshake = bytearray()
        self._decoder: Decoder | None = None
        self._sink: PeerSink | None = None
        self._peer: Any = None
        self._on_turn: Callable[[Any], None] | None = None
        self._paused = False
        self._opened_at = self._heard_at = self._spoke_at = now
        self._haves: deque[Iterator[int]] = deque()  # that are still to be told
        self._taken_before = -1  # what had been sent when the last keep-alive was queued
        self.state = WireState.HANDSHAKE
        self.encrypted = False
        """Whether every byte of the link is (see mse.stream): then what comes is wanted in one buffer."""
        self.expected = expected
        self.heard = False
        """Whether the other side has said anything: else it may not understand how we began."""
        self.key = 0
        """A number for the greeter's own use."""

    # --- the Stream side: called by the link

    def receive_buffers(self) -> Sequence[memoryview]:
        """Where the next bytes should land; see Stream."""
        if self._paused:
            return ()
        if self._decoder is not None:
            return self._decoder.buffers()
        return (self._scratch.tail,)  # what comes behind a handshake may have to be kept until somebody is there for it

    def received(self, count: int, now: float) -> None:
        """Bytes came; see Stream."""
        self._heard_at = now
        try:
            if self._decoder is not None:
                self._decoder.received(count, now)
            elif self.state is WireState.HANDSHAKE:
                self._greet(self._scratch.tail[:count], now)
        except RemoteProtocolError as error:
            self._end(error, now)
            return
        if self._outbox.queued > MOST_UNSENT:
            self._end(RemoteProtocolError(Offence.REQUEST_FLOOD, "and does not read the answers"), now)
        elif self._on_turn is not None:
            self._on_turn(self._peer)

    def send_buffers(self, limit: int) -> Sequence[Buffer]:
        """What to send next; see Stream."""
        return self._outbox.buffers(limit)

    def sent(self, count: int, now: float) -> None:
        """Bytes went; see Stream."""
        self._spoke_at = now
        if self._outbox.sent(count) and self._on_turn is not None:
            self._on_turn(self._peer)  # blocks have gone: there is room for more
        if self._haves:
            self._say_haves()

    def lost(self, reason: LinkLost, now: float) -> None:
        """The link is gone; see Stream."""
        if self.state is WireState.HANDSHAKE and reason.kind is LossKind.CLOSED and self._handshake:
            detail = f"{len(self._handshake)} bytes came, a handshake has {HANDSHAKE_SIZE}"
            self._end(RemoteProtocolError(Offence.SHORT_HANDSHAKE, detail), now)
        else:
            self._end(reason, now)

    # --- the owner's side

    @property
    def link(self) -> Link:
        """The transport."""
        return self._link

    @property
    def unsent(self) -> int:
        """Bytes queued and not yet sent."""
        return self._outbox.queued

    @property
    def unsent_words(self) -> int:
        """Bytes of messages other than blocks that are queued: what a peer that does not read makes us keep."""
        return max(0, self._outbox.queued - self._outbox.blocks)

    @property
    def sent_bytes(self) -> int:
        """Bytes ever sent."""
        return self._outbox.taken

    def land(self, sink: PeerSink, peer: object, landing: Landing, on_turn: Callable[[Any], None]) -> None:
        """From now on messages go to `sink`, with `peer`; `on_turn(peer)` after each batch in or out."""
        self._sink = sink
        self._peer = peer
        self._on_turn = on_turn
        self.state = WireState.OPEN
        if self._decoder is None:
            self._decoder = Decoder(self._scratch, sink, peer, landing, in_one=self.encrypted)
        else:
            self._decoder.land(landing)

    def land_nowhere(self, sink: PeerSink, peer: object, on_turn: Callable[[Any], None]) -> None:
        """As `land`, for a link that asks for no blocks."""
        self.land(sink, peer, NothingLands(), on_turn)

    def close(self) -> None:
        """End the connection for a reason of our own; the greeter is not called."""
        if self.state is not WireState.CLOSED:
            self.state = WireState.CLOSED
            if self._decoder is not None:
                self._decoder.stop()
                self._decoder = None
            self._on_turn = None
            self._haves.clear()
            self._link.close()
            self._outbox.clear()

    def fail(self, error: RemoteProtocolError, now: float) -> None:
        """End the connection: a layer below was not spoken as it should be."""
        self._end(error, now)

    def pause(self) -> None:
        """Read no more for now."""
        self._paused = True

    def resume(self) -> None:
        """Read on."""
        if self._paused:
            self._paused = False
            self._link.wake_receiver()

    def catch_up(self, now: float) -> None:
        """After `pause` at the handshake and `land`: take in what came behind the handshake, and read on."""
        rest = bytes(self._handshake)
        self._handshake.clear()
        try:
            if rest and self._decoder is not None:
                self._decoder.feed(memoryview(rest), now)
        except RemoteProtocolError as error:
            self._end(error, now)
            return
        self.resume()

    def divert(self) -> None:
        """The block that is arriving may no longer be written in place (see Decoder.divert)."""
        if self._decoder is not None:
            self._decoder.divert()

    def next_due(self) -> float:
        """When `keep_up` wants to be called next."""
        if self.state is WireState.HANDSHAKE:
            return self._opened_at + HANDSHAKE_SECONDS
        return min(self._heard_at + SILENCE_SECONDS, self._spoke_at + KEEP_ALIVE_SECONDS)

    def keep_up(self, now: float) -> None:
        """Send a keep-alive when it is due; end a connection that is silent, or takes nothing, for too long."""
        if self.state is WireState.CLOSED:
            return
        if self._paused:
            self._heard_at = now  # it was not listened to
        limit = HANDSHAKE_SECONDS if self.state is WireState.HANDSHAKE else SILENCE_SECONDS
        since = self._opened_at if self.state is WireState.HANDSHAKE else self._heard_at
        if now >= since + limit:  # the sum, as in `next_due`: a difference rounds otherwise
            self._end(LinkLost(LossKind.TIMED_OUT, f"nothing came for {limit:.0f} s"), now)
        elif self.state is WireState.OPEN and now >= self._spoke_at + KEEP_ALIVE_SECONDS:
            if self._outbox.taken == self._taken_before:  # not even the last keep-alive
                self._end(LinkLost(LossKind.TIMED_OUT, f"it took nothing for {KEEP_ALIVE_SECONDS:.0f} s"), now)
                return
            self._taken_before = self._outbox.taken
            self._spoke_at = now
            self._say(_KEEP_ALIVE)

    # --- messages

    def send_handshake(self, handshake: Handshake) -> None:
        """Our handshake; once, before anything else."""
        self._say(handshake.encode())

    def send_keep_alive(self) -> None:
        """Say nothing, now rather than when it is due."""
        self._say(_KEEP_ALIVE)

    def send_choke(self) -> None:
        """Tell the peer that its requests will not be served."""
        self._say(_CHOKE)

    def send_unchoke(self) -> None:
        """Tell the peer that it may ask."""
        self._say(_UNCHOKE)

    def send_interest(self, *, interested: bool) -> None:
        """Tell the peer whether it has something for us."""
        self._say(_INTERESTED if interested else _NOT_INTERESTED)

    def send_have(self, piece: int) -> None:
        """Tell of a piece that we have now."""
        self._say(Have(piece).encode())

    def send_haves(self, pieces: Iterable[int]) -> None:
        """Tell of many pieces that we have now, late: a bitfield may only be the first word (BEP 3).

        They are many bytes: the first go now, the others by and by as the remote takes what was said.

        Args:
            pieces: looked at when their turn comes.
        """
        if self.state is not WireState.CLOSED:
            self._haves.append(iter(pieces))
            if len(self._haves) == 1:
                self._say_haves()

    def _say_haves(self) -> None:
        while self._haves and self._outbox.queued <= HAVES_AHEAD:
            batch = list(islice(self._haves[0], HAVES_AT_ONCE))
            if batch:
                self._say(b"".join([_HAVE + piece.to_bytes(4) for piece in batch]))
            if len(batch) == HAVES_AT_ONCE:
                break  # the others, when some of it has gone
            self._haves.popleft()

    def send_bitfield(self, bits: bytes) -> None:
        """Tell which pieces we have."""
        self._say(BitfieldMessage(bits).encode())

    def send_have_all(self) -> None:
        """Tell that we have everything (BEP 6)."""
        self._say(HaveAll().encode())

    def send_have_none(self) -> None:
        """Tell that we have nothing (BEP 6)."""
        self._say(HaveNone().encode())

    def send_requests(self, run: Run) -> None:
        """Ask for the blocks of `run`."""
        self._say(run.requests())

    def send_cancel(self, piece: int, begin: int, length: int) -> None:
        """A block asked for is no longer needed."""
        self._say(Cancel(piece, begin, length).encode())

    def send_reject(self, piece: int, begin: int, length: int) -> None:
        """A block asked of us will not be sent (BEP 6)."""
        self._say(Reject(piece, begin, length).encode())

    def send_allowed_fast(self, piece: int) -> None:
        """Tell of a piece that may be asked for while choked (BEP 6)."""
        self._say(AllowedFast(piece).encode())

    def send_suggest(self, piece: int) -> None:
        """A piece that the peer does well to ask for next (BEP 6)."""
        self._say(Suggest(piece).encode())

    def send_port(self, port: int) -> None:
        """Tell where our node of the distributed hash table is (BEP 5)."""
        self._say(Port(port).encode())

    def send_extended(self, ext_id: int, payload: bytes) -> None:
        """An extension message under the number that the remote gave it (BEP 10)."""
        self._say(Extended(ext_id, payload).encode())

    def send_hash_request(self, span: HashRange) -> None:
        """Ask for a row of hashes (BEP 52)."""
        self._say(HashRequest(span).encode())

    def send_hashes(self, span: HashRange, hashes: bytes) -> None:
        """Give a row of hashes and its proof (BEP 52)."""
        self._say(Hashes(span, hashes).encode())

    def send_hash_reject(self, span: HashRange) -> None:
        """Refuse a row of hashes (BEP 52)."""
        self._say(HashReject(span).encode())

    def send_blocks(self, heads: bytes, bodies: Sequence[memoryview], length: int, release: Callable[[], None]) -> None:
        """Answer requests: `length` bytes of blocks in `bodies`; `release` is called when they have gone."""
        self._outbox.add_run(heads, bodies, length, release)
        self._link.wake_sender()

    def take_back_blocks(self) -> Callable[[], None] | None:
        """Send the last of `send_blocks` not at all: its `release`; None where something of it may have gone already.

        It is left to the caller to call it, or not.
        """
        return self._outbox.take_back(SIZE if self.encrypted else 0)  # so much may be enciphered already

    def _say(self, message: bytes) -> None:
        if self.state is not WireState.CLOSED:
            self._outbox.add(message)
            self._link.wake_sender()

    def _greet(self, data: memoryview, now: float) -> None:
        """Collect the remote's 68 bytes; refuse at the first that is wrong."""
        self.heard = True
        self._handshake += data
        check_start(self._handshake, self.expected)
        if len(self._handshake) < HANDSHAKE_SIZE:
            return
        rest = bytes(self._handshake[HANDSHAKE_SIZE:])
        handshake = Handshake.parse(self._handshake, self.expected)
        self._handshake.clear()
        self._greeter.on_handshake(self, handshake, now)
        if rest and self._decoder is not None:
            self._decoder.feed(memoryview(rest), now)
        elif rest and self._paused:
            self._handshake += rest  # until `catch_up`

    def _end(self, reason: LinkLost | RemoteProtocolError, now: float) -> None:
        if self.state is not WireState.CLOSED:
            self.close()
            if self._sink is not None:
                self._sink.on_lost(self._peer, reason, now)
            else:
                self._greeter.on_wire_lost(self, reason, now)
