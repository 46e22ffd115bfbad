"""What a seed tells whom to ask for (BEP 6): every piece goes out once before any goes out twice.

Left alone, the peers of a lone seed choose at random among the pieces that nobody has, and choose the same ones: the
seed sends half of its content twice before all of it is out once, and the whole swarm waits for the rest.
"""

from collections.abc import Callable, Container, Iterable
from typing import TYPE_CHECKING

from bittern.engine.swarm.peer import Peer

from .deck import Deck

if TYPE_CHECKING:
    from random import Random

AHEAD = 4
"""Suggestions that a peer has not followed yet."""
LAST_SECONDS = 30.0
"""For so long at most the last pieces that are on their way go before all else."""
LOOKS = 1000
"""Pieces that are looked at in one go for something to suggest; the others have their turn later."""


class Suggesting:
    """Which pieces nobody was told of yet, and who was told of which.

    Args:
        rng: shuffles them.
    """

    def __init__(self, rng: "Random") -> None:
        self._fresh = Deck(rng)
        self._told: dict[int, dict[int, None]] = {}
        self._under_way: dict[int, int] = {}  # pieces that nobody had when we told a peer of them, and that peer
        self._last_until: float | None = None
        self.ending = False
        """Whether `last_takers` has something to say; no property, as each turn of each torrent asks."""

    def ready(self, size: int) -> None:
        """The metadata is known: there are `size` pieces."""
        self._fresh.fill(size)

    def told(self, peer: Peer) -> tuple[int, ...]:
        """What `peer` was told of and has not asked for."""
        return tuple(self._told.get(peer.number, ()))

    def advise(self, peer: Peer, copies: Callable[[int], int], *, crowd: int) -> None:
        """We have everything: tell a peer that may ask what to ask for next, as far as it does not know.

        Args:
            peer: anybody; who may not ask any more, leaves to others what it was told of.
            copies: how many peers have a piece: what is out already is found without us.
            crowd: how many peers there are; one alone asks nothing twice.
        """
        if peer.am_choking or not peer.fast or peer.pieces is None or crowd < 2:
            self.withdraw(peer)
            return
        told = self._told.setdefault(peer.number, {})
        for _ in range(min(len(self._fresh), LOOKS) if len(told) < AHEAD else 0):
            piece = self._fresh.draw()
            if piece not in peer.pieces and not copies(piece):
                told[piece] = None
                self._under_way[piece] = peer.number
                peer.wire.send_suggest(piece)
                if len(told) == AHEAD:
                    break
        if self._under_way and not self._fresh:
            self.ending = True

    def asked(self, peer: Peer, pieces: Iterable[int]) -> None:
        """`peer` asked for `pieces`."""
        told = self._told.get(peer.number)
        if told:
            for piece in pieces:
                told.pop(piece, None)

    def withdraw(self, peer: Peer) -> None:
        """`peer` is gone: others are told of what it did not ask for."""
        for piece in self._told.pop(peer.number, ()):
            self._fresh.put_back(piece)
            self._under_way.pop(piece, None)

    def last_takers(self, peers: Container[int], copies: Callable[[int], int], now: float) -> frozenset[int] | None:
        """Peers to serve alone for now: those to whom the last of all pieces are on their way. None: anybody.

        Whoever else is served, asks us for the same pieces again, and keeps the line from those that everyone waits
        for. What it lacks it finds with the others.

        Args:
            peers: numbers of those that are there.
            copies: how many peers have a piece.
            now: the time.
        """
        if self._last_until is None:
            self._last_until = now + LAST_SECONDS
        self._under_way = {
            piece: taker for piece, taker in self._under_way.items() if taker in peers and not copies(piece)
        }
        if now >= self._last_until:
            self._under_way.clear()
        self.ending = bool(self._under_way) and not self._fresh
        return frozenset(self._under_way.values()) if self.ending else None
