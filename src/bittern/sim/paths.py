"""Datagrams between the hosts of a network: queued, lost, doubled, overtaken and too big, as paths have it.

A path begins in the sender's uplink, which its connections share, and ends in the receiver's downlink; each drops
what finds its buffer full. Between them lies the latency of both hosts, and the trouble of that one path.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import Protocol
from zlib import crc32

from bittern.base.address import Address
from bittern.wire.datagrams import Cut
from bittern.wire.stream import Buffer

from .host import Host
from .network import Network

ETHERNET_MTU = 1500
"""Bytes of a datagram with its headers that pass nearly everywhere."""
HEADERS = {False: 28, True: 48}
"""Bytes of the headers of UDP and IPv4, or IPv6."""


class Inbox(Protocol):
    """Takes the datagrams of a host; `now` is the world's."""

    def receive(self, data: memoryview, segment: int, source: Address, now: float) -> None:
        """One datagram came, or several of `segment` bytes in one piece, of which the last may be shorter."""
        ...

    def refused(self, address: Address, now: float) -> None:
        """Nobody takes datagrams there."""
        ...

    def too_big(self, address: Address, size: int, now: float) -> None:
        """A datagram of `size` bytes, without headers, is more than the way there takes in one piece."""
        ...


@dataclass(slots=True)
class Trouble:
    """What is wrong with a path, in one direction.

    Attributes:
        loss: share of the datagrams that are lost.
        doubled: share that come twice.
        overtaken: share that others overtake.
        overtaken_seconds: so much later they come at most.
        jitter: up to so many seconds are added to each, and none is overtaken.
        mtu: bytes of the largest datagram, headers included, that passes in one piece.
        silent: what is larger and may not be cut there is lost without a word (a black hole); else the sender is told.
        passes_pieces: what is larger and may be cut there comes through; else it is lost.
    """

    loss: float = 0.0
    doubled: float = 0.0
    overtaken: float = 0.0
    overtaken_seconds: float = 0.03
    jitter: float = 0.0
    mtu: int = ETHERNET_MTU
    silent: bool = False
    passes_pieces: bool = True

    @property
    def moody(self) -> bool:
        """Whether chance has a say."""
        return bool(self.loss or self.doubled or self.overtaken or self.jitter)


@dataclass(slots=True)
class Counts:
    """Datagrams that went along a path.

    Attributes:
        sent, sent_bytes: that left the host, headers included.
        come, come_bytes: that came to the other one, headers included.
        lost: that did not come.
        delay: seconds in queues and jitter that the latest one to come had spent.
        worst_delay: the most of them since somebody set this to zero.
    """

    sent: int = 0
    sent_bytes: int = 0
    come: int = 0
    come_bytes: int = 0
    lost: int = 0
    delay: float = 0.0
    worst_delay: float = 0.0


class Paths:
    """The ways of datagrams through a network.

    Args:
        network: whose hosts send and receive.

    Attributes:
        trouble: of the paths that have none of their own.
    """

    def __init__(self, network: Network) -> None:
        self.trouble = Trouble()
        self._network = network
        self._world = network.world
        self._rng = network.world.chance("paths").rng_for("trouble")
        self._own: dict[tuple[str, str], Trouble] = {}
        self._counts: dict[tuple[str, str], Counts] = {}
        self._last: dict[tuple[str, str], float] = {}

    def between(self, source: Host, target: Host) -> Trouble:
        """The trouble of the path from one host to the other, its own from now on."""
        return self._own.setdefault((source.name, target.name), Trouble())

    def counts(self, source: Host, target: Host) -> Counts:
        """What went from one host to the other."""
        return self._counts.setdefault((source.name, target.name), Counts())

    def send(
        self, host: Host, buffers: Sequence[Buffer], target: Address, segment: int = 0, *, cut: Cut = Cut.HERE
    ) -> None:
        """Send datagrams from `host`.

        Args:
            host: from its own address.
            buffers: their bytes, one after the other.
            target: where to.
            segment: bytes of each of them but the last; 0 for one datagram of all bytes.
            cut: where they may be cut.
        """
        data = b"".join(buffers)
        other = self._network.at(target.host)
        if other is None or not data:
            return
        now, source = self._world.now, host.address
        if host.nat is not None:
            source = Address(source.host, host.nat.outbound(source.port, target, now))
        step = min(segment, len(data)) or len(data)
        header, trouble = HEADERS[target.is_ipv6], self._own.get((host.name, other.name), self.trouble)
        if host.uplink.rate == other.downlink.rate == inf and not trouble.moody and step + header <= trouble.mtu:
            # Nothing can come between them: they travel as one.
            self._post(_Parcel(host, other, data, step, source, target, now), trouble, cut)
            return
        for at in range(0, len(data), step):
            part = data[at : at + step]
            self._post(_Parcel(host, other, part, len(part), source, target, now), trouble, cut)

    def _post(self, parcel: "_Parcel", trouble: Trouble, cut: Cut) -> None:
        host, other = parcel.host, parcel.other
        counts = self.counts(host, other)
        left = host.uplink.post(parcel.size)
        if left is None:
            counts.lost += 1
            return
        counts.sent += parcel.datagrams
        counts.sent_bytes += parcel.size
        due = left + self._network.delay(host, other)
        pieces = cut is Cut.ANYWHERE
        if parcel.segment + HEADERS[parcel.target.is_ipv6] > trouble.mtu and not (pieces and trouble.passes_pieces):
            counts.lost += 1
            if not (pieces or trouble.silent):
                self._world.at(due, partial(self._too_big, parcel))
        elif not trouble.moody:
            self._world.at(due, partial(self._arrive, parcel))
        else:
            for moment in self._fate((host.name, other.name), trouble, due):
                self._world.at(moment, partial(self._arrive, parcel))

    def _fate(self, key: tuple[str, str], trouble: Trouble, due: float) -> list[float]:
        """When a datagram that would come at `due` does come: not at all, once or twice."""
        rng, copies = self._rng, 1
        if trouble.loss and rng.random() < trouble.loss:
            self._counts[key].lost += 1
            copies -= 1
        if trouble.doubled and rng.random() < trouble.doubled:
            copies += 1
        moments = []
        for _ in range(copies):
            moment = due
            if trouble.jitter:
                moment = self._last[key] = max(self._last.get(key, 0.0), due + rng.uniform(0.0, trouble.jitter))
            if trouble.overtaken and rng.random() < trouble.overtaken:
                moment += rng.uniform(0.0, trouble.overtaken_seconds)
            moments.append(moment)
        return moments

    def _arrive(self, parcel: "_Parcel") -> None:
        host, other, now = parcel.host, parcel.other, self._world.now
        port: int | None = parcel.target.port
        if other.nat is not None:
            port = other.nat.inbound(parcel.target.port, parcel.source, now)
        if port is None or not self._network.reachable(host, other):
            self.counts(host, other).lost += parcel.datagrams
            return
        if other.inbox is None or port != other.address.port:
            self.counts(host, other).lost += parcel.datagrams
            self._world.after(self._network.delay(other, host), partial(self._refused, parcel))
            return
        due = other.downlink.post(parcel.size, now)
        if due is None:
            self.counts(host, other).lost += parcel.datagrams
        elif due > now:
            self._world.at(due, partial(self._deliver, parcel))
        else:
            self._deliver(parcel)

    def _deliver(self, parcel: "_Parcel") -> None:
        host, other, now = parcel.host, parcel.other, self._world.now
        if other.inbox is None or not other.alive:
            return
        counts = self.counts(host, other)
        counts.come += parcel.datagrams
        counts.come_bytes += parcel.size
        counts.delay = now - parcel.sent - self._network.delay(host, other)
        counts.worst_delay = max(counts.worst_delay, counts.delay)
        data = parcel.data
        self._world.trace.note(now, f"{host.name} ~> {other.name} {len(data)} {crc32(data):08x}")
        other.inbox.receive(memoryview(data), parcel.segment, parcel.source, now)
        other.touch()

    def _refused(self, parcel: "_Parcel") -> None:
        host = parcel.host
        if host.inbox is not None and host.alive:
            host.inbox.refused(parcel.target, self._world.now)
            host.touch()

    def _too_big(self, parcel: "_Parcel") -> None:
        host = parcel.host
        if host.inbox is not None and host.alive:
            host.inbox.too_big(parcel.target, len(parcel.data), self._world.now)
            host.touch()


@dataclass(frozen=True, slots=True)
class _Parcel:
    """Datagrams that travel together, most often one.

    Attributes:
        host, other: from whom, and to whom.
        data: all their bytes.
        segment: bytes of each but the last.
        source, target: the addresses in the header.
        sent: when.
    """

    host: Host
    other: Host
    data: bytes
    segment: int
    source: Address
    target: Address
    sent: float

    @property
    def datagrams(self) -> int:
        return -(-len(self.data) // self.segment)

    @property
    def size(self) -> int:
        """Bytes on the line."""
        return len(self.data) + self.datagrams * HEADERS[self.target.is_ipv6]
