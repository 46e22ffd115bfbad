"""The local network (BEP 14): which of our torrents are announced there, and what follows from others' announces."""

from collections.abc import Mapping

from .directory import Directory
from .dormitory import Dormitory
from .effects import AnnounceLocally, Effect
from .sources.lsd import LocalSearch
from .swarm.peerbook import Source
from .torrent import Torrent


class Neighbours:
    """What one core says to the local network, and hears there.

    Args:
        search: when to announce what, and whom to believe.
        torrents: those that are awake, by number; a live view.
        directory: all torrents by name.
        dormitory: those that sleep.

    Attributes:
        search: knows when `advance` has something to say.
    """

    def __init__(
        self, search: LocalSearch, torrents: Mapping[int, Torrent], directory: Directory, dormitory: Dormitory
    ) -> None:
        self.search = search
        self._torrents = torrents
        self._directory = directory
        self._dormitory = dormitory

    def stir(self, now: float) -> None:
        """A torrent takes part in its swarm, for the first time or again: the network is told soon."""
        self.search.stir(now)

    def heard(self, datagram: bytes, host: str, now: float) -> None:
        """A datagram came from `host`, a numeric address, that was sent to everybody."""
        heard = self.search.heard(datagram, host, now)
        if heard is None:
            return
        address, names = heard
        for name in names:
            torrent, own = self._directory.awake(name), self._directory.own(name)
            if torrent is not None and torrent.searches_locally:
                torrent.names.met((address,), name)
                if torrent.add_candidates((address,), Source.LSD, now):
                    self.search.answer((name,), now)
            elif own in self._dormitory:
                self._dormitory.call(own)  # whether it may deal with this one is known when it is awake

    def advance(self, now: float) -> list[Effect]:
        """The announce that is due, if one is."""
        if now < self.search.next_due():
            return []
        searching = [torrent for torrent in self._torrents.values() if torrent.searches_locally]
        announce = self.search.announce([name for torrent in searching for name in torrent.names.all], now)
        if not self._torrents:
            self.search.rest()
        return [AnnounceLocally(announce)] if announce is not None else []
