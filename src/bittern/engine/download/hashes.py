"""Fetching the piece layers of a torrent of version 2 from its peers: whom to ask, and what is proved (BEP 52).

A layer comes in portions, each with the hashes that lead from it to the file's root, so nothing has to be believed: who
sends a row that does not is a liar, whoever else was asked.
"""

from bittern.base.bitfield import Bitfield
from bittern.base.errors import Offence, RemoteProtocolError
from bittern.codec.layers import PORTION, Layers
from bittern.codec.merkle import HASH_BYTES, climb, subtree_root
from bittern.wire.hashes import HashRange

REQUEST_SECONDS = 10.0
"""A portion that one peer leaves unanswered for so long is asked of another, too."""
REFUSED_SECONDS = 30.0
"""Who refused a portion may have it after so long: it is downloading, like us."""
PER_PEER = 4
"""Portions asked of one peer at a time."""

_Portion = tuple[bytes, int]


class HashFetch:
    """What is missing of the piece layers of one torrent, and whom it was asked of.

    Args:
        layers: what is known; what is proved is added to it.
    """

    def __init__(self, layers: Layers) -> None:
        self._layers = layers
        self._owed: dict[int, dict[HashRange, _Portion]] = {}  # by peer
        self._not_before: dict[_Portion, float] = {}  # when it may be asked of another
        self._refused: dict[tuple[int, _Portion], float] = {}  # until when not to ask a peer again

    @property
    def done(self) -> bool:
        """Whether every layer is known."""
        return self._layers.complete

    def wants_from(self, peer: int, pieces: Bitfield, now: float) -> list[HashRange]:
        """Rows to ask of a peer that has `pieces`; they count as asked then."""
        owed = self._owed.setdefault(peer, {})
        if len(owed) >= PER_PEER or not pieces.count:
            return []
        wanted: list[HashRange] = []
        for portion in self._layers.missing():
            if len(owed) >= PER_PEER:
                break
            if self._may_ask(peer, portion, pieces, now):
                span = self._span(portion)
                if span not in owed:
                    owed[span] = portion
                    self._not_before[portion] = now + REQUEST_SECONDS
                    wanted.append(span)
        return wanted

    def received(self, peer: int, span: HashRange, hashes: bytes) -> list[int]:
        """A row came; the pieces whose hashes are known now.

        Raises:
            RemoteProtocolError: UNASKED_HASHES; BAD_HASHES where the row does not lead to the root.
        """
        portion = self._answered(peer, span)
        row, uncles = hashes[: span.length * HASH_BYTES], hashes[span.length * HASH_BYTES :]
        if climb(subtree_root(row, span.base), span.index // span.length, uncles) != span.pieces_root:
            raise RemoteProtocolError(Offence.BAD_HASHES, f"{span.length} from {span.index} on")
        if portion not in self._layers.missing():
            return []  # another was asked, too, and was faster
        self._not_before.pop(portion, None)
        return self._layers.learn(*portion, row, uncles)

    def rejected(self, peer: int, span: HashRange, now: float) -> None:
        """A peer will not send a row: another may.

        Raises:
            RemoteProtocolError: UNASKED_HASHES.
        """
        portion = self._answered(peer, span)
        self._refused[peer, portion] = now + REFUSED_SECONDS
        self._not_before.pop(portion, None)

    def lost(self, peer: int) -> None:
        """A peer is gone: what it owes may be asked of others."""
        for portion in self._owed.pop(peer, {}).values():
            self._not_before.pop(portion, None)
        self._refused = {key: until for key, until in self._refused.items() if key[0] != peer}

    def _answered(self, peer: int, span: HashRange) -> _Portion:
        portion = self._owed.get(peer, {}).pop(span, None)
        if portion is None:
            raise RemoteProtocolError(Offence.UNASKED_HASHES, f"{span.length} from {span.index} on")
        return portion

    def _may_ask(self, peer: int, portion: _Portion, pieces: Bitfield, now: float) -> bool:
        if now < self._not_before.get(portion, now) or now < self._refused.get((peer, portion), now):
            return False
        # BEP 52: who has a piece must be able to give its hash; others perhaps.
        return pieces.complete or any(piece in pieces for piece in self._layers.pieces_of(*portion))

    def _span(self, portion: _Portion) -> HashRange:
        root, number = portion
        height, level = self._layers.height_of(root), self._layers.level
        assert height is not None
        return HashRange(root, level, number * PORTION, self._layers.portion_width(root), height - level - 1)
