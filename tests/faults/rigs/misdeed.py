"""What a misbehaviour is: one row of the table in `tests/faults/misdeeds`."""

from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from enum import Enum, unique
from math import inf
from random import Random
from time import monotonic, sleep

from tests.faults.rigs import wire
from tests.faults.rigs.torrent import MIB, Torrent
from tests.faults.rigs.utp import Caller
from tests.faults.rigs.wire import HangUpError, Wire, dial

ALL = bytes(a | b for a, b in zip(wire.FAST, wire.EXTENSIONS, strict=True))
"""The fast extension and the extension protocol."""
FLAT = 10 * MIB
"""What a misdeed may cost in memory."""
POURED_IN_A_SECOND = 10 * MIB
DROP_SECONDS = 30.0
"""Patience with what comes at once, where the machine has other things to do."""


@unique
class Against(Enum):
    """Whom it is done to."""

    SEED = "seed"
    LEECH = "leech"
    LINK = "link"
    """One that has a magnet link, and no metadata yet."""
    TREE = "tree"
    """A seed of a torrent of version 2."""


@unique
class Fate(Enum):
    """What becomes of who does it. The value is the word of the documentation."""

    DROPPED = "dropped"
    """An offence: the connection ends, and why is told."""
    BANNED = "banned"
    """As DROPPED, and nobody of that address is let in again."""
    CLOSED = "closed"
    """The connection ends without a word: it never was a peer."""
    ENDURED = "endured"
    """It costs next to nothing and nobody is wronged: the connection goes on."""


class Scene:
    """Where a misdeed happens: a victim, and addresses that are nobody else's.

    Args:
        port: of the victim, at 127.0.0.1, over TCP and UDP.
        torrent: what it is about.
        number: of the misdeed; each has addresses of its own.
        seconds: how long what can go on for ever goes on.
        rng: of the misdeed.

    Attributes:
        wires: connections that were made, in order.
        hosts: addresses that they were made from.
        number: of the misdeed.
    """

    def __init__(self, port: int, torrent: Torrent, number: int, seconds: float, rng: Random) -> None:
        self.port, self.torrent, self.rng, self.seconds = port, torrent, rng, seconds
        self.wires: list[Wire] = []
        self.hosts: dict[str, None] = {}
        self.number = number
        self.stack = ExitStack()

    def ends_at(self) -> float:
        """When the time is over, for `goes_on`."""
        return monotonic() + self.seconds

    @staticmethod
    def goes_on(end: float, rest: float = 0.0) -> bool:
        """Rest so many seconds; whether there is time left."""
        sleep(rest)
        return monotonic() < end

    def host(self, nth: int = 0) -> str:
        """An address, of 60,000 that only this misdeed has."""
        return f"127.{10 + self.number}.{nth // 250}.{1 + nth % 250}"

    def connect(self, nth: int = 0) -> Wire:
        """A connection from an address of ours, and nothing said."""
        peer = dial(self.port, self.torrent.info_hash, source=self.host(nth))
        self.stack.callback(peer.close)
        self.wires.append(peer)
        self.hosts[self.host(nth)] = None
        return peer

    def join(self, reserved: bytes = ALL, nth: int = 0, name: int | None = None) -> Wire:
        """Handshakes both ways."""
        peer = self.connect(nth)
        peer.hello(reserved=reserved, peer_id=b"-HO%04d-%012d" % (self.number, nth if name is None else name))
        peer.greeted()
        return peer

    def unchoked(self, reserved: bytes = ALL, nth: int = 0) -> Wire:
        """As `join`, and allowed to ask."""
        peer = self.join(reserved, nth)
        peer.say(wire.INTERESTED)
        peer.until(wire.UNCHOKE)
        return peer

    def offering(self, reserved: bytes = wire.PLAIN, nth: int = 0) -> tuple[Wire, tuple[int, int, int]]:
        """As `join`, with everything to give; and the first request that comes."""
        peer = self.join(reserved, nth)
        peer.have_everything(self.torrent.pieces)
        peer.say(wire.UNCHOKE)
        return peer, peer.request()

    def call(self, nth: int = 0) -> Caller:
        """A socket for uTP at an address of ours."""
        return self.stack.enter_context(Caller(self.port, self.host(nth)))

    def pour(self, peer: Wire, data: bytes, most: float = inf) -> int:
        """Say `data` over and over while the time lasts, reading nothing; how many bytes were taken.

        In a second it is ten megabytes at most: what waits in the buffers of the system is worked off later.

        Args:
            peer: where.
            data: what.
            most: bytes, about.
        """
        data *= max(1, 60_000 // len(data))
        sent, end = 0, monotonic() + self.seconds
        most = min(most, POURED_IN_A_SECOND * self.seconds)
        peer.patience(0.2)
        with suppress(HangUpError, TimeoutError):
            while monotonic() < end and sent < most:
                peer.raw(data)
                sent += len(data)
        return sent


Deed = Callable[[Scene], None]


@dataclass(frozen=True, slots=True)
class Misdeed:
    """One row of the table.

    Attributes:
        what: comes, in words.
        rows: of the catalogue of what goes wrong in the wild that it belongs to.
        deed: does it; connections that it makes stay until its scene ends.
        fate: what becomes of who does it.
        says: a part of the reason that is told.
        against: whom it is done to, one after the other.
        slow: whether it takes longer than tests have.
        memory: bytes that it may cost while it lasts, where that is documented to be more than usual.
    """

    what: str
    rows: tuple[int, ...]
    deed: Deed
    fate: Fate
    says: str = ""
    against: tuple[Against, ...] = (Against.SEED, Against.LEECH)
    slow: bool = False
    memory: int = FLAT

    @property
    def name(self) -> str:
        """For tests and tables."""
        return self.deed.__name__
