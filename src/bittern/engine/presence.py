"""Where others reach us, whether there is a network at all, and who is told when that changes."""

from collections.abc import Mapping

from bittern.base.address import Address
from bittern.base.ids import PeerId
from bittern.base.transport import Transport

from .dormitory import Dormitory
from .lobby import Lobby
from .neighbours import Neighbours
from .torrent import Torrent
from .world import Shared


class Presence:
    """That of one core.

    Args:
        shared: what its torrents share.
        torrents: those that are awake, by number; a live view.
        dormitory: those that sleep.
        lobby: connections that belong to no torrent yet.
        neighbours: the local network.

    Attributes:
        moves: grows each time that others reach us elsewhere.
    """

    def __init__(
        self,
        shared: Shared,
        torrents: Mapping[int, Torrent],
        dormitory: Dormitory,
        lobby: Lobby,
        neighbours: Neighbours,
    ) -> None:
        self.moves = 0
        self._shared = shared
        self._torrents = torrents
        self._dormitory = dormitory
        self._lobby = lobby
        self._neighbours = neighbours

    @property
    def our_addresses(self) -> tuple[Address, ...]:
        """Where we are as trackers and peers see us, at most one address of each family; none before they say so."""
        return self._shared.ourselves.known

    @property
    def port(self) -> int:
        """Where others connect to us, which may be a port of a router; 0 for nowhere."""
        return self._shared.ourselves.port

    def moved(self, listens: int, port: int, node_port: int, now: float) -> None:
        """We listen elsewhere, or are reached elsewhere: trackers, peers and the local network are told.

        Args:
            listens: our own port.
            port: where others connect to us, which may be a port of a router; 0 for nowhere.
            node_port: where they reach our node of the distributed hash table, likewise.
            now: the time.
        """
        self._neighbours.search.move(listens, now)
        if self._shared.ourselves.move(port, node_port):
            self.moves += 1
            for torrent in self._torrents.values():
                torrent.moved(now)
            self._dormitory.moved(now)

    def end_utp(self, reason: str, now: float) -> None:
        """End all connections over uTP; the peers may be connected to again."""
        for torrent in self._torrents.values():
            torrent.cut(reason, now, only=Transport.UTP)

    def cut(self, reason: str, now: float) -> None:
        """There is no network: all connections end, and none is made or taken until `join_again`."""
        self._shared.places.shut()
        self._lobby.close()
        for torrent in self._torrents.values():
            torrent.cut(reason, now)

    def join_again(self, peer_id: PeerId, now: float) -> None:
        """There is a network again: trackers, peers and the local network hear of us as soon as they can.

        Args:
            peer_id: who we say we are from now on: those that did not see us go would take us for a peer that they
                have already, and refuse us.
            now: the time.
        """
        self._shared.peer_id = peer_id
        self._shared.places.open()
        self.roamed(now)

    def roamed(self, now: float) -> None:
        """We are in another network: trackers, peers and neighbours hear of us as soon as they can."""
        self.moves += 1
        for torrent in self._torrents.values():
            torrent.moved(now, back=True)
        self._dormitory.moved(now, back=True)
        if self._shared.settings.use_lsd:
            self._neighbours.stir(now)

    def seen_as(self, host: str, by: str) -> None:
        """`by`, a host, says that others see us at the address `host`."""
        self._shared.ourselves.told(host, by)
