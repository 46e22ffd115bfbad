"""The hash messages of one torrent: asking for piece layers while some are missing, serving those we know (BEP 52)."""

from bittern.base.bitfield import Bitfield
from bittern.base.errors import Offence, RemoteProtocolError
from bittern.base.ids import InfoHashV1
from bittern.codec.layers import Layers
from bittern.engine.swarm.peer import Peer
from bittern.engine.upload.hashes import answer
from bittern.engine.upload.leaves import answer_with, piece_of
from bittern.wire.hashes import HashRange

from .hashes import HashFetch

MOST_UNSENT = 1 << 20
"""Bytes that may wait for a peer to read; a request beyond them is refused."""
MOST_READS = 4
"""Pieces that are read for the leaves that one peer asked for, at a time."""


class HashExchange:
    """What is known of the hash trees of one torrent, asked and told; of a torrent of version 1 nothing is."""

    def __init__(self) -> None:
        self._layers: Layers | None = None
        self._name: InfoHashV1 | None = None
        self._fetch: HashFetch | None = None
        self._reads: list[tuple[Peer, HashRange, int]] = []  # who waits for leaves of which piece
        self.wanted = False
        """Whether something is still to be fetched; no call, for it is looked at in every turn."""

    def known(self, layers: Layers, name: InfoHashV1 | None) -> None:
        """The metadata is there, and with it what `layers` says: serve that, and fetch the rest.

        `name` is what connections go by that bring hash messages.
        """
        self._layers, self._name = layers, name
        self._fetch = None if layers.complete else HashFetch(layers)
        self.wanted = not layers.complete

    def ask(self, peer: Peer, now: float) -> None:
        """Request what `peer` may give and nobody else was asked for."""
        if (
            self._fetch is not None
            and not self._fetch.done
            and peer.info_hash == self._name
            and peer.pieces is not None
        ):
            for span in self._fetch.wants_from(peer.number, peer.pieces, now):
                peer.wire.send_hash_request(span)

    def on_request(self, peer: Peer, span: HashRange, have: Bitfield | None) -> int | None:
        """Answer with hashes or a reject; or give a piece, whose leaves are to be hashed for `leaves_read`."""
        layers = self._layers
        if layers is None or have is None or peer.wire.unsent >= MOST_UNSENT:
            peer.wire.send_hash_reject(span)
            return None
        if span.base == layers.level:
            self._answer(peer, span, answer(layers, span))
            return None
        piece = piece_of(layers, span, have)
        waiting = sum(asker is peer for asker, _, _ in self._reads)
        if piece is None or waiting >= MOST_READS:
            peer.wire.send_hash_reject(span)
            return None
        self._reads.append((peer, span, piece))
        return piece

    def leaves_read(self, piece: int, leaves: bytes | None) -> None:
        """The leaves of a piece, or None where they could not be read: answer who waits for them."""
        waiting = [read for read in self._reads if read[2] == piece]
        self._reads = [read for read in self._reads if read[2] != piece]
        for peer, span, _ in waiting:
            if self._layers is None or leaves is None:
                self._answer(peer, span, None)
            else:
                self._answer(peer, span, answer_with(self._layers, piece, span, leaves))

    @staticmethod
    def _answer(peer: Peer, span: HashRange, hashes: bytes | None) -> None:
        if hashes is None:
            peer.wire.send_hash_reject(span)
        else:
            peer.wire.send_hashes(span, hashes)

    def on_hashes(self, peer: Peer, span: HashRange, hashes: bytes) -> list[int]:
        """Take what came; the pieces whose hashes are known now.

        Raises:
            RemoteProtocolError: it was not asked of this peer, or is not true.
        """
        fetch = self._asked(span)
        pieces = fetch.received(peer.number, span, hashes)
        self.wanted = not fetch.done
        return pieces

    def on_reject(self, peer: Peer, span: HashRange, now: float) -> None:
        """A peer will not answer.

        Raises:
            RemoteProtocolError: it was not asked.
        """
        self._asked(span).rejected(peer.number, span, now)

    def lost(self, peer: Peer) -> None:
        """A peer is gone."""
        self._reads = [read for read in self._reads if read[0] is not peer]
        if self._fetch is not None:
            self._fetch.lost(peer.number)

    def _asked(self, span: HashRange) -> HashFetch:
        if self._fetch is None:
            raise RemoteProtocolError(Offence.UNASKED_HASHES, f"{span.length} from {span.index} on")
        return self._fetch
