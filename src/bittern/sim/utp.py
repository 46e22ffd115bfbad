"""uTP on a simulated host: the real thing, on datagrams that are none."""

from dataclasses import dataclass
from math import inf
from typing import Protocol

from bittern.base.address import Address
from bittern.wire.stream import Link, LinkLost, Stream
from bittern.wire.utp.mux import Mux
from bittern.wire.utp.settings import UtpSettings

from .host import Host
from .paths import Paths


@dataclass(frozen=True, slots=True)
class Clock:
    """A host's own clock, which nobody sets right.

    Attributes:
        ahead: seconds that it showed when the world began.
        rate: its seconds in one of the world's.
    """

    ahead: float = 0.0
    rate: float = 1.0

    def shows(self, now: float) -> float:
        """What it shows at a time of the world."""
        return self.ahead + now * self.rate

    def when(self, shown: float) -> float:
        """The time of the world at which it shows something."""
        return (shown - self.ahead) / self.rate


class Ends(Protocol):
    """Who is told of connections, in the world's time."""

    def accepted(self, link: Link, now: float) -> Stream:
        """The stream for a connection that was made to us."""
        ...

    def connected(self, ticket: int, link: Link, now: float) -> Stream:
        """The stream for one that we made."""
        ...

    def failed(self, ticket: int, reason: LinkLost, now: float) -> None:
        """One could not be made."""
        ...


class SimUtp:
    """All uTP connections of a host, in whose turns `begin_turn` and `end_turn` are to be called.

    Args:
        host: whose datagrams are for nobody else.
        paths: that carry them.
        settings: of uTP.
        ends: what is told of connections.
        clock: by which connections measure; the world's where nothing is said.
    """

    def __init__(self, host: Host, paths: Paths, settings: UtpSettings, ends: Ends, clock: Clock | None = None) -> None:
        self._host = host
        self._paths = paths
        self._ends = ends
        self._clock = clock or Clock()
        self._world = host.network.world
        self._mux = Mux(settings, self._world.chance(host.name).rng_for("utp"), self)
        self._wake_due = inf
        host.inbox = self

    def connect(self, ticket: int, address: Address) -> None:
        """Try to reach `address`; `UtpHost.connected` or `failed` follows."""
        self._mux.connect(ticket, address, self._now)
        self._host.touch()

    def begin_turn(self) -> None:
        """Do what time demands, and give streams what came."""
        now, due = self._now, self._mux.next_deadline()
        if due is not None and due <= now:
            self._mux.advance(now)
        self._mux.deliver(now)

    def end_turn(self) -> bool:
        """Send what there is to send, and be woken when time demands it; whether anything was sent."""
        self._mux.flush(self._now)
        sent = False
        while bursts := self._mux.take_bursts():
            sent = True
            for burst in bursts:
                self._paths.send(self._host, burst.buffers, burst.address, burst.segment, cut=burst.cut)
        due = self._mux.next_deadline()
        if due is not None and self._clock.when(due) < self._wake_due:
            self._wake_due = self._clock.when(due)
            self._world.at(self._wake_due, self._wake)
        return sent

    def close(self) -> None:
        """End all connections."""
        self._mux.close(self._now)
        self.end_turn()

    # --- from the mux (see UtpHost)

    def accepted(self, link: Link, now: float) -> Stream:
        """Somebody connected to us."""
        self._host.touch()
        return self._ends.accepted(link, self._world.now)

    def connected(self, ticket: int, link: Link, now: float) -> Stream:
        """We connected to somebody."""
        self._host.touch()
        return self._ends.connected(ticket, link, self._world.now)

    def failed(self, ticket: int, reason: LinkLost, now: float) -> None:
        """We did not."""
        self._host.touch()
        self._ends.failed(ticket, reason, self._world.now)

    def wake(self) -> None:
        """There is something to do at the end of the turn."""
        self._host.touch()

    # --- from the paths (see Inbox)

    def receive(self, data: memoryview, segment: int, source: Address, now: float) -> None:
        """Datagrams came."""
        self._mux.receive(data, segment, source, self._now)

    def refused(self, address: Address, now: float) -> None:
        """Nobody takes datagrams there."""
        self._mux.refused(address, self._now)

    def too_big(self, address: Address, size: int, now: float) -> None:
        """A datagram was more than the way takes."""
        self._mux.too_big(address, size, self._now)

    @property
    def _now(self) -> float:
        return self._clock.shows(self._world.now)

    def _wake(self) -> None:
        if self._world.now >= self._wake_due:
            self._wake_due = inf
        self._host.touch()
