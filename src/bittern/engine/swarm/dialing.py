"""Connections being made for one torrent: how many at a time, and to whom."""

from math import inf

from bittern.base.address import Address
from bittern.engine.effects import Connect
from bittern.engine.settings import EngineSettings

from .peerbook import Peerbook


class Dialing:
    """Dials of one torrent, from the wish to the handshake.

    Args:
        torrent: its number.
        book: where candidates come from and results go.
        settings: of the engine.
    """

    def __init__(self, torrent: int, book: Peerbook, settings: EngineSettings) -> None:
        self._torrent = torrent
        self._book = book
        self._settings = settings
        self._under_way: dict[int, Address] = {}

    def __len__(self) -> int:
        return len(self._under_way)

    def __contains__(self, key: int) -> bool:
        return key in self._under_way

    def next(self, ticket: int, peers: int, now: float) -> Connect | None:
        """The next connection to make, under `ticket`; None when there are enough or no candidates."""
        if not self._room(peers):
            return None
        candidate = self._book.next(now)
        if candidate is None:
            return None
        self._under_way[ticket] = candidate.address
        return Connect(ticket, self._torrent, candidate.address)

    def next_due(self, peers: int) -> float:
        """When `next` may have something; infinity while there is no room."""
        due = self._book.next_due() if self._room(peers) else None
        return inf if due is None else due

    def rekey(self, ticket: int, wire: int) -> None:
        """The connection stands; the dial goes on under the key of its wire, until the handshake."""
        self._under_way[wire] = self._under_way.pop(ticket)

    def succeeded(self, key: int) -> None:
        """The handshake came, or the connection ended and was told to the book."""
        self._under_way.pop(key, None)

    def failed(self, key: int, now: float) -> Address | None:
        """A dial led to nothing; where to."""
        address = self._under_way.pop(key, None)
        if address is not None:
            self._book.ended(address, now, useful=False)
        return address

    def clear(self, now: float) -> None:
        """Nothing that is under way is wanted any more; nobody has failed by that."""
        for address in self._under_way.values():
            self._book.ended(address, now, useful=False, sated=True)
        self._under_way.clear()

    def _room(self, peers: int) -> bool:
        settings = self._settings
        return len(self._under_way) < settings.max_dials and peers + len(self._under_way) < settings.max_peers
