"""TCP and uTP on one line: uTP gives way to everybody's TCP, and so to our own, which would leave it nothing.

While uTP gets less than its part of what we move, our TCP is held to less; when the room is not used, it was something
else that kept uTP slow, and TCP is let go for a while. Each direction is for itself.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf

from bittern.base.address import is_local
from bittern.base.throttle import Throttle
from bittern.base.transport import Transport

from .swarm.lanes import Lanes
from .swarm.peer import Peer

LOOK_SECONDS = 15.0
"""From one judgement to the next: uTP needs some seconds to fill what is free, the meters of rates as many to tell."""
STEP = 0.85
"""TCP is held to so much of what it moved, and to no less than its own part."""
GROWTH = 0.05
"""While uTP has its part, TCP gets so much of that back with each look: the line may have become faster."""
POOR = 0.8
"""uTP that gets less than so much of its part is helped."""
KEPT = 0.9
"""When less than so much of what was moved before is moved with the limit, uTP does not use the room."""
PATIENCE = 3
"""After so many such looks: what TCP was given before leaves the buffers of a slow line only by and by."""
REST_SECONDS = 60.0
"""After help that was of no use TCP is not held for so long, twice as long each time."""
REST_MOST_SECONDS = 960.0
LEAST_BYTES_PER_SECOND = 20_000.0
"""What moves slower in all is left alone."""
_FRESH_SECONDS = 3.0


@dataclass(slots=True)
class Flows:
    """The connections of one transport that may move blocks in one direction: one side wants some, the other gives.

    Attributes:
        count: how many.
        rate: bytes a second of all of them.
    """

    count: int = 0
    rate: float = 0.0

    def add(self, count: int, rate: float) -> None:
        """These have something to move, too."""
        self.count += count
        self.rate += rate


class Squeeze:
    """How much TCP may move in one direction, so that uTP gets its part.

    Attributes:
        limit: bytes a second; infinity for no limit.
    """

    def __init__(self) -> None:
        self.limit = inf
        self._mixed = False  # both have something to move
        self._judged_at = 0.0
        self._before = 0.0  # what was moved in all before the last change
        self._looks = 0  # in a row that saw less moved than then
        self._rest = REST_SECONDS

    def adjust(self, tcp: Flows, utp: Flows, now: float) -> float:
        """The limit from now on, by what is moved now; called about each second."""
        if not (tcp.count and utp.count):
            self.limit = inf
            self._mixed = False
        elif not self._mixed:
            self._mixed = True
            self._judged_at = max(self._judged_at, now + LOOK_SECONDS)
        elif now >= self._judged_at:
            self._judge(tcp, utp, now)
        return self.limit

    def _judge(self, tcp: Flows, utp: Flows, now: float) -> None:
        total = tcp.rate + utp.rate
        part = total * utp.count / (tcp.count + utp.count)
        held = self.limit != inf
        self._judged_at = now + LOOK_SECONDS
        if held and total < KEPT * self._before:
            self._looks += 1
            if self._looks == PATIENCE:
                self.limit = inf
                self._judged_at = now + self._rest
                self._rest = min(2 * self._rest, REST_MOST_SECONDS)
            return
        self._before, self._looks = total, 0
        if held:
            self._rest = REST_SECONDS
        if utp.rate >= POOR * part:
            self.limit = max(self.limit + GROWTH * part, total - part)
        elif total >= LEAST_BYTES_PER_SECOND:
            self.limit = max(min(self.limit, tcp.rate * STEP), total - part, LEAST_BYTES_PER_SECOND)


class Mixing:
    """What keeps the TCP connections of a core from starving its uTP connections.

    Those in the local network are left out: they take another way.

    Attributes:
        tcp: the limit that all TCP connections pass, besides those of their torrents.
    """

    def __init__(self) -> None:
        self.tcp = Lanes()
        self._down = Squeeze()
        self._up = Squeeze()
        self._seen: dict[object, _Seen] = {}
        self._mixed_until = -inf
        self._judged_at = -inf

    def enter(self, peer: Peer) -> None:
        """A new peer has its limits: hold it to this one, too, if it comes by TCP."""
        if peer.transport is Transport.TCP and not is_local(peer.address.host):
            peer.lanes.down.beside = Throttle(self.tcp.down)
            peer.lanes.up.beside = Throttle(self.tcp.up)

    def look(self, torrent: object, peers: Iterable[Peer], now: float) -> None:
        """What the peers of a torrent move now; called about each second while there are any."""
        far = [peer for peer in peers if not is_local(peer.address.host)]
        if any(peer.transport is Transport.UTP for peer in far):
            self._mixed_until = now + _FRESH_SECONDS
        if now > self._mixed_until:
            self._seen.clear()
            self.tcp.set_limits(inf, inf)
            return
        self._seen[torrent] = _Seen(far, now)
        if now >= self._judged_at + 1.0:
            self._judged_at = now
            self._seen = {whose: seen for whose, seen in self._seen.items() if seen.at > now - _FRESH_SECONDS}
            self._judge(now)

    def _judge(self, now: float) -> None:
        tcp, utp = (Flows(), Flows()), (Flows(), Flows())
        for seen in self._seen.values():
            for whole, part in ((tcp, seen.flows[Transport.TCP]), (utp, seen.flows[Transport.UTP])):
                for to, flows in zip(whole, part, strict=True):
                    to.add(flows.count, flows.rate)
        self.tcp.set_limits(self._down.adjust(tcp[0], utp[0], now), self._up.adjust(tcp[1], utp[1], now))


class _Seen:
    """What some peers moved at one moment, down and up by transport."""

    __slots__ = ("at", "flows")

    def __init__(self, peers: Iterable[Peer], now: float) -> None:
        self.at = now
        self.flows = {transport: (Flows(), Flows()) for transport in Transport}
        for peer in peers:
            peer.measure(now)
            down, up = self.flows[peer.transport]
            if peer.am_interested and not peer.peer_choking:
                down.add(1, peer.down.rate(now))
            if peer.peer_interested and not peer.am_choking:
                up.add(1, peer.up.rate(now))
