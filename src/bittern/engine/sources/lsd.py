"""Peers of the local network (BEP 14): which torrents to announce when, and what to believe of others."""

from collections.abc import Collection, Iterable
from math import inf

from bittern.base.address import Address
from bittern.base.errors import RemoteProtocolError
from bittern.base.ids import InfoHashV1
from bittern.wire.lsd import MOST_HASHES, LocalAnnounce

FIRST_SECONDS = 1.0
"""A torrent that begins is announced after so long: those that begin with it are in the same announce."""
LEAST_SECONDS = 60.0
"""From one announce to the next, whatever they are of."""
AGAIN_SECONDS = 300.0
"""From one announce of a torrent to the next."""
HEARD_SECONDS = 3.0
"""One host is heard so often, after a burst."""
HEARD_BURST = 20
MOST_HOSTS = 256
"""Hosts whose pace is remembered; while so many are too fast, no others are heard."""


class LocalSearch:
    """The announces of one core, and what it makes of those of others.

    All torrents share the announces, one a minute on each network: up to 24 torrents in each, those in front whose
    last is the longest ago. Whoever turns up anew is answered by an announce of the same torrent when the next is due:
    it may not be able to let us in.

    Args:
        port: see below.
        cookie: by which we know our own announces, at most 32 characters.

    Attributes:
        port: where we listen ourselves: in the local network no router is between.
    """

    def __init__(self, port: int, cookie: str) -> None:
        self.port = port
        self._cookie = cookie
        self._due = inf
        self._open_at = -inf  # not earlier
        self._announced: dict[InfoHashV1, float] = {}
        self._paces: dict[str, float] = {}  # by host, until when it has said enough

    def stir(self, now: float) -> None:
        """There may be something new to announce."""
        self._due = min(self._due, max(now + FIRST_SECONDS, self._open_at))

    def move(self, port: int, now: float) -> None:
        """We listen elsewhere from now on: everybody is to hear of it."""
        if port != self.port:
            self.port = port
            self._announced = dict.fromkeys(self._announced, -inf)
            self.stir(now)

    def rest(self) -> None:
        """Nobody is awake who would be announced: not before `stir`."""
        self._due = inf

    def next_due(self) -> float:
        """When to call `announce`; infinity for not before `stir`."""
        return self._due

    def announce(self, active: Iterable[InfoHashV1], now: float) -> LocalAnnounce | None:
        """The announce to send now to all networks; None when none is due.

        Args:
            active: info hashes of the torrents that take part in their swarms, both of hybrids.
            now: the time.
        """
        if now < self._due:
            return None
        known = self._announced
        self._announced = {name: known.get(name, -inf) for name in active}
        self._due = now + LEAST_SECONDS
        ripe = [name for name, at in self._announced.items() if now - at >= AGAIN_SECONDS]
        chosen = sorted(ripe, key=self._announced.__getitem__)[:MOST_HASHES]
        if not chosen or not self.port:
            return None
        self._announced.update(dict.fromkeys(chosen, now))
        self._open_at = self._due
        return LocalAnnounce(self.port, tuple(chosen), self._cookie)

    def heard(self, datagram: bytes, host: str, now: float) -> tuple[Address, tuple[InfoHashV1, ...]] | None:
        """Who takes part in which swarms, as a datagram says; None when it is to be ignored.

        Args:
            datagram: as it came, of whomever.
            host: where it came from: nobody can announce somebody else.
            now: the time.
        """
        if not self._listens_to(host, now):
            return None
        try:
            said = LocalAnnounce.parse(datagram)
        except RemoteProtocolError:
            return None  # the group is open to everybody
        if said.cookie == self._cookie:
            return None
        return Address(host, said.port), said.info_hashes

    def answer(self, names: Collection[InfoHashV1], now: float) -> None:
        """A newcomer turned up in the swarm of `names`, which is ours, too: let it know."""
        for name in names:
            if name in self._announced:
                self._announced[name] = -inf
                self.stir(now)

    def _listens_to(self, host: str, now: float) -> bool:
        pace = max(self._paces.pop(host, now), now)
        if len(self._paces) >= MOST_HOSTS:
            self._paces = {other: until for other, until in self._paces.items() if until > now}
        enough = pace - now >= HEARD_SECONDS * HEARD_BURST or len(self._paces) >= MOST_HOSTS
        if len(self._paces) < MOST_HOSTS:
            self._paces[host] = pace + (0.0 if enough else HEARD_SECONDS)
        return not enough
