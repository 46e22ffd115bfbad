"""Connections being made for one torrent: how many at a time, and to whom."""

from math import inf

from bittern.base.address import Address
from bittern.base.throttle import Throttle
from bittern.engine.effects import Connect
from bittern.engine.settings import EngineSettings

from .approach import PLAIN_TCP
from .peerbook import Peerbook
from .places import Places


class Dialing:
    """Dials of one torrent, from the wish to the handshake.

    Args:
        torrent: its number.
        book: where candidates come from and results go.
        settings: of the engine.
        places: connections of all torrents.
    """

    def __init__(self, torrent: int, book: Peerbook, settings: EngineSettings, places: Places) -> None:
        self._torrent = torrent
        self._book = book
        self._settings = settings
        self._places = places
        self._pace = Throttle(places.pace)
        self._paced_until = 0.0
        self._under_way: dict[int, Address] = {}  # by ticket while half open, then by the wire's key, below zero

    def __len__(self) -> int:
        return len(self._under_way)

    def __contains__(self, key: int) -> bool:
        return key in self._under_way

    def next(self, ticket: int, peers: int, now: float) -> Connect | None:
        """The next connection to make, under `ticket`; None when there are enough or no candidates."""
        due = self._book.next_due() if self._room(peers) and self._places.may_dial else None
        if due is None or due > now:
            return None
        if self._pace.available(now) <= 0:
            self._paced_until = self._pace.ready_at(now)
            return None
        candidate = self._book.next(now)
        if candidate is None:
            return None
        self._pace.take(1)
        self._places.dial()
        self._under_way[ticket] = candidate.address
        return Connect(ticket, self._torrent, candidate.address, *PLAIN_TCP)

    def next_due(self, peers: int) -> float:
        """When `next` may have something; infinity while there is no room."""
        due = self._book.next_due() if self._room(peers) else None
        if due is None:
            return inf
        if not self._places.may_dial:
            self._places.wait(self._torrent)
            return inf
        return max(due, self._paced_until)

    def rekey(self, ticket: int, wire: int) -> None:
        """The connection stands; the dial goes on under the key of its wire, until the handshake."""
        self._under_way[wire] = self._under_way.pop(ticket)
        self._places.connected()

    def succeeded(self, key: int) -> None:
        """The handshake came, or the connection ended and was told to the book."""
        self._end(key)

    def failed(self, key: int, now: float) -> Address | None:
        """A dial led to nothing; where to."""
        address = self._end(key)
        if address is not None:
            self._book.ended(address, now, useful=False)
        return address

    def clear(self, now: float) -> None:
        """Nothing that is under way is wanted any more; nobody has failed by that."""
        for key, address in list(self._under_way.items()):
            self._book.ended(address, now, useful=False, sated=True)
            self._end(key)

    def _end(self, key: int) -> Address | None:
        address = self._under_way.pop(key, None)
        if address is not None:
            self._places.dial_ended(half_open=key > 0)
        return address

    def _room(self, peers: int) -> bool:
        settings = self._settings
        return len(self._under_way) < settings.max_dials and peers + len(self._under_way) < settings.max_peers
