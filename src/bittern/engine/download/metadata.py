"""Fetching the info dictionary from peers: pieces asked of several, checked as a whole (BEP 9)."""

from collections.abc import Sequence
from hashlib import sha1, sha256

from bittern.base.errors import Offence, RemoteProtocolError
from bittern.base.geometry import Geometry
from bittern.base.ids import InfoHashV1
from bittern.wire.ut_metadata import MetadataData, metadata_geometry

REQUEST_SECONDS = 10.0
PER_PEER = 4
"""Pieces asked of one peer at a time."""


class MetadataFetch:
    """The info dictionary of one torrent while it is unknown.

    The size is what the first peer says; if the whole does not hash, all is thrown away and the next try trusts
    one peer only, so that a liar is found out. Memory grows as data comes, never on a peer's word.

    Args:
        wire_hash: what it must hash to: SHA-1, or the first 20 bytes of SHA-256.
    """

    def __init__(self, wire_hash: InfoHashV1) -> None:
        self._hash = wire_hash
        self._geometry: Geometry | None = None
        self._pieces: dict[int, tuple[int, bytes]] = {}
        self._asked: dict[int, tuple[int, float]] = {}  # piece -> (peer, when)
        self._refused: dict[int, None] = {}
        self._sole: int | None = None
        self.failures = 0

    def wants_from(self, peer: int, size: int | None, now: float) -> list[int]:
        """Pieces to ask of a peer that says the dictionary has `size` bytes; they count as asked then."""
        if size is None or peer in self._refused:
            return []
        if self.failures and self._sole is None:
            self._sole = peer
        if self._sole not in (None, peer):
            return []
        if self._geometry is None:
            self._geometry = metadata_geometry(size)
        if size != self._geometry.total_length:
            return []
        ours = sum(asker == peer for asker, _ in self._asked.values())
        wanted: list[int] = []
        for piece in range(self._geometry.piece_count):
            if ours + len(wanted) >= PER_PEER:
                break
            late = piece in self._asked and now - self._asked[piece][1] >= REQUEST_SECONDS
            if piece not in self._pieces and (piece not in self._asked or late):
                wanted.append(piece)
        self._asked.update((piece, (peer, now)) for piece in wanted)
        return wanted

    def received(self, peer: int, data: MetadataData) -> bytes | None:
        """A piece came; the whole dictionary once it is there and hashes.

        Raises:
            RemoteProtocolError: the peer was not asked for it, or changed the size.
        """
        asker, _ = self._asked.get(data.piece, (None, 0.0))
        if asker != peer or self._geometry is None or data.total_size != self._geometry.total_length:
            raise RemoteProtocolError(Offence.BAD_METADATA, f"piece {data.piece} was not asked of it")
        del self._asked[data.piece]
        self._pieces[data.piece] = (peer, bytes(data.block))
        if len(self._pieces) < self._geometry.piece_count:
            return None
        raw = b"".join(self._pieces[piece][1] for piece in range(self._geometry.piece_count))
        if sha1(raw).digest() == self._hash or sha256(raw).digest()[:20] == self._hash:
            return raw
        return None

    def take_liars(self) -> Sequence[int]:
        """After a whole that does not hash: the peers to drop, and everything starts anew."""
        if self._geometry is None or len(self._pieces) < self._geometry.piece_count:
            return ()
        senders = tuple(dict.fromkeys(sender for sender, _ in self._pieces.values()))
        self.failures += 1
        self._restart()
        return senders if len(senders) == 1 else ()

    def rejected(self, peer: int) -> None:
        """A peer does not give it to us."""
        self._refused[peer] = None
        self.lost(peer)

    def lost(self, peer: int) -> None:
        """A peer is gone: what was asked of it is free again."""
        self._asked = {piece: who for piece, who in self._asked.items() if who[0] != peer}
        if self._sole == peer:
            self._sole = None
        if not self._pieces and not self._asked:
            self._geometry = None

    def next_due(self) -> float | None:
        """When an unanswered request may be made anew."""
        return min((when + REQUEST_SECONDS for _, when in self._asked.values()), default=None)

    def _restart(self) -> None:
        self._pieces.clear()
        self._asked.clear()
        self._geometry = None
        self._sole = None
