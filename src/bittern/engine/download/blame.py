"""Which blocks of a bad piece are wrong, by the leaves of its hash tree, at once and without a good copy (BEP 52).

The disk tells what the blocks of the bad copy hash to. What they should hash to is asked of a peer that has the piece,
and proved by the piece's own hash, so that it does not matter whom we ask.
"""

from typing import NamedTuple

from bittern.base.bitfield import Bitfield
from bittern.base.errors import Offence, RemoteProtocolError
from bittern.codec.layers import Layers
from bittern.codec.merkle import HASH_BYTES, subtree_root
from bittern.wire.hashes import MOST_HASHES, HashRange

MOST_PIECES = 64
"""Bad pieces that are looked into at a time; of more, the oldest are forgotten."""


class Wrong(NamedTuple):
    """What the leaves of a bad piece showed: the numbers of its blocks that are wrong."""

    piece: int
    blocks: tuple[int, ...]


class Blame:
    """The bad pieces of one torrent whose leaves are sought.

    Args:
        layers: with the hashes of the pieces.
    """

    def __init__(self, layers: Layers) -> None:
        self._layers = layers
        self._bad: dict[int, bytes] = {}  # leaves of the bad copies
        self._owed: dict[tuple[int, HashRange], int] = {}  # by peer and row, the piece
        self._refused: dict[tuple[int, int], None] = {}  # (peer, piece)

    def __bool__(self) -> bool:
        return bool(self._bad)

    def failed(self, piece: int, leaves: bytes) -> None:
        """A copy of `piece` is bad, with these leaves; with one alone there is nothing to find out."""
        if HASH_BYTES < len(leaves) <= MOST_HASHES * HASH_BYTES and self._layers.width_of(piece) <= MOST_HASHES:
            self._bad[piece] = leaves
            if len(self._bad) > MOST_PIECES:
                self.settled(next(iter(self._bad)))

    def settled(self, piece: int) -> None:
        """There is nothing to find out about `piece` (any more)."""
        if self._bad.pop(piece, None) is not None:
            self._refused = {key: None for key in self._refused if key[1] != piece}

    def wants_from(self, peer: int, pieces: Bitfield) -> list[HashRange]:
        """Rows to ask of a peer that has `pieces`; they count as asked then. Everybody is asked once."""
        asked = {(number, piece) for (number, _), piece in self._owed.items()}
        wanted = [
            piece
            for piece in self._bad
            if piece in pieces and (peer, piece) not in asked and (peer, piece) not in self._refused
        ]
        spans = [self._span(piece) for piece in wanted]
        self._owed.update(((peer, span), piece) for span, piece in zip(spans, wanted, strict=True))
        return spans

    def owes(self, peer: int, span: HashRange) -> bool:
        """Whether a row was asked of a peer."""
        return (peer, span) in self._owed

    def received(self, peer: int, span: HashRange, hashes: bytes) -> Wrong | None:
        """A row that was asked came; None when nothing is to be found out any more.

        Raises:
            RemoteProtocolError: BAD_HASHES where it does not lead to the piece's hash.
        """
        piece = self._owed.pop((peer, span))
        row = hashes[: span.length * HASH_BYTES]
        if subtree_root(row) != self._layers.hash_of(piece):
            raise RemoteProtocolError(Offence.BAD_HASHES, f"leaves of piece {piece}")
        bad = self._bad.get(piece)
        if bad is None:
            return None
        self.settled(piece)
        steps = range(0, len(bad), HASH_BYTES)
        return Wrong(piece, tuple(at // HASH_BYTES for at in steps if bad[at : at + 32] != row[at : at + 32]))

    def rejected(self, peer: int, span: HashRange) -> None:
        """A peer will not send a row that was asked of it."""
        self._refused[peer, self._owed.pop((peer, span))] = None

    def lost(self, peer: int) -> None:
        """A peer is gone."""
        self._owed = {key: piece for key, piece in self._owed.items() if key[0] != peer}
        self._refused = {key: None for key in self._refused if key[0] != peer}

    def _span(self, piece: int) -> HashRange:
        file, at = self._layers.place_of(piece)
        width = self._layers.width_of(piece)
        return HashRange(file.pieces_root or b"", 0, at * width, width, max(0, width.bit_length() - 2))
