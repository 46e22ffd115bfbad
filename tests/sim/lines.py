"""Streams over uTP between two simulated hosts: what is sent must come, and how fast and how late it comes is told."""

from collections.abc import Sequence
from math import inf
from random import Random

from bittern.base.address import Address
from bittern.sim.host import Host
from bittern.sim.network import Network
from bittern.sim.paths import Counts, Paths
from bittern.sim.utp import Clock, SimUtp
from bittern.sim.world import World
from bittern.wire.stream import Buffer, Link, LinkLost, Stream
from bittern.wire.utp.settings import UtpSettings

MEGABIT = 125_000.0
"""Bytes per second."""
_PATTERN = Random(0).randbytes(1 << 16)


class Source:
    """Sends `size` bytes, then closes; without a size it never ends."""

    def __init__(self, size: float = inf) -> None:
        self.size = size
        self.sent_bytes = 0
        self.link: Link | None = None
        self.loss: LinkLost | None = None
        self._spare = bytearray(256)

    def receive_buffers(self) -> Sequence[memoryview]:
        return [memoryview(self._spare)]

    def received(self, count: int, now: float) -> None:
        raise AssertionError("nobody answers")

    def send_buffers(self, limit: int) -> Sequence[Buffer]:
        buffers: list[Buffer] = []
        at, end = self.sent_bytes, min(self.size, self.sent_bytes + limit)
        while at < end:
            start = at % len(_PATTERN)
            part = memoryview(_PATTERN)[start : start + int(min(end - at, len(_PATTERN) - start))]
            buffers.append(part)
            at += len(part)
        return buffers

    def sent(self, count: int, now: float) -> None:
        self.sent_bytes += count

    def lost(self, reason: LinkLost, now: float) -> None:
        self.loss = reason


class Sink:
    """Takes what comes, `most` bytes in all, and looks at every one."""

    def __init__(self, world: World, most: float = inf) -> None:
        self.came = 0
        self.most = most
        self.done_at = inf
        self.loss: LinkLost | None = None
        self.link: Link | None = None
        self._world = world
        self._buffer = bytearray(1 << 16)

    def receive_buffers(self) -> Sequence[memoryview]:
        room = int(min(len(self._buffer), self.most - self.came))
        return [memoryview(self._buffer)[:room]] if room else []

    def received(self, count: int, now: float) -> None:
        start = self.came % len(_PATTERN)
        wanted = _PATTERN[start : start + count]
        wanted += _PATTERN[: count - len(wanted)]
        assert self._buffer[:count] == wanted, f"wrong bytes in {self.came} to {self.came + count}"
        self.came += count
        self.done_at = self._world.now

    def send_buffers(self, limit: int) -> Sequence[Buffer]:
        return []

    def sent(self, count: int, now: float) -> None:
        raise AssertionError("nothing was offered")

    def lost(self, reason: LinkLost, now: float) -> None:
        self.loss = reason


class End:
    """One host with uTP: hands its sources to those it reaches, and sinks to those who reach it."""

    def __init__(
        self, host: Host, paths: Paths, settings: UtpSettings | None = None, clock: Clock | None = None
    ) -> None:
        self.host = host
        self.sinks: list[Sink] = []
        self.failures: list[LinkLost] = []
        self.most = inf
        self._world = host.network.world
        self._wishes: dict[int, Source] = {}
        self.utp = SimUtp(host, paths, settings or UtpSettings(), self, clock)
        host.end_turn = self._end_turn

    def send(self, to: Address, size: float = inf) -> Source:
        """Connect, and send so many bytes."""
        source = Source(size)
        ticket = len(self._wishes)
        self._wishes[ticket] = source
        self.utp.connect(ticket, to)
        return source

    def _end_turn(self, now: float) -> None:
        self.utp.begin_turn()
        self.utp.end_turn()

    def accepted(self, link: Link, now: float) -> Stream:
        sink = Sink(self._world, self.most)
        sink.link = link
        self.sinks.append(sink)
        return sink

    def connected(self, ticket: int, link: Link, now: float) -> Stream:
        source = self._wishes[ticket]
        source.link = link
        link.wake_sender()
        return source

    def failed(self, ticket: int, reason: LinkLost, now: float) -> None:
        self.failures.append(reason)


class Line:
    """ann sends to bob, through bob's downlink.

    Args:
        seed: of all chance.
        rate: of the line, bytes per second.
        buffer_seconds: of the line: what waits longer is lost.
        latency: seconds from ann to bob, and back.
        clocks: of ann and of bob.
        settings: of uTP at both ends.
    """

    def __init__(
        self,
        seed: int,
        rate: float = 20 * MEGABIT,
        buffer_seconds: float = 0.2,
        latency: float = 0.02,
        clocks: tuple[Clock, Clock] = (Clock(1000.0), Clock(5.0)),
        settings: UtpSettings | None = None,
    ) -> None:
        self.world = World(Random, seed)
        self.network = Network(self.world)
        self.paths = Paths(self.network)
        self._latency = latency
        self.ann = End(self.host("ann"), self.paths, settings, clocks[0])
        self.bob = End(self.host("bob"), self.paths, settings, clocks[1])
        self.bob.host.downlink.rate = rate
        self.bob.host.downlink.buffer = int(rate * buffer_seconds) if rate != inf else 1 << 20

    def host(self, name: str) -> Host:
        """A host that is as far away as ann."""
        host = self.network.host(name)
        host.latency = self._latency / 2
        return host

    def counts(self, sender: Host | None = None) -> Counts:
        """What came to bob."""
        return self.paths.counts(sender or self.ann.host, self.bob.host)

    def send(self, size: float = inf) -> tuple[Source, Sink]:
        """A connection of ann with bob, which is there when this returns."""
        source = self.ann.send(self.bob.host.address, size)
        count = len(self.bob.sinks)
        assert self.world.run(30.0, until=lambda: len(self.bob.sinks) > count), "nobody answered"
        return source, self.bob.sinks[-1]

    def transfer(self, size: int, seconds: float) -> float:
        """Send so many bytes, all of which must come in time; the mean rate, in bytes per second."""
        began = self.world.now
        _, sink = self.send(size)
        assert self.world.run(seconds, until=lambda: sink.came >= size), f"{sink.came} of {size} bytes came"
        assert sink.came == size
        return size / (self.world.now - began)
