"""Connections that belong to no torrent yet: strangers before their handshake, and callers of torrents that sleep."""

from collections.abc import Callable

from bittern.base.deadlines import Deadlines
from bittern.base.ids import InfoHashV1
from bittern.wire.handshake import Handshake
from bittern.wire.peerwire import Greeter, PeerWire
from bittern.wire.stream import Link

from .swarm.members import FILTERED
from .swarm.places import crowded_out
from .torrent import Torrent
from .world import Shared


class Lobby:
    """Those of one core.

    Args:
        greeter: decides about each when its handshake is there.
        shared: what the torrents of the core share.

    Attributes:
        wires: of those that wait, by their keys, which are below zero.
    """

    def __init__(self, greeter: Greeter, shared: Shared) -> None:
        self._deadlines = Deadlines()
        self._greeter = greeter
        self._shared = shared
        self.wires: dict[int, PeerWire] = {}
        self._dialed: dict[int, Torrent] = {}  # whose those among them are that we made
        self._callers: dict[int, Handshake] = {}  # of those among them that wait for a torrent to wake up
        self._last_key = 0

    def enter(self, link: Link, now: float, torrent: Torrent | None = None) -> PeerWire:
        """The wire of a new connection: one that we made for `torrent`, or one that was made to us."""
        expected = torrent.names.all if torrent is not None else ()
        wire = PeerWire(link, self._shared.scratch, self._greeter, now, expected)
        self._last_key -= 1  # tickets count up, wires down: a dial goes on under the key of its wire
        wire.key = self._last_key
        self.wires[wire.key] = wire
        if torrent is not None:
            self._dialed[wire.key] = torrent
        self._deadlines.set(wire.key, wire.next_due())
        return wire

    def refuse(self, link: Link, now: float) -> PeerWire:
        """A connection that nobody wants, ended without a word; its wire, which knows that."""
        wire = self.enter(link, now)
        self.turn_away(wire)
        return wire

    def crowd_out(self, newcomer: str) -> None:
        """Somebody came from this host: who is one too many for it goes."""
        came = [(key, wire.link.address.host) for key, wire in self.wires.items() if key not in self._dialed]
        oldest = crowded_out(came, newcomer, self._shared.settings.max_strangers)
        if oldest is not None:
            self.turn_away(self.wires[oldest])

    def leave(self, wire: PeerWire) -> Torrent | None:
        """A wire waits no more, for its handshake is there or its connection ended; whose it is, if we made it."""
        self.wires.pop(wire.key, None)
        self._callers.pop(wire.key, None)
        self._deadlines.set(wire.key, None)
        return self._dialed.pop(wire.key, None)

    def turn_away(self, wire: PeerWire) -> None:
        """End a connection without a word."""
        self.leave(wire)
        wire.close()

    def shut_out(self, now: float) -> None:
        """The IP filter is another: end the connections that no torrent could want any more."""
        ip_filter = self._shared.ip_filter
        for key, wire in list(self.wires.items()):
            torrent, host = self._dialed.get(key), wire.link.address.host
            if torrent is not None and ip_filter.blocks(host, torrent.wire_hash):
                self.turn_away(wire)
                torrent.wire_ended(wire, FILTERED, offence=False, now=now)
            elif torrent is None and ip_filter.turns_away(host):
                self.turn_away(wire)

    def keep_waiting(self, wire: PeerWire, handshake: Handshake) -> None:
        """Listen no more to who came for a torrent that sleeps, until that is awake or the time is over."""
        self.wires[wire.key] = wire
        self._callers[wire.key] = handshake
        self._deadlines.set(wire.key, wire.next_due())
        wire.pause()

    def take_callers(self, wanted: Callable[[InfoHashV1], bool]) -> list[tuple[PeerWire, Handshake]]:
        """Those that wait for a torrent by a `wanted` name, the longest first; they wait no more."""
        callers = [(self.wires[key], said) for key, said in self._callers.items() if wanted(said.info_hash)]
        for wire, _ in callers:
            self.leave(wire)
        return callers

    def close(self) -> None:
        """End all connections."""
        for wire in list(self.wires.values()):
            self.turn_away(wire)

    def next_deadline(self) -> float | None:
        """When `advance` has something to do."""
        return self._deadlines.next()

    def advance(self, now: float) -> None:
        """Give up who has said nothing in time."""
        for key in self._deadlines.take(now):
            if key in self.wires:
                self.wires[key].keep_up(now)
