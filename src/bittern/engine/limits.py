"""How fast the torrents of a core may be: limits for all together, for groups, for each torrent, for each peer."""

from collections.abc import Iterable, Mapping
from math import inf
from types import MappingProxyType

from bittern.base.address import is_local

from .mixing import Mixing
from .settings import EngineSettings
from .swarm.classes import Classes
from .swarm.lanes import Lanes
from .swarm.peer import Peer

Own = Mapping[str, tuple[float | None, float | None]]
"""Limits of single peers, down and up, by numeric address; None for those of every peer."""


class Limits:
    """The limits of a core and of its groups.

    Args:
        settings: of the engine.

    Attributes:
        whole: all torrents together.
        groups: by their names.
        classes: of peers.
        mixing: what TCP connections are held to so that uTP has its part; None where there is only one of both.
    """

    def __init__(self, settings: EngineSettings) -> None:
        self.whole = Lanes()
        self.whole.set_limits(settings.down_bytes_per_second, settings.up_bytes_per_second)
        self.exempt_local = settings.exempt_local
        self.groups: dict[str, Lanes] = {}
        self.classes = Classes(settings.peer_classes)
        self.mixing = Mixing() if settings.tcp and settings.utp else None

    def group(self, name: str) -> Lanes:
        """The torrents that share the limits called `name`; a new group has none."""
        if name not in self.groups:
            self.groups[name] = Lanes(self.whole)
        return self.groups[name]


class TorrentLimits:
    """The limits of one torrent and of its peers.

    Args:
        limits: of the core.

    Attributes:
        whole: all peers of the torrent together.
        starved_until: when some peers that wait for a limit may try again; infinity when none wait.
    """

    def __init__(self, limits: Limits) -> None:
        self.whole = Lanes(limits.whole)
        self._limits = limits
        self._peer_down = self._peer_up = inf
        self._own: Own = MappingProxyType({})
        self.starved_until = inf
        self._starved: dict[int, Peer] = {}

    def join(self, group: str | None) -> None:
        """Share the limits of a group from now on; None for those of all torrents alone."""
        self.whole.move(self._limits.group(group) if group is not None else self._limits.whole)

    def equip(self, peer: Peer) -> None:
        """Hold a new peer to the limits; one that is exempt, to none but its own and those of its class."""
        limits, host = self._limits, peer.address.host
        peer.peer_class = found = limits.classes.of(host, peer.transport)
        if not (limits.exempt_local and is_local(host)) and not (found is not None and found.unlimited):
            peer.lanes = Lanes(self.whole)
        if self._limits.mixing is not None:
            self._limits.mixing.enter(peer)
        if found is not None:
            limits.classes.hold(peer.lanes, found)
        self._hold(peer)

    def limit_peers(
        self, peers: Iterable[Peer], down: float | None, up: float | None, own: Own = MappingProxyType({})
    ) -> None:
        """Bytes per second of each peer from now on; `math.inf` for no limit, None for no change.

        Args:
            peers: those that are there.
            down: of what is asked of a peer.
            up: of what a peer is served.
            own: those of single peers, in place of these; all of them, as others have none any more.
        """
        self._peer_down = down if down is not None else self._peer_down
        self._peer_up = up if up is not None else self._peer_up
        self._own = own
        for peer in peers:
            self._hold(peer)

    def _hold(self, peer: Peer) -> None:
        own_down, own_up = self._own.get(peer.address.host, (None, None))
        exempt = peer.lanes.above is None
        down, up = (inf, inf) if exempt else (self._peer_down, self._peer_up)
        peer.lanes.set_limits(down if own_down is None else own_down, up if own_up is None else own_up)

    def watch(self, peers: Iterable[Peer], now: float) -> None:
        """What these move now, in about a second's time: limits that go by that are set anew."""
        if self._limits.mixing is not None:
            self._limits.mixing.look(self, peers, now)

    def starve(self, peer: Peer, due: float) -> None:
        """A limit keeps `peer` waiting until `due`; infinity: none does."""
        if due != inf:
            self._starved[peer.number] = peer
            self.starved_until = min(self.starved_until, due)

    def take_starved(self) -> dict[int, Peer]:
        """Who waits for a limit, by number, and waits no more; some may have left."""
        self.starved_until = inf
        starved, self._starved = self._starved, {}
        return starved
