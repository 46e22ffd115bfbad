"""A simulated machine: its turns, its open links, and the bandwidth they share."""

from collections import deque
from collections.abc import Callable
from enum import Enum, unique
from functools import partial
from math import inf
from typing import TYPE_CHECKING

from bittern.base.address import Address
from bittern.engine.ports import Acceptor

from .link import Pipe, SimLink

if TYPE_CHECKING:
    from random import Random

    from .nat import Nat
    from .network import Network
    from .paths import Inbox

QUANTUM = 16384
"""Bytes that a connection sends before the next one of the same host has its turn."""
SMALL = 512
"""Bytes up to which what several connections have to send leaves together: mostly a `have` for every peer."""
BUFFER = 256 * 1024
"""Bytes of datagrams and the like that wait where a line is slow, unless said otherwise."""
INSTANT = 1e-5
"""Seconds that are too short to be told from none."""


@unique
class Cut(Enum):
    """How a host's bytes fall into single reads and writes."""

    WHOLE = "as many bytes as there are"
    RANDOM = "any number of them"
    BYTES = "one byte at a time"

    def size(self, available: int, rng: "Random") -> int:
        """How many of `available` bytes go in one step, at least 1."""
        if self is Cut.WHOLE:
            return available
        return 1 if self is Cut.BYTES else rng.randint(1, available)


class Host:
    """A machine with one address, on which one process may run.

    Attributes:
        name: unique in its network; begins the lines of the trace.
        address: where it listens.
        uplink, downlink: its share of the network.
        latency: seconds from here to the middle of the network.
        natted: nobody can connect to it from outside.
        cut: how reads and writes are split.
        acceptor: what takes incoming connections; None when nothing listens.
        end_turn: called once at the end of every instant in which something happened to this host.
        inbox: what takes datagrams that are sent to `address`; None when nobody does.
        nat: what translates the addresses of its datagrams; None when nothing does.
        hear: called with each datagram that was sent to all of the local network, and with its sender's host.
        alive: whether the machine has power.
        links: open links by number.
        calls: what its process asked of its sockets: connections to make and to accept, reads, writes.
        call_fails_at: the call, counted from 1, that fails; 0 for none.
        nap: seconds from the end of one turn to the end of the next, at least: what a busy machine handles together.
    """

    def __init__(self, network: "Network", name: str, address: Address, up: float, down: float) -> None:
        self.network = network
        self.name = name
        self.address = address
        self.uplink = Uplink(self, up)
        self.downlink = Downlink(down)
        self.latency = 0.02
        self.natted = False
        self.cut = Cut.WHOLE
        self.acceptor: Acceptor | None = None
        self.end_turn: Callable[[float], None] | None = None
        self.inbox: Inbox | None = None
        self.nat: Nat | None = None
        self.hear: Callable[[bytes, str], None] | None = None
        self.alive = True
        self.links: dict[int, SimLink] = {}
        self.calls = 0
        self.call_fails_at = 0
        self.nap = 0.0
        self._turn_due = 0.0
        self._turn_planned = False
        self._to_flush: dict[int, SimLink] = {}
        self._to_read: dict[int, SimLink] = {}

    def __repr__(self) -> str:
        return f"Host({self.name})"

    def touch(self) -> None:
        """Something happened here: there will be an end of turn in this instant, or when the nap is over."""
        if not self._turn_planned:
            self._turn_planned = True
            self.network.world.at(self._turn_due, self._turn)

    def call_fails(self) -> bool:
        """Count a call to a socket; whether it is the one that fails."""
        self.calls += 1
        return self.calls == self.call_fails_at

    def want_flush(self, link: SimLink) -> None:
        """Ask the link's stream for bytes to send at the end of this turn."""
        self._to_flush[link.number] = link
        self.touch()

    def want_read(self, link: SimLink) -> None:
        """Offer the link's stream what is there at the end of this turn."""
        self._to_read[link.number] = link
        self.touch()

    def _turn(self) -> None:
        self._turn_planned = False
        self._turn_due = self.network.world.now + self.nap
        if not self.alive:
            return
        if self.end_turn is not None:
            self.end_turn(self.network.world.now)
        flush, self._to_flush = self._to_flush, {}
        for link in flush.values():
            link.flush()
        read, self._to_read = self._to_read, {}
        for link in read.values():
            link.pump()


class Uplink:
    """What a host sends through: one queue, in which its connections have one chunk at a time, and datagrams the rest.

    While datagrams wait, connections have as many bytes in the queue as those: half of the uplink each.

    Attributes:
        rate: bytes per second; `math.inf` for no limit.
        total: bytes that left until now, or will leave soon.
        buffer: bytes that may wait; a datagram that finds no room is lost.
        fill: bytes that connections have in the queue at a time if they have so many: how a TCP fills a large buffer.
        dropped: datagrams that were lost here.
    """

    def __init__(self, host: Host, rate: float = inf) -> None:
        self.rate = rate
        self.total = 0
        self.buffer = BUFFER
        self.fill = 0
        self.dropped = 0
        self._host = host
        self._line: deque[Pipe] = deque()
        self._under_way = 0  # times that connections put something in the queue which has not left
        self._loaded = 0  # bytes of that
        self._free = 0.0  # when the queue will be empty

    @property
    def waiting(self) -> float:
        """Bytes in the queue."""
        seconds = self._free - self._host.network.world.now
        return seconds * self.rate if seconds > 0 else 0.0

    def offer(self, pipe: Pipe) -> None:
        """`pipe` may have something to send: put it in line."""
        self._queue(pipe)
        self._send()

    def post(self, size: int) -> float | None:
        """Queue a datagram of `size` bytes, headers included: when it will have left, or None where it is lost."""
        if self.waiting + size >= self.buffer + 1:  # less than a byte is an error of rounding
            self.dropped += 1
            return None
        self.total += size
        self._free = max(self._free, self._host.network.world.now) + size / self.rate
        return self._free

    def _queue(self, pipe: Pipe) -> None:
        if not pipe.in_line and pipe.sendable:
            pipe.in_line = True
            self._line.append(pipe)

    def _send(self) -> None:
        while self._line and self._host.alive and self._loadable:
            chunks = self._next_chunks()
            if not chunks:
                return
            now, size = self._host.network.world.now, sum([len(chunk) for _, chunk in chunks])
            self._under_way += 1
            self._loaded += size
            self._free = max(self._free, now) + size / self.rate
            if self._free > now:
                self._host.network.world.at(self._free, partial(self._sent, chunks, size))
            else:
                self._departed(chunks, size)

    @property
    def _loadable(self) -> bool:
        """Whether connections may put more in the queue."""
        return not self._under_way or self._loaded < max(self.fill, self.waiting - self._loaded)

    def _next_chunks(self) -> list[tuple[Pipe, bytes]]:
        """One chunk of the next in line, or small ones of all those at the head of the line that have no more."""
        chunks: list[tuple[Pipe, bytes]] = []
        line = self._line
        while line:
            pipe = line[0]
            if chunks and pipe.buffered > SMALL:
                break
            line.popleft()
            pipe.in_line = False
            if not pipe.sendable:
                continue
            small = pipe.buffered <= SMALL
            chunks.append((pipe, pipe.take(QUANTUM)))
            if not small:
                break
        return chunks

    def _sent(self, chunks: list[tuple[Pipe, bytes]], size: int) -> None:
        self._departed(chunks, size)
        self._send()

    def _departed(self, chunks: list[tuple[Pipe, bytes]], size: int) -> None:
        for pipe, chunk in chunks:
            self.total += len(chunk)
            self._host.network.carry(pipe, chunk)
            pipe.sender.writable()
        self._under_way -= 1
        self._loaded -= size
        for pipe, _ in chunks:
            self._queue(pipe)


class Downlink:
    """What a host receives through, in the order of arrival.

    Attributes:
        rate: bytes per second; `math.inf` for no limit.
        total: bytes that came until now.
        buffer: bytes that may wait; a datagram that finds no room is lost.
        dropped: datagrams that were lost here.
    """

    def __init__(self, rate: float = inf) -> None:
        self.rate = rate
        self.total = 0
        self.buffer = BUFFER
        self.dropped = 0
        self._free = 0.0

    def post(self, size: int, now: float) -> float | None:
        """When a datagram of `size` bytes, headers included, will have come in; None where it is lost."""
        if self._free > now and (self._free - now) * self.rate + size >= self.buffer + 1:
            self.dropped += 1
            return None
        return self.take(size, now)

    def take(self, size: int, now: float) -> float:
        """When `size` bytes that arrive now will have come in; the downlink is busy until then.

        A few bytes on an idle downlink are there at once.
        """
        self.total += size
        idle, self._free = self._free <= now, max(now, self._free) + size / self.rate
        return now if idle and self._free - now < INSTANT else self._free
