"""Connections being made for one torrent: how many at a time, to whom, and by which approach."""

from collections.abc import Callable
from math import inf

from bittern.base.address import Address
from bittern.base.throttle import Throttle
from bittern.base.transport import Transport
from bittern.engine.effects import Connect, GiveUp
from bittern.engine.settings import EngineSettings
from bittern.wire.stream import LinkLost

from .approach import Approach, Attempt, Ways
from .peerbook import Peerbook
from .places import Places


class Dialing:
    """Dials of one torrent, from the wish to the handshake.

    A dial may be several connections, one of which is kept: see Attempt.

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
        self._ways = Ways(settings.tcp, settings.utp, settings.utp_first, settings.encryption_out)
        self._pace = Throttle(places.pace)
        self._paced_until = 0.0
        self._attempts: dict[Address, Attempt] = {}
        # By ticket while the connection is being made, then by the wire's key, below zero.
        self._under_way: dict[int, tuple[Attempt, Approach]] = {}

    def __len__(self) -> int:
        return len(self._attempts)

    def __contains__(self, key: int) -> bool:
        return key in self._under_way

    def next(self, ticket: int, peers: int, now: float) -> Connect | None:
        """The next connection to make, under `ticket`; None when there are enough or no candidates."""
        attempt = self._due(now) or self._another(peers, now)
        if attempt is None:
            return None
        approach = attempt.begin(now)
        self._pace.take(1)  # whoever was begun goes on: others wait the longer for it
        self._under_way[ticket] = attempt, approach
        return Connect(ticket, self._torrent, attempt.address, *approach)

    def meet(self, address: Address, peers: int, now: float) -> bool:
        """Let `next` dial `address` at once, over uTP alone (BEP 55); False where there is no room, or no need."""
        if not (self._ways.utp and self._room(peers) and self._places.may_dial):
            return False
        candidate = self._book.take(address, now)
        if candidate is None:
            return False
        self._begin(Attempt(address, (Transport.UTP,), self._ways.encrypted(candidate.past), now))
        return True

    def next_due(self, peers: int) -> float:
        """When `next` may have something; infinity while there is no room."""
        begun = min([attempt.next_at for attempt in self._attempts.values()], default=inf)
        due = self._book.next_due() if self._room(peers) else None
        if due is None:
            return begun
        if not self._places.may_dial:
            self._places.wait(self._torrent)
            return begun
        return min(begun, max(due, self._paced_until))

    def rekey(self, ticket: int, wire: int) -> list[GiveUp]:
        """The connection stands; the dial goes on under the key of its wire, until the handshake.

        Returns:
            Those that are not wanted any more: they were slower.
        """
        attempt, approach = self._under_way.pop(ticket)
        slower = self._forget(attempt)
        self._under_way[wire] = attempt, approach
        attempt.stood()
        self._places.connected()
        return slower

    def succeeded(self, key: int) -> None:
        """The handshake came, or the connection ended and was told to the book."""
        self._end(key)

    def answered(self, key: int) -> None:
        """The handshake came: that is how the candidate is reached."""
        if key in self._under_way:
            attempt, approach = self._under_way[key]
            self._book.learn(attempt.address, approach)
            self._end(key)

    def failed(self, key: int, reason: LinkLost, now: float) -> tuple[Address, str] | None:
        """A connection could not be made; where to, and why, when the dial has led to nothing by that."""
        if key not in self._under_way:
            return None
        attempt, approach = self._under_way.pop(key)
        if not attempt.failed(approach, reason, now):
            return None
        self._drop(attempt)
        self._book.unreachable(attempt.address, now)
        return attempt.address, attempt.reason

    def unanswered(self, key: int, now: float) -> bool:
        """A connection ended before anything came over it; whether the candidate is tried otherwise."""
        if key not in self._under_way:
            return False
        attempt, approach = self._under_way[key]
        if not attempt.unanswered(approach, now):
            self._book.unanswered(attempt.address, approach.transport)
            return False
        del self._under_way[key]
        self._places.dial_again()
        return True

    def leave(self, unwanted: Callable[[str], bool]) -> list[GiveUp]:
        """Connections to such hosts are not wanted any more, which are returned; the book has forgotten them."""
        left: list[GiveUp] = []
        for attempt in [attempt for attempt in self._attempts.values() if unwanted(attempt.address.host)]:
            left += self._drop(attempt)
        return left

    def clear(self, now: float) -> list[GiveUp]:
        """Nothing that is under way is wanted any more, which is returned; nobody has failed by that."""
        unwanted: list[GiveUp] = []
        for attempt in list(self._attempts.values()):
            self._book.ended(attempt.address, now, useful=False, sated=True)
            unwanted += self._drop(attempt)
        return unwanted

    def _due(self, now: float) -> Attempt | None:
        return next((attempt for attempt in self._attempts.values() if attempt.next_at <= now), None)

    def _another(self, peers: int, now: float) -> Attempt | None:
        """The attempt at one more candidate, if there is room for it."""
        due = self._book.next_due() if self._room(peers) and self._places.may_dial else None
        if due is None or due > now:
            return None
        if self._pace.available(now) <= 0:
            self._paced_until = self._pace.ready_at(now)
            return None
        candidate = self._book.next(now)
        if candidate is None:
            return None
        address, past, ways = candidate.address, candidate.past, self._ways
        attempt = Attempt(address, ways.transports(address, past), ways.encrypted(past), now)
        self._begin(attempt)
        return attempt

    def _begin(self, attempt: Attempt) -> None:
        self._attempts[attempt.address] = attempt
        self._places.dial()

    def _end(self, key: int) -> None:
        if key in self._under_way:
            self._drop(self._under_way[key][0])

    def _drop(self, attempt: Attempt) -> list[GiveUp]:
        """The dial is over."""
        del self._attempts[attempt.address]
        self._places.dial_ended(half_open=not attempt.stands)
        return self._forget(attempt)

    def _forget(self, attempt: Attempt) -> list[GiveUp]:
        """The connections of this attempt are not wanted any more; those that are still being made."""
        keys = [key for key, (whose, _) in self._under_way.items() if whose is attempt]
        for key in keys:
            del self._under_way[key]
        return [GiveUp(key) for key in keys if key > 0]

    def _room(self, peers: int) -> bool:
        settings = self._settings
        return len(self._attempts) < settings.max_dials and peers + len(self._attempts) < settings.max_peers
