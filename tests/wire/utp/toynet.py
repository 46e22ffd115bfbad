"""A network of a few lines, with virtual time: processes with a Mux each, and paths that lose and reorder."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from random import Random

from bittern.base.address import Address
from bittern.wire.datagrams import Burst
from bittern.wire.stream import Buffer, Link, LinkLost, Stream
from bittern.wire.utp.mux import Mux
from bittern.wire.utp.settings import UtpSettings

ANN = Address("10.0.0.1", 1000)
BOB = Address("10.0.0.2", 2000)


class Pump:
    """A stream that sends given bytes and keeps what it gets.

    Attributes:
        got: what came.
        ended: why the link ended.
        open: whether it takes bytes now.
    """

    def __init__(self, data: bytes = b"", *, close_after: bool = False, buffer: int = 5000) -> None:
        self._data = memoryview(data)
        self._close_after = close_after
        self._into = memoryview(bytearray(buffer))
        self.got = bytearray()
        self.ended: LinkLost | None = None
        self.open = True
        self.link: Link | None = None

    @property
    def unsent(self) -> int:
        return len(self._data)

    def say(self, data: bytes) -> None:
        self._data = memoryview(bytes(self._data) + data)
        if self.link is not None:
            self.link.wake_sender()

    def receive_buffers(self) -> Sequence[memoryview]:
        half = len(self._into) // 2
        return (self._into[:half], self._into[half:]) if self.open else ()

    def received(self, count: int, now: float) -> None:
        assert 0 < count <= len(self._into)
        self.got += self._into[:count]

    def send_buffers(self, limit: int) -> Sequence[Buffer]:
        data = self._data[: max(limit, 1) + 100]
        return (data[: len(data) // 2], data[len(data) // 2 :]) if data else ()

    def sent(self, count: int, now: float) -> None:
        self._data = self._data[count:]
        if not self._data and self._close_after and self.link is not None:
            self.link.close()

    def lost(self, reason: LinkLost, now: float) -> None:
        assert self.ended is None
        self.ended = reason


@dataclass
class Path:
    """One direction: what happens to a datagram.

    Attributes:
        delay: seconds.
        loss, copies: probabilities.
        jitter: seconds more at most, which reorders.
        rate: bytes per second; 0 for any.
        queue: seconds of waiting at most, then datagrams are dropped.
        mtu: bytes; larger ones vanish.
        cut: bytes that the receiver reads of each.
    """

    delay: float = 0.02
    loss: float = 0.0
    copies: float = 0.0
    jitter: float = 0.0
    rate: float = 0.0
    queue: float = 0.2
    mtu: int = 1472
    cut: int = 1 << 16
    free_at: float = 0.0
    seen: list[bytes] = field(default_factory=list)

    def arrivals(self, size: int, now: float, rng: Random) -> list[float]:
        if size > self.mtu or rng.random() < self.loss:
            return []
        start = max(now, self.free_at)
        if self.rate:
            if start - now > self.queue:
                return []
            start += size / self.rate
            self.free_at = start
        copies = 2 if rng.random() < self.copies else 1
        return [start + self.delay + rng.random() * self.jitter for _ in range(copies)]


class Host:
    """A process: a Mux, and the streams of its links."""

    def __init__(self, net: "Net", address: Address, settings: UtpSettings, skew: float) -> None:
        self.net = net
        self.address = address
        self.skew = skew
        self.mux = Mux(settings, Random(f"{address} {net.seed}"), self)
        self.streams: list[Pump] = []
        self.failures: list[LinkLost] = []
        self.accept: Callable[[], Pump] = Pump
        self.dial: Callable[[], Pump] = Pump
        self.sent = 0
        self.coalesce = False

    def clock(self) -> float:
        return self.net.now * (1 + self.skew) + 1000 * self.address.port

    def accepted(self, link: Link, now: float) -> Stream:
        return self._serve(link, self.accept())

    def connected(self, ticket: int, link: Link, now: float) -> Stream:
        return self._serve(link, self.dial())

    def failed(self, ticket: int, reason: LinkLost, now: float) -> None:
        self.failures.append(reason)

    def wake(self) -> None:
        self.net.wake(self)

    def _serve(self, link: Link, stream: Pump) -> Pump:
        stream.link = link
        self.streams.append(stream)
        return stream

    def take(self, data: bytes, segment: int, source: Address) -> None:
        self.mux.receive(memoryview(data), segment, source, self.clock())
        self.wake()

    def turn(self) -> None:
        now = self.clock()
        due = self.mux.next_deadline()
        if due is not None and due <= now:
            self.mux.advance(now)
        self.mux.deliver(now)
        self.mux.flush(now)
        for burst in self.mux.take_bursts():
            self.net.carry(self, burst)
        due = self.mux.next_deadline()
        if due is not None:
            at = (due - 1000 * self.address.port) / (1 + self.skew)
            self.net.at(max(at, self.net.now + 1e-6), self.wake)


class Net:
    """Virtual time, and paths between hosts."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self.rng = Random(seed)
        self.now = 0.0
        self.hosts: dict[Address, Host] = {}
        self.paths: dict[tuple[Address, Address], Path] = {}
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._woken: dict[Address, Host] = {}

    def host(self, address: Address, settings: UtpSettings | None = None, skew: float = 0.0) -> Host:
        host = Host(self, address, settings or UtpSettings(), skew)
        self.hosts[address] = host
        return host

    def path(self, source: Address, target: Address) -> Path:
        return self.paths.setdefault((source, target), Path())

    def at(self, when: float, call: Callable[[], None]) -> None:
        self._count += 1
        heappush(self._events, (when, self._count, call))

    def wake(self, host: Host) -> None:
        if host.address not in self._woken:
            self._woken[host.address] = host
            self.at(self.now, lambda: self._turn(host))

    def _turn(self, host: Host) -> None:
        del self._woken[host.address]
        host.turn()

    def carry(self, host: Host, burst: Burst) -> None:
        data = b"".join(burst.buffers)
        host.sent += len(data)
        path = self.path(host.address, burst.address)
        datagrams = [data[at : at + burst.segment] for at in range(0, len(data), burst.segment)]
        for datagram in datagrams:
            path.seen.append(datagram[:20])
        if host.coalesce and len(data) / len(datagrams) <= path.mtu:
            for when in path.arrivals(1, self.now, self.rng):
                self._hand_over(when, host.address, burst.address, data, burst.segment)
            return
        for datagram in datagrams:
            for when in path.arrivals(len(datagram), self.now, self.rng):
                self._hand_over(when, host.address, burst.address, datagram[: path.cut], burst.segment)

    def _hand_over(self, when: float, source: Address, target: Address, data: bytes, segment: int) -> None:
        def arrive() -> None:
            host = self.hosts.get(target)
            if host is not None:
                host.take(data, segment, source)

        self.at(when, arrive)

    def run(self, until: float, done: Callable[[], bool] = bool) -> None:
        """Let events happen until virtual time `until`, or until `done` says so."""
        while self._events and self._events[0][0] <= until and not done():
            self.now, _, call = heappop(self._events)
            call()


def pair(seed: int = 0, settings: UtpSettings | None = None) -> tuple[Net, Host, Host]:
    """Two hosts with nothing said yet."""
    net = Net(seed)
    return net, net.host(ANN, settings), net.host(BOB, settings)
