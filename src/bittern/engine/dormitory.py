"""Torrents that sleep: known by their info hash, announced in their time, and nothing else of them is in memory.

Each is complete and has no peers. A connection or a tracker that names leechers calls it (`SleeperCalled`); who
listens joins its swarm by `Core.add`, which takes it out of here.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from bittern.base.address import Address
from bittern.base.deadlines import Deadlines
from bittern.base.errors import TrackerError
from bittern.base.ids import InfoHashV1
from bittern.wire.announce import AnnounceReply

from .events import SleeperCalled
from .sources.announcer import Announcer, Tally
from .sources.tracker import TrackerSource
from .world import Shared

LEAST_PACE = 20.0
"""Announces a second that are always allowed."""
ROUND_SECONDS = 900.0
"""However many torrents sleep, each has its turn within so long: half of what trackers like for an interval."""

_NOTHING_MOVED = Tally(0, 0, 0)


@dataclass(slots=True, eq=False)
class Sleeper:
    """A torrent that sleeps.

    Attributes:
        number: of the torrent in its core; it keeps it when it wakes up.
        wire_hash: what handshakes carry.
        tiers: its trackers; its announcer knows them, once there is one.
        also: the other hash of a hybrid, by which it is called, too.
        announcer: its announces; None before the first.
        trusted: those of its trackers that the user named.
    """

    number: int
    wire_hash: InfoHashV1
    tiers: tuple[tuple[str, ...], ...]
    also: InfoHashV1 | None = None
    announcer: Announcer | None = None
    trusted: Collection[str] = ()


class Dormitory:
    """All sleeping torrents of a core.

    Args:
        shared: what the torrents of the core share.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._by_hash: dict[InfoHashV1, Sleeper] = {}
        self._by_number: dict[int, Sleeper] = {}
        self._deadlines = Deadlines()
        self._waiting: dict[int, None] = {}  # due, but others are under way, or the last was only just made
        self._rng = shared.chance.rng_for("dormitory")
        self._next_at = 0.0
        self._leaving = False

    def __len__(self) -> int:
        return len(self._by_hash)

    def __contains__(self, wire_hash: InfoHashV1) -> bool:
        return wire_hash in self._by_hash

    def of(self, wire_hash: InfoHashV1) -> Sleeper:
        """The torrent, which sleeps."""
        return self._by_hash[wire_hash]

    @property
    def pace(self) -> float:
        """Announces a second."""
        return max(LEAST_PACE, len(self._by_hash) / ROUND_SECONDS)

    @property
    def farewells(self) -> int:
        """Goodbyes that were not made yet."""
        return len(self._waiting) if self._leaving else 0

    def put(self, sleeper: Sleeper, now: float) -> None:
        """Let a torrent sleep; the first announces of many are made one by one, at `pace`."""
        self._by_hash[sleeper.wire_hash] = sleeper
        self._by_number[sleeper.number] = sleeper
        if sleeper.announcer is None and any(sleeper.tiers):
            self._waiting[sleeper.number] = None
            self._next_at = max(self._next_at, now)
        elif sleeper.announcer is not None:
            self._deadlines.set(sleeper.number, sleeper.announcer.trackers.next_due())

    def take(self, wire_hash: InfoHashV1) -> Sleeper | None:
        """The torrent, which does not sleep any more; None when it did not."""
        sleeper = self._by_hash.pop(wire_hash, None)
        if sleeper is not None:
            del self._by_number[sleeper.number]
            self._deadlines.set(sleeper.number, None)
            self._waiting.pop(sleeper.number, None)
        return sleeper

    def call(self, wire_hash: InfoHashV1, addresses: tuple[Address, ...] = ()) -> None:
        """Somebody wants something of a sleeping torrent."""
        self._shared.events.append(SleeperCalled(self._by_hash[wire_hash].number, wire_hash, addresses))

    def leave(self, now: float) -> None:
        """Say goodbye to all trackers that know of a torrent here; nothing else is announced any more."""
        self._leaving = True
        self._shared.turnstile.clear(now)
        self._deadlines = Deadlines()
        self._waiting.clear()
        for sleeper in self._by_number.values():
            if sleeper.announcer is not None:
                sleeper.announcer.trackers.stop()
                if sleeper.announcer.trackers.next_due() is not None:
                    self._waiting[sleeper.number] = None

    def moved(self, now: float, *, back: bool = False) -> None:
        """We are reached elsewhere: the trackers of all hear of it, one by one, at `pace`; `back`: see Torrent."""
        for sleeper in self._by_number.values():
            if sleeper.announcer is not None and not self._leaving:
                sleeper.announcer.trackers.again(now, failed_too=back)
                self._schedule(sleeper)

    def next_deadline(self) -> float | None:
        """When `advance` has something to do."""
        due = self._deadlines.next()
        if not self._waiting or not self._shared.turnstile.room:
            return due
        return self._next_at if due is None else min(due, self._next_at)

    def advance(self, now: float) -> None:
        """Make the announces that are due, as many as may be made."""
        for number in self._deadlines.take(now):
            self._waiting[number] = None
        for number in list(self._permitted(now)):
            del self._waiting[number]
            self._announce(self._by_number[number], now)

    def tracker_said(self, torrent: int, ticket: int, said: AnnounceReply | TrackerError, now: float) -> None:
        """A tracker answered, refused, or did not answer, about a torrent that sleeps."""
        sleeper = self._by_number.get(torrent)
        if sleeper is None or sleeper.announcer is None:
            return
        reply = sleeper.announcer.heard(ticket, said, now)
        # Seeds have nothing for each other: only where a tracker counts them it is known that nobody else is there.
        if reply is not None and reply.peers and reply.incomplete != 0:
            self.call(sleeper.wire_hash, reply.peers)
        self._schedule(sleeper)

    def _permitted(self, now: float) -> Iterator[int]:
        room = self._shared.turnstile.room
        for number in self._waiting:
            if room <= 0 or self._next_at > now:
                return
            room -= 1
            if not self._leaving:  # who leaves has no time to lose
                self._next_at = max(self._next_at, now - 1.0) + 1 / self.pace
            yield number

    def _announce(self, sleeper: Sleeper, now: float) -> None:
        announcer = sleeper.announcer
        if announcer is None:
            to_all = self._shared.settings.announce_to_all
            trackers = TrackerSource(sleeper.tiers, self._rng, now, sleeper.trusted, to_all=to_all)
            announcer = sleeper.announcer = Announcer(sleeper.number, sleeper.wire_hash, trackers, self._shared)
            announcer.other_hash = sleeper.also
        announcer.announce(_NOTHING_MOVED, now)
        self._schedule(sleeper)

    def _schedule(self, sleeper: Sleeper) -> None:
        if sleeper.announcer is not None and not self._leaving:
            self._deadlines.set(sleeper.number, sleeper.announcer.trackers.next_due())
