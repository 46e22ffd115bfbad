"""What a peer says, message by message, and who is told of it; of many requests at once. HOT: bench/calls_per_block."""

from struct import Struct
from typing import Any, Protocol

from bittern.base.errors import Offence, RemoteProtocolError
from bittern.base.geometry import BLOCK

from .blocks import REQUEST, block_requests
from .hashes import HASH_REJECT, HASH_REQUEST, HASHES, RANGE_BODY, HashRange, parse_hashes
from .messages import (
    ALLOWED_FAST,
    BITFIELD,
    CANCEL,
    CHOKE,
    EXTENDED,
    FIXED_BODY,
    HAVE,
    HAVE_ALL,
    HAVE_NONE,
    INTERESTED,
    NOT_INTERESTED,
    PORT,
    REJECT,
    SUGGEST,
    UNCHOKE,
)
from .messages import REQUEST as REQUEST_ID
from .stream import LinkLost

_MOST = 64  # neighbours that are guessed at once

_length_at = Struct(">I").unpack_from
_three_at = Struct(">III").unpack_from
_FAR = (1 << 32) - _MOST * BLOCK  # where the begin of a neighbour might not fit its four bytes
_REQUEST_HEAD = b"\0\0\0\x0d" + bytes((REQUEST_ID,))


class PeerSink(Protocol):
    """Who is told of a peer's messages and of its end. `peer` is what was handed to the wire.

    Requests come as runs (piece, begin, length, count): `count` requests for neighbouring whole blocks, or
    one request for anything.
    """

    def on_lost(self, peer: Any, reason: LinkLost | RemoteProtocolError, now: float) -> None: ...
    def on_choke(self, peer: Any, now: float) -> None: ...
    def on_unchoke(self, peer: Any, now: float) -> None: ...
    def on_interested(self, peer: Any, now: float) -> None: ...
    def on_not_interested(self, peer: Any, now: float) -> None: ...
    def on_have(self, peer: Any, piece: int, now: float) -> None: ...
    def on_bitfield(self, peer: Any, payload: bytes, now: float) -> None: ...
    def on_have_all(self, peer: Any, now: float) -> None: ...
    def on_have_none(self, peer: Any, now: float) -> None: ...
    def on_requests(self, peer: Any, runs: list[tuple[int, int, int, int]], now: float) -> None: ...
    def on_cancel(self, peer: Any, piece: int, begin: int, length: int, now: float) -> None: ...
    def on_reject(self, peer: Any, piece: int, begin: int, length: int, now: float) -> None: ...
    def on_suggest(self, peer: Any, piece: int, now: float) -> None: ...
    def on_allowed_fast(self, peer: Any, piece: int, now: float) -> None: ...
    def on_port(self, peer: Any, port: int, now: float) -> None: ...
    def on_extended(self, peer: Any, ext_id: int, payload: bytes, now: float) -> None: ...
    def on_hash_request(self, peer: Any, span: HashRange, now: float) -> None: ...
    def on_hashes(self, peer: Any, span: HashRange, hashes: bytes, now: float) -> None: ...
    def on_hash_reject(self, peer: Any, span: HashRange, now: float) -> None: ...


def request_runs(data: memoryview, at: int) -> tuple[list[tuple[int, int, int, int]], int]:
    """The requests that begin at `at`, as runs (see PeerSink), and where the first other message begins.

    They come in droves, mostly for neighbouring blocks.
    """
    runs: list[tuple[int, int, int, int]] = []
    end = len(data)
    guess = _MOST
    while data[at : at + 5] == _REQUEST_HEAD and end - at >= REQUEST:
        piece, begin, length = _three_at(data, at + 5)
        count = 1
        if length == BLOCK and not begin % BLOCK and begin < _FAR:
            # Guess that as many neighbours follow as there are bytes for, or twice as many as last time; half of them
            # if not, and so on. Who asks for single blocks from all over is soon guessed at once for each.
            count = min((end - at) // REQUEST, guess)
            while count > 1 and bytes(data[at : at + count * REQUEST]) != block_requests(piece, begin // BLOCK, count):
                count //= 2
            length = count * BLOCK
            guess = min(2 * count, _MOST)
        runs.append((piece, begin, length, count))
        at += count * REQUEST
    return runs, at


def tell(sink: PeerSink, peer: object, kind: int, payload: memoryview, now: float) -> None:
    """Tell `sink` of a whole message that is neither a block nor a common request.

    Args:
        sink: who is told.
        peer: who sent it.
        kind: the number of the message.
        payload: what follows that.
        now: the time.

    Raises:
        RemoteProtocolError: it is not what it should be, or `sink` says so.
    """
    if kind in FIXED_BODY and len(payload) + 1 != FIXED_BODY[kind]:
        raise RemoteProtocolError(Offence.BAD_MESSAGE_LENGTH, f"message {kind} of {len(payload) + 1} bytes")
    if kind == HAVE:
        sink.on_have(peer, _length_at(payload)[0], now)
    elif kind == CHOKE:
        sink.on_choke(peer, now)
    elif kind == UNCHOKE:
        sink.on_unchoke(peer, now)
    elif kind == INTERESTED:
        sink.on_interested(peer, now)
    elif kind == NOT_INTERESTED:
        sink.on_not_interested(peer, now)
    elif kind == BITFIELD:
        sink.on_bitfield(peer, bytes(payload), now)
    elif kind == CANCEL:
        piece, begin, length = _three_at(payload)
        sink.on_cancel(peer, piece, begin, length, now)
    elif kind == REJECT:
        piece, begin, length = _three_at(payload)
        sink.on_reject(peer, piece, begin, length, now)
    elif kind == HAVE_ALL:
        sink.on_have_all(peer, now)
    elif kind == HAVE_NONE:
        sink.on_have_none(peer, now)
    elif kind == SUGGEST:
        sink.on_suggest(peer, _length_at(payload)[0], now)
    elif kind == ALLOWED_FAST:
        sink.on_allowed_fast(peer, _length_at(payload)[0], now)
    elif kind == PORT:
        sink.on_port(peer, payload[0] << 8 | payload[1], now)
    elif kind == EXTENDED:
        if not payload:
            raise RemoteProtocolError(Offence.BAD_MESSAGE_LENGTH, "an extended message without a number")
        sink.on_extended(peer, payload[0], bytes(payload[1:]), now)
    elif kind == HASH_REQUEST:
        sink.on_hash_request(peer, HashRange.parse(payload), now)
    elif kind == HASHES:
        if len(payload) + 1 < RANGE_BODY:
            raise RemoteProtocolError(Offence.BAD_MESSAGE_LENGTH, f"hashes in {len(payload)} bytes")
        message = parse_hashes(payload)
        sink.on_hashes(peer, message.span, bytes(message.hashes), now)
    elif kind == HASH_REJECT:
        sink.on_hash_reject(peer, HashRange.parse(payload), now)
    # Anything else is from a future protocol: skipped, as BEP 4 wants numbers to be assigned freely.
