"""Fetching pieces from one peer: requests in a pipeline, blocks put together, each piece checked."""

from collections import deque
from collections.abc import Callable, Iterator
from hashlib import sha1
from typing import Final

from bittern.base.errors import NetworkError, Offence, RemoteProtocolError
from bittern.base.geometry import BLOCK
from bittern.codec.info import Info
from bittern.wire.messages import Choke, Interested, Piece, Reject, Request, Unchoke

from .link import Link

PIPELINE: Final = 32
"""Requests that are on their way at any time: 512 KiB."""

Keep = Callable[[int, bytes], object]
"""Takes the number and the bytes of a piece whose hash is right."""


class Transfer:
    """The pieces that one peer sends us.

    Args:
        link: to the peer, which knows the number of pieces.
        info: the torrent.
        missing: pieces still wanted; those that came are taken out.
        keep: is given every piece that is right.
    """

    def __init__(self, link: Link, info: Info, missing: dict[int, None], keep: Keep) -> None:
        self._link = link
        self._info = info
        self._missing = missing
        self._keep = keep
        self._to_ask = deque[Request]()
        self._later = self._blocks()
        self._asked: dict[tuple[int, int], Request] = {}
        self._choked_away: dict[tuple[int, int], Request] = {}
        self._buffers: dict[int, bytearray] = {}
        self._bytes_left: dict[int, int] = {}

    def run(self) -> None:
        """Fetch until nothing is missing, or nothing that this peer has.

        Raises:
            NetworkError: the peer closed, or sent nothing of use in time.
            RemoteProtocolError: it sent something impossible, or a piece that fails its hash.
        """
        link = self._link
        if self._missing:
            link.send(Interested())
        deadline = link.deadline()
        while self._missing:
            if not link.peer_choking:
                self._ask()
                if not self._asked:
                    return
            message = link.receive("`unchoke`" if link.peer_choking else "a block", deadline)
            match message:
                case Piece(piece, begin, block):
                    self._on_block(piece, begin, bytes(block))
                    deadline = link.deadline()
                case Unchoke():
                    deadline = link.deadline()
                case Choke():
                    self._on_choke()
                case Reject(piece, begin) if (piece, begin) in self._asked:
                    raise NetworkError(f"refuses to send piece {piece}")
                case _:
                    pass

    def _blocks(self) -> Iterator[Request]:
        """Every block of the missing pieces that the peer has."""
        geometry = self._info.geometry
        for piece in list(self._missing):
            if piece in self._link.pieces:
                for block in range(geometry.block_count(piece)):
                    yield Request(piece, block * BLOCK, geometry.block_length(piece, block))

    def _ask(self) -> None:
        requests: list[Request] = []
        while len(self._asked) < PIPELINE:
            request = self._to_ask.popleft() if self._to_ask else next(self._later, None)
            if request is None:
                break
            self._asked[request.piece, request.begin] = request
            requests.append(request)
        if requests:
            self._link.send(*requests)

    def _on_choke(self) -> None:
        """What is unanswered will stay so (BEP 3), except for blocks that are on their way already."""
        self._choked_away = dict(self._asked)
        self._to_ask.extendleft(reversed(self._asked.values()))
        self._asked.clear()

    def _on_block(self, piece: int, begin: int, block: bytes) -> None:
        request = self._asked.pop((piece, begin), None)
        if request is None:
            request = self._choked_away.pop((piece, begin), None)
            if request is None:
                raise RemoteProtocolError(Offence.UNASKED_BLOCK, f"piece {piece}, begin {begin}")
            if request not in self._to_ask:
                return  # it was asked for again after the choke, and answered
            self._to_ask.remove(request)
        if request.length != len(block):
            raise RemoteProtocolError(Offence.WRONG_BLOCK_LENGTH, f"{len(block)} bytes instead of {request.length}")
        length = self._info.geometry.piece_length(piece)
        buffer = self._buffers.setdefault(piece, bytearray(length))
        buffer[begin : begin + len(block)] = block
        self._bytes_left[piece] = self._bytes_left.get(piece, length) - len(block)
        if not self._bytes_left[piece]:
            self._on_piece(piece, bytes(self._buffers.pop(piece)))

    def _on_piece(self, piece: int, data: bytes) -> None:
        if sha1(data).digest() != self._info.piece_hash(piece):
            raise RemoteProtocolError(Offence.CORRUPT_DATA, f"piece {piece}")
        self._keep(piece, data)
        del self._missing[piece]
