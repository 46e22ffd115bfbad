"""The companies of all torrents: who of them makes room where all connections together are too many."""

from typing import Protocol

from .peer import Peer


class Crowd(Protocol):
    """The peers of one torrent."""

    def unheard(self, now: float) -> Peer | None:
        """The one that gives way to anybody; see turnover."""
        ...

    def give_way(self, peer: Peer, now: float) -> None:
        """End the connection with it, since a newcomer has its place."""
        ...


class Crowds:
    """Those that have anybody, by their torrents."""

    def __init__(self) -> None:
        self._crowds: dict[int, Crowd] = {}

    def __len__(self) -> int:
        return len(self._crowds)

    def gathered(self, torrent: int, crowd: Crowd) -> None:
        """Somebody is there."""
        self._crowds[torrent] = crowd

    def scattered(self, torrent: int) -> None:
        """Nobody is there any more."""
        self._crowds.pop(torrent, None)

    def relieve(self, now: float) -> None:
        """Part with the peer that was of no use for longest, whosever it is, if there is one."""
        found = [(peer.joined_at, at, peer) for at, each in self._crowds.items() if (peer := each.unheard(now))]
        if found:
            _, torrent, peer = min(found, key=lambda each: each[:2])
            self._crowds[torrent].give_way(peer, now)
