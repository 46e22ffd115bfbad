"""What a world must offer the engine. io and sim each implement these; nothing else touches the outside.

Hot bytes go through method calls with ints; cold decisions are the values of `effects`.
"""

from typing import TYPE_CHECKING, Protocol

from bittern.wire.stream import Link, Stream

from .effects import AnnounceLocally, Connect, ConnectWeb, DiskJob, GiveUp, HttpGet, Resolve, SendDatagram, WorkOut

if TYPE_CHECKING:
    from random import Random


class Net(Protocol):
    """Makes connections. Answers come as `Core.connected` or `Core.connect_failed`, in a later turn."""

    def connect(self, wish: Connect) -> None:
        """Try to reach `wish.address`."""
        ...

    def give_up(self, wish: GiveUp) -> None:
        """Try no longer, where that spares anything: a connection that comes all the same is closed by its stream."""
        ...

    def connect_web(self, wish: ConnectWeb) -> None:
        """Try to reach a web server. Answers come as `Core.web_connected` or `Core.web_failed`, in a later turn."""
        ...


class Disk(Protocol):
    """Runs jobs on a torrent's files. Completions come in batches to `Core.disk_done`, in a later turn."""

    def submit(self, job: DiskJob) -> None:
        """Queue `job`; its buffer belongs to the disk until the completion comes back."""
        ...

    def read_now(self, torrent: int, offset: int, into: memoryview) -> bool:
        """Fill `into` from `offset` of the torrent if that can be done without waiting; else False."""
        ...


class Http(Protocol):
    """Fetches. Answers come as `Core.http_done` or `Core.http_failed`, in a later turn."""

    def get(self, wish: HttpGet) -> None:
        """GET `wish.url`."""
        ...


class Udp(Protocol):
    """Moves datagrams, by one socket for each family. What comes goes to `Core.datagram`."""

    def send(self, wish: SendDatagram) -> None:
        """Send one; `Core.datagram_refused` says where the system cannot."""
        ...


class Resolver(Protocol):
    """Looks up names. Answers come as `Core.resolved`, in a later turn."""

    def resolve(self, wish: Resolve) -> None:
        """Find the addresses of `wish.host`."""
        ...


class Local(Protocol):
    """Speaks to everybody in the local networks. What others say comes as `Core.local_heard`."""

    def announce(self, wish: AnnounceLocally) -> None:
        """Send it on each network that peers may reach us from."""
        ...


class Keys(Protocol):
    """Works out what takes a while. Answers come as `Core.worked_out`, in a later turn."""

    def work_out(self, wish: WorkOut) -> None:
        """Work out a shared secret."""
        ...


class Chance(Protocol):
    """Where randomness comes from."""

    def rng_for(self, part: str, key: bytes = b"") -> "Random":
        """An own stream for `part`, so that a new draw in one part does not shift another."""
        ...

    def entropy(self, count: int) -> bytes:
        """`count` bytes for identifiers and keys."""
        ...


class Acceptor(Protocol):
    """What a world calls for a connection that was made to us."""

    def accepted(self, link: Link, now: float) -> Stream:
        """The stream for an incoming link."""
        ...
