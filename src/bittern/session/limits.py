"""Limits that the user sets while a session runs: of all torrents, of groups, of one torrent and its peers."""

from dataclasses import dataclass, field, replace
from math import isnan

from bittern.base.errors import SessionError
from bittern.engine.torrent import Torrent as Swarm

from .bans import numeric


def check_limit(name: str, limit: float | None, *, zero: bool = False) -> None:
    """Raise SessionError when `limit` is no limit in bytes per second; zero only where nothing may pass at all."""
    if limit is not None and (isnan(limit) or limit < 0 or (not limit and not zero)):
        raise SessionError(f"{name} = {limit}: must be positive, math.inf for no limit")


@dataclass(slots=True)
class Limits:
    """Limits of one torrent in bytes per second; None where none was ever set.

    Attributes:
        down: from all its peers together.
        up: to all its peers together.
        peer_down: from each of its peers.
        peer_up: to each of its peers.
        group: the torrents with which it shares limits.
        peers: by numeric address, those of single peers, down and up, in place of `peer_down` and `peer_up`.
    """

    down: float | None = None
    up: float | None = None
    peer_down: float | None = None
    peer_up: float | None = None
    group: str | None = None
    peers: dict[str, tuple[float | None, float | None]] = field(default_factory=dict)

    def update(self, down: float | None, up: float | None, peer_down: float | None, peer_up: float | None) -> None:
        """Set those that are not None.

        Raises:
            SessionError: one is not positive; none is set then.
        """
        for name, limit in (("down", down), ("peer_down", peer_down)):
            check_limit(name, limit)
        for name, limit in (("up", up), ("peer_up", peer_up)):
            check_limit(name, limit, zero=True)
        self.down = down if down is not None else self.down
        self.up = up if up is not None else self.up
        self.peer_down = peer_down if peer_down is not None else self.peer_down
        self.peer_up = peer_up if peer_up is not None else self.peer_up

    def update_peer(self, host: str, down: float | None, up: float | None) -> None:
        """Set those of a single peer; None where those of every peer hold.

        Raises:
            SessionError: this is no IP address, or no limit; nothing is set then.
        """
        host = numeric(host)
        check_limit("down", down)
        check_limit("up", up, zero=True)
        self.peers.pop(host, None)
        if (down, up) != (None, None):
            self.peers[host] = (down, up)

    def copy(self) -> "Limits":
        """The same, that goes its own way."""
        return replace(self, peers=dict(self.peers))

    def apply(self, swarm: Swarm) -> None:
        """Hold a swarm to them."""
        swarm.limits.join(self.group)
        swarm.limits.whole.set_limits(self.down, self.up)
        swarm.limits.limit_peers(swarm.peers.values(), self.peer_down, self.peer_up, self.peers)
        swarm.limits_changed()
