"""The session's part in the distributed hash table: who asks it for peers, and what it knows from run to run."""

import asyncio
import logging
import socket
from collections.abc import Mapping

from bittern.base.address import Address
from bittern.base.errors import BitternError, NetworkError, ResumeError
from bittern.base.ids import InfoHashV1
from bittern.engine.dht.state import NodeState
from bittern.engine.sources.dht import DhtSchedule
from bittern.engine.swarm.peerbook import Source
from bittern.engine.torrent import Torrent as Swarm
from bittern.io.chance import SeededChance
from bittern.io.dht import Table, bind
from bittern.io.tasks import Tasks
from bittern.wire.krpc import AnnouncePeer

from .entry import Entry
from .sources import find_peer
from .status import State
from .surroundings import Surroundings

TICK_SECONDS = 0.25
_IN_SWARM = (State.METADATA, State.DOWNLOADING, State.SEEDING)
_FACTS = {False: "dht", True: "dht6"}

_log = logging.getLogger("bittern.dht")


class DhtSource:
    """Looks for the peers of torrents that are awake and may use the table, and announces them.

    Args:
        entries: all torrents; a live view.
        surroundings: with the settings, the engine and the store.
    """

    def __init__(self, entries: Mapping[InfoHashV1, Entry], surroundings: Surroundings) -> None:
        self._entries = entries
        self._surroundings = surroundings
        self._schedule = DhtSchedule(SeededChance(surroundings.settings.seed).rng_for("dht schedule"))
        self._tasks = Tasks()
        self._searches: dict[bytes, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Take part until cancelled."""
        states = {ipv6: state for ipv6, name in _FACTS.items() if (state := await self._saved(name)) is not None}
        table = Table(self._sockets(), states=states, seed=self._surroundings.settings.seed)
        self._tasks.start(self._meet_routers(table), "bittern dht routers")
        try:
            while True:
                self._begin(table)
                await asyncio.sleep(TICK_SECONDS)
        finally:
            await self._tasks.close()
            kept = table.states
            table.close()
            for ipv6, state in kept.items():
                if state.contacts:
                    await self._surroundings.store.keep_fact(_FACTS[ipv6], state.encode().hex())

    def _begin(self, table: Table) -> None:
        """Look for the torrents whose turn it is; nothing goes on for those that may not take part any more."""
        swarms = self._swarms()
        for key in [key for key in self._searches if key not in swarms]:
            self._searches.pop(key).cancel()
        for key in self._schedule.take_due(swarms, self._surroundings.runtime.now()):
            search = self._look_for(table, key, swarms[key])
            self._searches[key] = self._tasks.start(search, "bittern dht search")

    def _swarms(self) -> dict[bytes, Swarm]:
        return {
            bytes(swarm.wire_hash): swarm
            for entry in self._entries.values()
            if entry.life is not None
            and entry.now_doing in _IN_SWARM
            and (swarm := entry.life.swarm) is not None
            and Source.DHT in swarm.sources
        }

    async def _look_for(self, table: Table, key: bytes, swarm: Swarm) -> None:
        runtime = self._surroundings.runtime

        def found(peers: tuple[Address, ...]) -> None:
            swarm.add_candidates(peers, Source.DHT, runtime.now())
            runtime.turn.soon()

        complete = swarm.download is not None and swarm.download.complete
        announce = AnnouncePeer(key, runtime.port, b"", seed=complete) if runtime.port else None
        done = await table.find_peers(key, found, announce=announce, no_seeds=complete)
        self._searches.pop(key, None)
        self._schedule.done(key, runtime.now(), answers=done.answered)

    async def _meet_routers(self, table: Table) -> None:
        for router in self._surroundings.settings.dht_routers:
            try:
                for address in await find_peer(router):
                    table.add_router(address)
            except BitternError as error:
                _log.warning("no node to begin with: %s", error)

    def _sockets(self) -> list[socket.socket]:
        """One of each family that is listened on, with the port of TCP where that is free."""
        settings, port = self._surroundings.settings, self._surroundings.runtime.port
        hosts = {":" in host: host for host in reversed(settings.listen or ("0.0.0.0", "::"))}  # noqa: S104 - as for TCP
        sockets = []
        for host in hosts.values():
            try:
                sockets.append(_bind(host, port))
            except NetworkError as error:
                _log.warning("%s", error)
        return sockets

    async def _saved(self, name: str) -> NodeState | None:
        text = await self._surroundings.store.fact(name)
        try:
            return NodeState.decode(bytes.fromhex(text)) if text else None
        except (ResumeError, ValueError) as error:
            _log.warning("%s", error)
            return None


def _bind(host: str, port: int) -> socket.socket:
    try:
        return bind(host, port)
    except NetworkError:
        return bind(host, 0)
