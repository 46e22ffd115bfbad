"""Fetching the info dictionary from peers: pieces asked of several, checked as a whole (BEP 9)."""

from collections.abc import Sequence
from hashlib import sha1, sha256

from bittern.base.errors import Offence, RemoteProtocolError
from bittern.base.geometry import Geometry
from bittern.base.ids import InfoHashV1
from bittern.wire.ut_metadata import MetadataData, metadata_geometry

REQUEST_SECONDS = 10.0
"""A peer that leaves a request unanswered for so long is not asked again before it answers."""
PATIENCE_SECONDS = 30.0
"""One size, or one peer alone, is tried for so long when others say otherwise; the next try twice as long."""
PER_PEER = 4
"""Pieces asked of one peer at a time."""


class MetadataFetch:
    """The info dictionary of one torrent while it is unknown.

    Nobody can be trusted before the whole hashes, and one liar must not hold the others up. Its size is what most
    peers say. If the whole does not hash, all is thrown away and the next try trusts one peer only, so that a liar
    is found out. Memory grows as data comes, never on a peer's word.

    Args:
        wire_hash: what it must hash to: SHA-1, or the first 20 bytes of SHA-256.
    """

    def __init__(self, wire_hash: InfoHashV1) -> None:
        self._hash = wire_hash
        self._geometry: Geometry | None = None
        self._pieces: dict[int, tuple[int, bytes]] = {}
        self._asked: dict[int, tuple[int, float]] = {}  # piece -> (peer, when)
        self._says: dict[int, int] = {}  # peer -> size
        self._shut: dict[int, None] = {}  # peers that refused or fell silent
        self._known: dict[int, None] = {}  # peers that were ever asked
        self._sole: int | None = None
        self._began_at = 0.0
        self._patience = PATIENCE_SECONDS
        self.failures = 0

    def wants_from(self, peer: int, size: int | None, now: float) -> list[int]:
        """Pieces to ask of a peer that says the dictionary has `size` bytes; they count as asked then."""
        if size is not None and peer not in self._shut:
            self._says[peer] = size
        self._shut_the_late(now)
        if size is None or peer in self._shut:
            return []
        if self._sole not in (None, peer) and self._overdue(now):
            self._shut_out(self._sole)
        if self.failures and self._sole is None:
            self._restart()
            self._sole = peer
        if self._sole not in (None, peer):
            return []
        self._choose_size(size, now)
        if self._geometry is None or size != self._geometry.total_length:
            return []
        room = PER_PEER - sum(asker == peer for asker, _ in self._asked.values())
        pieces = range(self._geometry.piece_count)
        wanted = [piece for piece in pieces if piece not in self._pieces and piece not in self._asked][: max(0, room)]
        self._asked.update((piece, (peer, now)) for piece in wanted)
        self._known[peer] = None
        return wanted

    def received(self, peer: int, data: MetadataData) -> bytes | None:
        """A piece came; the whole dictionary once it is there and hashes.

        Raises:
            RemoteProtocolError: the peer was never asked for anything, or changed the size.
        """
        asker, _ = self._asked.get(data.piece, (None, 0.0))
        size = self._geometry.total_length if self._geometry is not None else None
        if peer not in self._known or (asker == peer and data.total_size != size):
            raise RemoteProtocolError(Offence.BAD_METADATA, f"piece {data.piece} was not asked of it")
        self._shut.pop(peer, None)
        # An answer may come late, when the piece came from another or everything was begun anew: no offence.
        if self._geometry is None or data.total_size != size or self._sole not in (None, peer):
            return None
        self._asked.pop(data.piece, None)
        self._pieces.setdefault(data.piece, (peer, bytes(data.block)))
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
        self._shut_out(peer)

    def lost(self, peer: int) -> None:
        """A peer is gone: what was asked of it is free again."""
        self._asked = {piece: who for piece, who in self._asked.items() if who[0] != peer}
        self._says.pop(peer, None)
        if self._sole == peer:
            self._sole = None

    def _shut_the_late(self, now: float) -> None:
        for asker, when in list(self._asked.values()):
            if now - when >= REQUEST_SECONDS:
                self._shut_out(asker)

    def _shut_out(self, peer: int | None) -> None:
        if peer is not None:
            self._shut[peer] = None
            self.lost(peer)

    def _choose_size(self, size: int, now: float) -> None:
        """Go by what most peers say; where they are as many, give each size its time."""
        if self._geometry is not None:
            says, current = list(self._says.values()), self._geometry.total_length
            outvoted = says.count(size) > says.count(current)
            if size == current or not (outvoted or self._overdue(now)):
                return
            if not outvoted:
                self._patience *= 2
        sole = self._sole
        self._restart()
        self._sole = sole
        self._geometry = metadata_geometry(size)
        self._began_at = now

    def _overdue(self, now: float) -> bool:
        return self._geometry is not None and now - self._began_at >= self._patience

    def _restart(self) -> None:
        self._pieces.clear()
        self._asked.clear()
        self._geometry = None
        self._sole = None
