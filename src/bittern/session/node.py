"""The session's own node of the distributed hash table: it begins when it is first needed, and comes back next time."""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from secrets import token_bytes

from bittern.base.address import Address, is_local
from bittern.base.errors import AlreadyAddedError, BitternError, SessionError, StorageError
from bittern.codec.metainfo import Metainfo
from bittern.engine.dht.state import NodeState
from bittern.engine.sources.allowed import sources_for
from bittern.engine.sources.guard import refusal
from bittern.engine.swarm.ip_filter import Blocked
from bittern.engine.swarm.peerbook import Source
from bittern.io.datagram_port import DatagramPort
from bittern.io.dht import Table
from bittern.io.proxying import Purpose
from bittern.io.tasks import Tasks
from bittern.wire.krpc import ID_BYTES

from .lock import TorrentLock
from .sources import find_peer
from .surroundings import Surroundings
from .table import begin_at

RETRY_SECONDS = 10.0
"""Where no router's name is known, it is tried again after so long; twice as long after each more."""
MAX_RETRY_SECONDS = 300.0
KEEP_SECONDS = 300.0
"""The nodes that are known are written down so often."""
MAX_NAMED = 16
"""Nodes of one .torrent file that are asked; and of those that peers told of before we began."""
_FACTS = {False: "dht", True: "dht6"}

_log = logging.getLogger("bittern.dht")


class OwnNode:
    """Our part in the table.

    Args:
        surroundings: with the settings and the store.
        ports: each of which gets a node; others use them, too.
    """

    def __init__(self, surroundings: Surroundings, ports: Sequence[DatagramPort]) -> None:
        self._surroundings = surroundings
        self._ports = tuple(ports)
        self._local = all(is_local(port.address.host) for port in ports)
        self._table: Table | None = None
        self._told: deque[Address] = deque(maxlen=MAX_NAMED)
        self._beginning = asyncio.Lock()
        self._closed = False
        self._lock: TorrentLock | None = None
        self._tasks = Tasks()

    @property
    def nodes(self) -> int:
        """How many others are known."""
        return sum(len(node.table) for node in self._table.nodes) if self._table is not None else 0

    @property
    def at_proxy(self) -> bool:
        """Whether it is at a port that a proxy has for us, and nobody here can name."""
        return bool(self._ports) and not any(port.address.port for port in self._ports)

    async def table(self) -> Table:
        """The table, which begins if it has not yet.

        Raises:
            SessionError: it has ended.
        """
        async with self._beginning:
            if self._closed:
                raise SessionError("the session is closed")
            if self._table is None:
                await self._claim()
                states = {ipv6: state for ipv6 in _FACTS if (state := await self._saved(ipv6)) is not None}
                if self._closed:  # in between
                    self._let_go()
                    raise SessionError("the session is closed")
                # Trackers (BEP 24) and peers may have told before any node does.
                hosts = {
                    address.is_ipv6: address.host for address in self._surroundings.runtime.core.presence.our_addresses
                }
                settings = self._surroundings.settings
                self._table = Table(
                    self._ports,
                    states=states,
                    hosts=hosts,
                    seed=settings.seed,
                    shuns=self._shuns,
                    anonymous=settings.anonymous,
                )
                self._tasks.start(self._meet_routers(self._table), "bittern dht routers")
                self._tasks.start(self._keep_on(), "bittern dht state")
                for address in self._told:
                    self._table.meet(address)
                self._told.clear()
            return self._table

    def _shuns(self, host: str) -> bool:
        """Whether the IP filter keeps a node out: the table is of all torrents, and none is exempt here."""
        return self._surroundings.runtime.core.ip_filter.refuses(host, Blocked.NODE)

    def meet(self, address: Address) -> None:
        """A peer said that there is a node; it is asked before it is believed."""
        if self._table is not None:
            self._table.meet(address)
        else:
            self._told.append(address)

    def named(self, torrent: Metainfo) -> None:
        """A .torrent file may name nodes (BEP 5), by name or address: some of them are asked."""
        settings = self._surroundings.settings.for_engine()
        if torrent.nodes and not self._closed and Source.DHT in sources_for(torrent.info, settings):
            self._tasks.start(self._meet_named(torrent.nodes[:MAX_NAMED]), "bittern dht nodes")

    async def close(self) -> None:
        """End it, and write down what is known."""
        self._closed = True
        await self._tasks.close()
        if self._table is not None:
            await self._keep()
            self._table.close()
        self._let_go()

    async def _meet_routers(self, table: Table) -> None:
        routers, wait = self._surroundings.settings.dht_routers, RETRY_SECONDS
        while routers:
            reasons = await asyncio.gather(*[begin_at(table, each, self._surroundings.route) for each in routers])
            if None in reasons:
                return
            if wait == RETRY_SECONDS:  # no more than once
                _log.info("no node of the distributed hash table to begin with: %s", reasons[0])
            await asyncio.sleep(wait)
            wait = min(2 * wait, MAX_RETRY_SECONDS)

    async def _meet_named(self, nodes: Sequence[tuple[str, int]]) -> None:
        table = await self.table()
        for host, port in nodes:
            with suppress(BitternError):
                for address in await find_peer(
                    f"[{host}]:{port}" if ":" in host else f"{host}:{port}", self._surroundings.route, Purpose.DHT
                ):
                    if refusal(address.host, local=self._local) is None:
                        table.meet(address)

    async def _saved(self, ipv6: bool) -> NodeState | None:  # noqa: FBT001 - a key, as everywhere here
        try:
            text = await self._surroundings.store.fact(_FACTS[ipv6]) if not self._closed else None
            state = NodeState.decode(bytes.fromhex(text)) if text else None
            return state if state is None or self._lock is not None else replace(state, id=token_bytes(ID_BYTES))
        except (BitternError, ValueError) as error:
            _log.info("%s", error)
            return None

    async def _keep_on(self) -> None:
        while True:
            await asyncio.sleep(KEEP_SECONDS)
            await self._keep()

    async def _claim(self) -> None:
        """Be the one that goes by the saved id, unless another process with the same state folder does.

        Who is anonymous goes by a new one each time.
        """
        if self._surroundings.settings.anonymous:
            return
        with suppress(AlreadyAddedError, StorageError):
            self._lock = await self._surroundings.store.lock(b"", "dht")

    def _let_go(self) -> None:
        """Let another process go by the saved id."""
        if self._lock is not None:
            self._lock.release()

    async def _keep(self) -> None:
        if self._lock is None or self._table is None:
            return
        try:
            for ipv6, state in self._table.states.items():
                if state.contacts:
                    await self._surroundings.store.keep_fact(_FACTS[ipv6], state.encode().hex())
        except BitternError as error:
            _log.info("%s", error)
