"""The hash messages of one torrent: asking for piece layers while some are missing, serving those we know (BEP 52)."""

from collections.abc import Sequence

from bittern.base.bitfield import Bitfield
from bittern.base.errors import Offence, RemoteProtocolError
from bittern.base.ids import InfoHashV1
from bittern.codec.layers import Layers
from bittern.engine.swarm.peer import Peer
from bittern.engine.upload.hashes import answer
from bittern.engine.upload.leaves import answer_with, piece_of
from bittern.wire.hashes import HashRange

from .blame import Blame, Wrong
from .hashes import HashFetch

MOST_UNSENT = 256 << 10
"""Bytes, those of blocks left out, that may wait for a peer to read; a request beyond them is refused."""
MOST_READS = 4
"""Pieces that are read for the leaves that one peer asked for, at a time."""
MOST_LEAVES = 64
"""Pieces that are read for the leaves that one peer asked for, ever: who got so many bad ones asks others too."""
MOST_TIMES = 4
"""So often one peer may have every row, and 64 more: each is some work to prove."""


class HashExchange:
    """What is known of the hash trees of one torrent, asked and told; of a torrent of version 1 nothing is."""

    def __init__(self) -> None:
        self._layers: Layers | None = None
        self._name: InfoHashV1 | None = None
        self._fetch: HashFetch | None = None
        self._blame: Blame | None = None
        self._reads: list[tuple[Peer, HashRange, int]] = []  # who waits for leaves of which piece
        self._rows_given: dict[int, int] = {}  # by peer
        self._leaves_given: dict[int, int] = {}
        self.wanted = False
        """Whether something is still to be fetched; no call, for it is looked at in every turn."""

    def known(self, layers: Layers, name: InfoHashV1 | None) -> None:
        """The metadata is there, and with it what `layers` says: serve that, and fetch the rest.

        `name` is what connections go by that bring hash messages.
        """
        self._layers, self._name = layers, name
        if not layers.complete:
            self._fetch = HashFetch(layers)  # else one that is done may still be answered by who was slow
        self._blame = Blame(layers)
        self.wanted = not layers.complete

    def ask(self, peer: Peer, now: float, pieces: Bitfield | None = None) -> None:
        """Request what `peer` may give and nobody else was asked for.

        Args:
            peer: whom to ask.
            now: the time.
            pieces: what it has, where `peer.pieces` does not say so yet.
        """
        pieces = peer.pieces if pieces is None else pieces
        if peer.info_hash != self._name or pieces is None:
            return
        spans: list[HashRange] = []
        if self._fetch is not None and not self._fetch.done:
            spans += self._fetch.wants_from(peer.number, pieces, now)
        if self._blame is not None:
            spans += self._blame.wants_from(peer.number, pieces)
        for span in spans:
            peer.wire.send_hash_request(span)

    def checked(self, piece: int, leaves: bytes, *, good: bool) -> None:
        """A piece was hashed: of a bad one of version 2, `leaves` is what its blocks hash to."""
        known = self._layers is not None and self._layers.hash_of(piece) is not None
        if self._blame is not None and not good and leaves and known:
            self._blame.failed(piece, leaves)
        elif self._blame:
            self._blame.settled(piece)
        self._look()

    def on_request(self, peer: Peer, span: HashRange, have: Bitfield | None) -> int | None:
        """Answer with hashes or a reject; or give a piece, whose leaves are to be hashed for `leaves_read`."""
        layers = self._layers
        if layers is None or have is None or peer.wire.unsent_words >= MOST_UNSENT:
            peer.wire.send_hash_reject(span)
            return None
        if span.base == layers.level:
            given = self._rows_given[peer.number] = self._rows_given.get(peer.number, 0) + 1
            may_have = given <= MOST_TIMES * layers.portions + MOST_LEAVES
            self._answer(peer, span, answer(layers, span) if may_have else None)
            return None
        piece = piece_of(layers, span, have)
        waiting = sum(asker is peer for asker, _, _ in self._reads)
        given = self._leaves_given.get(peer.number, 0)
        if piece is None or waiting >= MOST_READS or given >= MOST_LEAVES:
            peer.wire.send_hash_reject(span)
            return None
        self._leaves_given[peer.number] = given + 1
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

    def on_hashes(self, peer: Peer, span: HashRange, hashes: bytes) -> Sequence[int] | Wrong:
        """Take what came: the pieces whose hashes are known now, or the wrong blocks of a bad one.

        Raises:
            RemoteProtocolError: it was not asked of this peer, or is not true.
        """
        told: Sequence[int] | Wrong | None
        if self._blame is not None and self._blame.owes(peer.number, span):
            told = self._blame.received(peer.number, span, hashes)
        else:
            told = self._asked(span).received(peer.number, span, hashes)
        self._look()
        return told if told is not None else ()

    def on_reject(self, peer: Peer, span: HashRange, now: float) -> None:
        """A peer will not answer.

        Raises:
            RemoteProtocolError: it was not asked.
        """
        if self._blame is not None and self._blame.owes(peer.number, span):
            self._blame.rejected(peer.number, span)
        else:
            self._asked(span).rejected(peer.number, span, now)

    def lost(self, peer: Peer) -> None:
        """A peer is gone."""
        self._reads = [read for read in self._reads if read[0] is not peer]
        self._rows_given.pop(peer.number, None)
        self._leaves_given.pop(peer.number, None)
        if self._fetch is not None:
            self._fetch.lost(peer.number)
        if self._blame is not None:
            self._blame.lost(peer.number)

    def _look(self) -> None:
        self.wanted = bool(self._blame) or (self._fetch is not None and not self._fetch.done)

    def _asked(self, span: HashRange) -> HashFetch:
        if self._fetch is None:
            raise RemoteProtocolError(Offence.UNASKED_HASHES, f"{span.length} from {span.index} on")
        return self._fetch
