"""Who looks for peers in the distributed hash table, and is announced there: torrents that may, awake and asleep."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

from bittern.base.address import Address
from bittern.base.ids import InfoHashV1
from bittern.engine.sources.allowed import sources_for
from bittern.engine.sources.announcer import NOBODYS_PORT
from bittern.engine.sources.dht import LEAST_SECONDS, DhtSchedule, Rota
from bittern.engine.swarm.peerbook import Source
from bittern.engine.torrent import Torrent as Swarm
from bittern.io.chance import SeededChance
from bittern.io.tasks import Tasks
from bittern.wire.krpc import AnnouncePeer

from .entry import Entry
from .node import OwnNode
from .status import State
from .surroundings import Surroundings

TICK_SECONDS = 0.25
GLANCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class _Marked:
    """A torrent of which nothing is known but whether it is private."""

    private: bool


@dataclass(frozen=True, slots=True)
class _Seeker:
    """A torrent that is awake.

    Attributes:
        entry: what the session keeps of it.
        swarm: what is told of peers.
        name: that of its info hashes that is looked for.
    """

    entry: Entry
    swarm: Swarm
    name: InfoHashV1


class Seeking:
    """Looks for the peers of torrents in turn, and announces them.

    Args:
        entries: all torrents; a live view.
        awake: those that are awake; a live view.
        surroundings: with the settings and the engine.
        node: our part in the table.
    """

    def __init__(
        self,
        entries: Mapping[InfoHashV1, Entry],
        awake: Mapping[InfoHashV1, Entry],
        surroundings: Surroundings,
        node: OwnNode,
    ) -> None:
        self._entries = entries
        self._awake = awake
        self._surroundings = surroundings
        self._node = node
        engine = surroundings.settings.for_engine()
        self._may = {private: Source.DHT in sources_for(_Marked(private), engine) for private in (False, True)}
        self._glance_due = -inf
        self._schedule = DhtSchedule(SeededChance(surroundings.settings.seed).rng_for("dht schedule"))
        self._rota: Rota[Entry] = Rota()
        self._moves = surroundings.runtime.core.presence.moves
        self._tasks = Tasks()
        self._searches: dict[bytes, asyncio.Task[None]] = {}
        self._announced: dict[bytes, float] = {}
        self._beginning: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Take part until cancelled."""
        try:
            while True:
                self._look()
                await asyncio.sleep(TICK_SECONDS)
        finally:
            await self._tasks.close()

    def _look(self) -> None:
        """Look for the torrents whose turn it is; nothing goes on for those that may not take part any more."""
        now, moves = self._surroundings.runtime.now(), self._surroundings.runtime.core.presence.moves
        if moves != self._moves:
            self._moves = moves
            self._announce_again()
        seekers = self._seekers()
        for key in [key for key in self._searches if key not in seekers]:
            self._searches.pop(key).cancel()
        known = self._announced
        self._announced = {key: known[key] if key in known else _told(seekers[key]) for key in seekers}
        if not self._node.nodes:
            if self._beginning is None and (seekers or self._anybody_sleeps(now)):
                self._beginning = self._tasks.start(self._begin(), "bittern dht")
            return
        for key in self._schedule.take_due(seekers, now, lambda key: self._earliest(seekers[key])):
            self._searches[key] = self._tasks.start(self._seek(seekers[key]), "bittern dht search")
        for entry in self._rota.take(self._entries.values(), lambda entry: self._is_due(entry, now), now):
            self._tasks.start(self._announce(entry), "bittern dht announce")

    def _announce_again(self) -> None:
        """We are reached elsewhere: all nodes that know of us are to hear of it, and none of where we were any more."""
        for search in self._searches.values():
            search.cancel()
        self._searches.clear()
        self._announced = dict.fromkeys(self._announced, -inf)
        for entry in self._entries.values():
            entry.sought_at = -inf
        self._schedule.again()
        self._rota.again()

    def _seekers(self) -> dict[bytes, _Seeker]:
        """Those that are awake and in their swarms, by every name that they have (BEP 52)."""
        return {
            bytes(name): _Seeker(entry, swarm, name)
            for entry in self._awake.values()
            if entry.life is not None and (swarm := entry.life.swarm) is not None and swarm.seeks(Source.DHT)
            for name in swarm.names.all
        }

    def _sleeps(self, entry: Entry) -> bool:
        """Whether a torrent seeds in its sleep, and may be announced."""
        return (
            entry.life is None
            and entry.state is State.SEEDING
            and entry.private is not None
            and self._may[entry.private]
        )

    def _anybody_sleeps(self, now: float) -> bool:
        """Whether any torrent does so; seldom looked for, since who falls asleep was awake before."""
        if now < self._glance_due:
            return False
        self._glance_due = now + GLANCE_SECONDS
        return any(map(self._sleeps, self._entries.values()))

    def _is_due(self, entry: Entry, now: float) -> bool:
        return now - entry.sought_at >= LEAST_SECONDS and self._sleeps(entry)

    def _earliest(self, seeker: _Seeker) -> float:
        """When a torrent that just joined its swarm may be looked for; one that only woke up needs nobody."""
        return self._announced[bytes(seeker.name)] + LEAST_SECONDS if seeker.entry.complete else -inf

    async def _begin(self) -> None:
        await self._node.table()

    async def _seek(self, seeker: _Seeker) -> None:
        runtime, swarm, name = self._surroundings.runtime, seeker.swarm, seeker.name

        def found(peers: tuple[Address, ...]) -> None:
            swarm.names.met(peers, name)
            swarm.add_candidates(peers, Source.DHT, runtime.now())
            runtime.turn.soon()

        key, complete = bytes(name), swarm.download is not None and swarm.download.complete
        told = self._announced[key]
        rested = runtime.now() - told >= LEAST_SECONDS
        ours = self._ours(name, seed=complete) if rested else None
        done = await (await self._node.table()).find_peers(name, found, announce=ours, no_seeds=complete)
        self._searches.pop(key, None)
        if done.stored:
            seeker.entry.sought_at = self._announced[key] = runtime.now()
        # Two that join at the same moment look before either is announced: then the other is there the second time.
        hungry = not swarm.peers and (bool(swarm.left_bytes) or told == -inf)
        self._schedule.done(key, runtime.now(), answers=done.answered, hungry=hungry)

    async def _announce(self, entry: Entry) -> None:
        """Tell of a torrent that sleeps; who wants something of it calls."""
        entry.sought_at = self._surroundings.runtime.now()
        table = await self._node.table()
        try:
            for name in (entry.info_hash, entry.also):
                if name is not None:
                    await table.find_peers(name, lambda _: None, announce=self._ours(name, seed=True), no_seeds=True)
        finally:
            self._rota.done()

    def _ours(self, name: InfoHashV1, *, seed: bool) -> AnnouncePeer | None:
        """What we announce; nothing where nobody can connect to us."""
        port = self._surroundings.runtime.core.presence.port
        if not port and self._node.at_proxy and self._surroundings.settings.utp:
            # Who hears of us there reaches us through the proxy, over uTP: by the port that our datagrams come from.
            return AnnouncePeer(bytes(name), NOBODYS_PORT, b"", implied_port=True, seed=seed)
        return AnnouncePeer(bytes(name), port, b"", seed=seed) if port else None


def _told(seeker: _Seeker) -> float:
    """When a torrent that just joined its swarm was announced last, awake or asleep."""
    entry = seeker.entry
    # What a link leads to may have another name, too, that nobody heard of yet.
    return entry.sought_at if entry.complete or seeker.name == entry.info_hash else -inf
