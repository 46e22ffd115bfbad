"""The paths between simulated hosts: latency, NAT, and what a fault does to them.

A host has one uplink, which its connections share in turns, and one downlink, which serves in order of arrival.
Between them lies the latency of both hosts and some jitter. Nothing is lost or reordered inside a connection:
what TCP would repeat arrives late.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import inf

from bittern.base.address import Address
from bittern.wire.stream import LinkLost, LossKind, Stream

from .host import Host
from .link import Pipe, SimLink
from .world import World

CONNECT_SECONDS = 10.0
"""How long a connection attempt waits for an answer."""
GIVE_UP_SECONDS = 120.0
"""How long a connection repeats bytes that nobody acknowledges."""
PORT = 51413
"""Where every host listens."""


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A connection that `host` tries to make; one of the two calls follows."""

    host: Host
    address: Address
    connected: Callable[[SimLink], Stream]
    failed: Callable[[LinkLost], None]

    def fail(self, kind: LossKind) -> None:
        if self.host.alive:
            self.failed(LinkLost(kind, str(self.address)))
            self.host.touch()

    def succeed(self, link: SimLink) -> None:
        if link.ended:
            self.fail(LossKind.RESET)
        elif self.host.alive:
            link.serve(self.connected(link))
            self.host.touch()


class Network:
    """All hosts and the paths between them.

    Attributes:
        hosts: by name, in the order in which they came.
        jitter: up to so many seconds are added to the latency of each chunk.
        together: hosts that come are put into one /24 (up to 254 of them); else each is in one of its own.
        lan: whether all hosts are in one local network, and hear what is said to everybody there.
        rng: chance for jitter and for how reads and writes are cut.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.hosts: dict[str, Host] = {}
        self.jitter = 0.0
        self.together = False
        self.lan = False
        self.rng = world.chance("network").rng_for("cut and jitter")
        self._by_ip: dict[str, Host] = {}
        self._side: dict[str, int] = {}
        self._held: dict[int, Pipe] = {}
        self._links = 0
        self._port = 0

    def host(self, name: str, up: float = inf, down: float = inf) -> Host:
        """A new host; its other properties may be set before it is used."""
        assert name not in self.hosts, f"there is a host {name} already"
        number = len(self.hosts) + 1
        ip = f"10.0.0.{number}" if self.together else f"10.{number >> 8 & 255}.{number & 255}.1"
        host = Host(self, name, Address(ip, PORT), up, down)
        self.hosts[name] = host
        self._by_ip[ip] = host
        return host

    def at(self, ip: str) -> Host | None:
        """The host that has an address, if there is one."""
        return self._by_ip.get(ip)

    def delay(self, source: Host, target: Host) -> float:
        """Seconds from one host to the other without jitter."""
        return source.latency + target.latency

    def connect(
        self, host: Host, address: Address, connected: Callable[[SimLink], Stream], failed: Callable[[LinkLost], None]
    ) -> None:
        """Connect `host` to `address`; one of the two calls follows, a round trip or `CONNECT_SECONDS` later."""
        attempt = _Attempt(host, address, connected, failed)
        if host.call_fails():
            # As with no file descriptor left: nothing went out.
            self.world.after(0.0, partial(attempt.fail, LossKind.UNREACHABLE))
            return
        target = self._by_ip.get(address.host)
        if target is None or target.natted:
            self.world.after(CONNECT_SECONDS, partial(attempt.fail, LossKind.TIMED_OUT))
        else:
            self.world.after(self._delay(host, target), partial(self._knock, attempt, target))

    def _knock(self, attempt: _Attempt, target: Host) -> None:
        host, address, now = attempt.host, attempt.address, self.world.now
        if not self.reachable(host, target):
            self.world.after(CONNECT_SECONDS, partial(attempt.fail, LossKind.TIMED_OUT))
            return
        back = self._delay(target, host)
        if target.acceptor is None or address.port != target.address.port or target.call_fails():
            self.world.after(back, partial(attempt.fail, LossKind.REFUSED))
            return
        near, far = self._pair(host, target, address)
        self.world.trace.note(now, f"{host.name} > {target.name} connected as {near.number} and {far.number}")
        self.world.after(back, partial(attempt.succeed, near))
        far.serve(target.acceptor.accepted(far, now))
        target.touch()

    def _pair(self, host: Host, target: Host, address: Address) -> tuple[SimLink, SimLink]:
        self._port = self._port % 16000 + 1
        self._links += 2
        out, back = Pipe(self._links - 1), Pipe(self._links)
        near = SimLink(host, address, self._links - 1, out, back)
        far = SimLink(target, Address(host.address.host, 49152 + self._port), self._links, back, out)
        out.sender = back.receiver = near
        out.receiver = back.sender = far
        host.links[near.number] = near
        target.links[far.number] = far
        return near, far

    def _delay(self, source: Host, target: Host) -> float:
        return self.delay(source, target) + (self.rng.uniform(0, self.jitter) if self.jitter else 0.0)

    def shout(self, host: Host, datagram: bytes) -> None:
        """Send a datagram to everybody in the local network of `host`, which does not hear it itself."""
        for other in self.hosts.values() if self.lan else ():
            if other is not host:
                self.world.after(self._delay(host, other), partial(self._hear, host, other, datagram))

    def _hear(self, host: Host, other: Host, datagram: bytes) -> None:
        if self.reachable(host, other) and other.hear is not None:
            other.hear(datagram, host.address.host)

    # ------------------------------------------------------------------ bytes on their way

    def carry(self, pipe: Pipe, chunk: bytes) -> None:
        """`chunk` left the uplink; an empty one is the end of the connection's direction."""
        due = self.world.now + self._delay(pipe.sender.host, pipe.receiver.host)
        pipe.last_arrival = max(due, pipe.last_arrival)
        self.world.at(pipe.last_arrival, partial(self._arrive, pipe, chunk))

    def _arrive(self, pipe: Pipe, chunk: bytes) -> None:
        host = pipe.receiver.host
        if pipe.held or not self.reachable(pipe.sender.host, host):
            self._hold(pipe, chunk)
            return
        due = host.downlink.take(len(chunk), self.world.now)
        if due > self.world.now:
            self.world.at(due, partial(pipe.deliver, chunk))
        else:
            pipe.deliver(chunk)

    def _hold(self, pipe: Pipe, chunk: bytes) -> None:
        if not pipe.held:
            self._held[pipe.number] = pipe
            self.world.after(GIVE_UP_SECONDS, partial(self._give_up, pipe, pipe.repeats))
        pipe.held.append(chunk)

    def _give_up(self, pipe: Pipe, repeats: int) -> None:
        if pipe.held and pipe.repeats == repeats:
            pipe.held.clear()
            self._held.pop(pipe.number, None)
            pipe.sender.lose(LinkLost(LossKind.TIMED_OUT, "nothing is acknowledged"))

    def reset(self, pipe: Pipe) -> None:
        """Tell the receiver of `pipe` that the connection is no more, ahead of what has not arrived yet."""
        self.world.after(self._delay(pipe.sender.host, pipe.receiver.host), partial(self._reset_arrives, pipe))

    def _reset_arrives(self, pipe: Pipe) -> None:
        if self.reachable(pipe.sender.host, pipe.receiver.host):
            pipe.receiver.lose(LinkLost(LossKind.RESET))

    # ------------------------------------------------------------------ faults

    def reachable(self, one: Host, other: Host) -> bool:
        """Whether bytes get from one host to the other."""
        return one.alive and other.alive and self._side.get(one.name, 0) == self._side.get(other.name, 0)

    def split(self, *groups: list[Host]) -> None:
        """Cut the network: hosts reach only those of their group, hosts of no group each other. No group heals it."""
        self._side = {host.name: number for number, group in enumerate(groups, start=1) for host in group}
        self.world.trace.note(self.world.now, f"network split {sorted(self._side.items())}")
        for pipe in list(self._held.values()):
            if self.reachable(pipe.sender.host, pipe.receiver.host):
                del self._held[pipe.number]
                chunks, pipe.held = pipe.held, []
                pipe.repeats += 1
                for chunk in chunks:
                    self.carry(pipe, chunk)

    def stop(self, host: Host) -> None:
        """End the host's process: its connections are reset, and nothing listens any more."""
        self.world.trace.note(self.world.now, f"{host.name} stopped")
        host.acceptor = None
        host.end_turn = None
        host.inbox = None
        host.hear = None
        for link in list(host.links.values()):
            link.reset()

    def power_off(self, host: Host) -> None:
        """The host is gone without a word: its connections stay half open until the other side gives up."""
        self.world.trace.note(self.world.now, f"{host.name} lost power")
        host.alive = False
