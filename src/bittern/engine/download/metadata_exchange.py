"""The metadata messages of one torrent: asking while we lack it, serving once we have it (BEP 9)."""

from collections.abc import Sequence
from dataclasses import dataclass

from bittern.base.ids import InfoHashV1
from bittern.engine.swarm.peer import Peer
from bittern.wire.ut_metadata import (
    METADATA_PIECE,
    NAME,
    MetadataData,
    MetadataReject,
    MetadataRequest,
    parse_metadata_message,
)

from .metadata import MetadataFetch

MOST_UNSENT = 256 << 10
"""Bytes, those of blocks left out, that may wait for a peer to read; a request beyond them is rejected (BEP 9 foresees
this against floods)."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a metadata message led to.

    Attributes:
        raw: the info dictionary, when this completed it.
        liars: numbers of the peers to drop, when the whole did not hash.
    """

    raw: bytes | None = None
    liars: Sequence[int] = ()


class MetadataExchange:
    """What is known of the info dictionary of one torrent.

    Args:
        wire_hash: what it hashes to.
    """

    def __init__(self, wire_hash: InfoHashV1) -> None:
        self._fetch: MetadataFetch | None = MetadataFetch(wire_hash)
        self._raw: bytes | None = None

    @property
    def wanted(self) -> bool:
        """Whether it is still to be fetched."""
        return self._fetch is not None

    @property
    def progress(self) -> tuple[int, int] | None:
        """Its pieces that came, and all there are, by what most peers say; None while that, or everything, is known."""
        return self._fetch.progress if self._fetch is not None else None

    @property
    def size(self) -> int | None:
        """Bytes of the dictionary that we serve; None while we have none."""
        return len(self._raw) if self._raw is not None else None

    def known(self, raw: bytes) -> None:
        """The dictionary is `raw`: serve it."""
        self._raw = raw
        self._fetch = None

    def ask(self, peer: Peer, now: float) -> None:
        """Request what `peer` may give and nobody else was asked for."""
        ext_id = peer.says.extensions.get(NAME)
        if self._fetch is not None and ext_id:
            for piece in self._fetch.wants_from(peer.number, peer.says.metadata_size, now):
                peer.wire.send_extended(ext_id, MetadataRequest(piece).encode())
        elif self._fetch is not None:
            self._fetch.lost(peer.number)  # it does not speak it any more

    def on_message(self, peer: Peer, payload: bytes) -> Outcome:
        """Answer a request, or take what came.

        Raises:
            RemoteProtocolError: not a valid message, or data that was not asked for.
        """
        message = parse_metadata_message(payload)
        if isinstance(message, MetadataRequest):
            self._serve(peer, message.piece)
        elif isinstance(message, MetadataReject) and self._fetch is not None:
            self._fetch.rejected(peer.number)
        elif isinstance(message, MetadataData) and self._fetch is not None:
            raw = self._fetch.received(peer.number, message)
            if raw is not None:
                self._fetch = None
                return Outcome(raw=raw)
            return Outcome(liars=self._fetch.take_liars())
        return Outcome()

    def lost(self, peer: Peer) -> None:
        """A peer is gone."""
        if self._fetch is not None:
            self._fetch.lost(peer.number)

    def _serve(self, peer: Peer, piece: int) -> None:
        ext_id = peer.says.extensions.get(NAME)
        if not ext_id:
            return
        raw = self._raw or b""
        block = raw[piece * METADATA_PIECE : (piece + 1) * METADATA_PIECE]
        serve = block and peer.wire.unsent_words < MOST_UNSENT
        answer = MetadataData(piece, len(raw), block) if serve else MetadataReject(piece)
        peer.wire.send_extended(ext_id, answer.encode())
