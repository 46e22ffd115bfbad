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
"""All together are tried for so long when they do not agree about the size; then each alone, when its turn comes again
for twice as long."""
PER_PEER = 4
"""Pieces asked of one peer at a time."""
_TURNS_MOST = 8


class MetadataFetch:
    """The info dictionary of one torrent while it is unknown.

    Nobody can be trusted before the whole hashes, and liars must not hold the others up, however many they are. Its
    size is what most peers say. If the whole does not hash, or they do not agree and it takes too long, all is thrown
    away and one peer at a time is trusted, each in its turn and for its time: so a liar is found out, and one honest
    peer is enough. Memory grows as data comes, never on a peer's word.

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
        self._turns: dict[int, int] = {}  # how often a peer was the sole one
        self._began_at = 0.0
        self.failures = 0

    @property
    def progress(self) -> tuple[int, int] | None:
        """Pieces that came, and all there are; None while the size is unknown. What came may be wrong, and go."""
        return (len(self._pieces), self._geometry.piece_count) if self._geometry is not None else None

    def wants_from(self, peer: int, size: int | None, now: float) -> list[int]:
        """Pieces to ask of a peer that says the dictionary has `size` bytes; they count as asked then."""
        if size is not None and peer not in self._shut:
            self._says[peer] = size
        self._shut_the_late(now)
        if size is None or peer in self._shut:
            return []
        self._choose_peer(peer, now)
        if self._sole != (peer if self.failures else None):
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
        self._turns.pop(peer, None)
        if self._sole == peer:
            self._sole = None

    def _shut_the_late(self, now: float) -> None:
        for asker, when in list(self._asked.values()):
            if now - when >= REQUEST_SECONDS:
                self._shut_out(asker)

    def _shut_out(self, peer: int | None) -> None:
        if peer is not None:
            turns = self._turns.get(peer)
            self._shut[peer] = None
            self.lost(peer)
            if turns is not None:
                self._turns[peer] = turns  # it may come back, but not be new again

    def _choose_peer(self, peer: int, now: float) -> None:
        """End a time that is over; where one is to be trusted alone, let it be `peer` if it is its turn."""
        if not self.failures:
            agreed = len(set(self._says.values())) <= 1
            if agreed or not self._overdue(now, PATIENCE_SECONDS):
                return
            self.failures += 1
            self._restart()
        elif self._sole not in (None, peer):
            turns = self._turns.get(self._sole or 0, 1)
            if self._overdue(now, PATIENCE_SECONDS * 2 ** min(turns - 1, _TURNS_MOST)):
                self._sole = None
        if self._sole is None:
            here = [self._turns[other] for other in self._says if other in self._turns]
            fewest = min(here, default=0)  # who has just come is not before those who wait
            for other in self._says:
                self._turns.setdefault(other, fewest)
            if self._turns[peer] == min(self._turns[other] for other in self._says):
                self._restart()
                self._sole = peer
                self._turns[peer] += 1
                self._began_at = now

    def _choose_size(self, size: int, now: float) -> None:
        """Go by what the one peer says that is trusted, or else by what most say."""
        if self._geometry is None:
            if not self.failures:
                self._began_at = now
        else:
            says, current = list(self._says.values()), self._geometry.total_length
            if self._sole is not None or says.count(size) <= says.count(current):
                return
            self._pieces.clear()
            self._asked.clear()
        self._geometry = metadata_geometry(size)

    def _overdue(self, now: float, patience: float) -> bool:
        return self._geometry is not None and now - self._began_at >= patience

    def _restart(self) -> None:
        self._pieces.clear()
        self._asked.clear()
        self._geometry = None
        self._sole = None
