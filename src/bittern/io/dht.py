"""The distributed hash table in the real world: ports, a clock, and answers to wait for."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import inf
from types import MappingProxyType

from bittern.base.address import Address
from bittern.base.errors import SessionError
from bittern.engine.dht.dht import Dht
from bittern.engine.dht.events import Event, ItemFound, PeersFound, SamplesFound, SearchDone
from bittern.engine.dht.items import Item
from bittern.engine.dht.node import Node, NodeSettings
from bittern.engine.dht.places import nobody
from bittern.engine.dht.state import NodeState
from bittern.wire.datagrams import Kind
from bittern.wire.krpc import AnnouncePeer

from .chance import SeededChance
from .datagram_port import DatagramPort
from .ed25519 import verify
from .sorter import Single

_CLOSED = "the distributed hash table is closed"
_log = logging.getLogger("bittern.dht")


class Table:
    """The distributed hash table, on the running loop.

    Args:
        ports: each of which gets a node (BEP 45); they are closed at the end where nobody else uses them.
        read_only: ask and do not answer (BEP 43).
        reply_rate: bytes per second of all that is answered.
        states: what was kept from before, by whether it is of IPv6; for the first node of each family.
        hosts: our addresses as others see them, as far as they are known, likewise; new ids are bound to them (BEP 42).
        seed: for repeatable decisions, or None.
        shuns: whether nothing is said to a host, nor heard from there.
        anonymous: whether nobody is told which client this is.
    """

    def __init__(
        self,
        ports: Sequence[DatagramPort],
        *,
        read_only: bool = False,
        reply_rate: float = 16_000.0,
        states: Mapping[bool, NodeState] | None = None,
        hosts: Mapping[bool, str] = MappingProxyType({}),
        seed: int | None = None,
        shuns: Callable[[str], bool] = nobody,
        anonymous: bool = False,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._ports = tuple(ports)
        chance, states, now = SeededChance(seed), dict(states or {}), time.monotonic()
        hosts, nodes = dict(hosts), []
        for at, port in enumerate(ports):
            ipv6 = port.address.is_ipv6
            node = Node(
                NodeSettings(ipv6=ipv6, read_only=read_only, reply_rate=reply_rate, anonymous=anonymous),
                rng=chance.rng_for("dht", b"%d" % at),
                entropy=chance.entropy,
                verify=verify,
                now=now,
                state=states.pop(ipv6, None),
                host=hosts.pop(ipv6, None),
                shuns=shuns,
            )
            nodes.append(node)
        self._dht = Dht(nodes)
        self._timer: asyncio.TimerHandle | None = None
        self._due = inf
        self._waiting: dict[int, tuple[asyncio.Future[SearchDone], Callable[[Event], None]]] = {}
        for at, port in enumerate(self._ports):
            port.join(Kind.DHT, Single(partial(self._receive, at), lambda _: self._settle(time.monotonic())))
        self._settle(now)

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The node of each port."""
        return self._dht.nodes

    @property
    def ports(self) -> dict[bool, int]:
        """Where the first of each family listens, by whether it is IPv6."""
        ports = {port.address.is_ipv6: port.address.port for port in reversed(self._ports)}
        return dict(sorted(ports.items()))

    @property
    def states(self) -> dict[bool, NodeState]:
        """What to keep for the next run, by whether it is of IPv6."""
        return {node.settings.ipv6: node.state() for node in reversed(self._dht.nodes)}

    def meet(self, address: Address) -> None:
        """There may be a node at `address`: a peer said so."""
        now = time.monotonic()
        self._dht.meet(address, now)
        self._settle(now)

    def add_router(self, address: Address) -> None:
        """There is a node at `address` to begin with."""
        now = time.monotonic()
        self._dht.add_router(address, now)
        self._settle(now)

    async def ready(self, nodes: int = 1) -> bool:
        """Wait until so many nodes are known; False when it takes longer than 10 seconds.

        Raises:
            SessionError: it is closed, as for all searches.
        """
        give_up_at = time.monotonic() + 10.0
        while max((len(node.table) for node in self._dht.nodes), default=0) < nodes:
            if self._when_open() > give_up_at:
                return False
            await asyncio.sleep(0.05)
        return True

    # ------------------------------------------------------------------ searches

    async def find_peers(
        self,
        info_hash: bytes,
        found: Callable[[tuple[Address, ...]], None],
        *,
        announce: AnnouncePeer | None = None,
        no_seeds: bool = False,
        scrape: bool = False,
    ) -> SearchDone:
        """Look for the peers of a torrent, and announce us if `announce` is given; `found` is told as they come."""

        def on_event(event: Event) -> None:
            if isinstance(event, PeersFound):
                found(event.peers)

        now = self._when_open()
        search = self._dht.find_peers(info_hash, now, announce=announce, no_seeds=no_seeds, scrape=scrape)
        return await self._done(search, on_event, now)

    async def find_nodes(self, target: bytes) -> SearchDone:
        """Look for the nodes round `target`."""
        now = self._when_open()
        return await self._done(self._dht.find_nodes(target, now), lambda _: None, now)

    async def get(self, target: bytes, *, salt: bytes = b"") -> Item | None:
        """What is stored under `target`, the newest version of it."""
        best: list[Item] = []

        def on_event(event: Event) -> None:
            if isinstance(event, ItemFound) and (not best or event.item.seq > best[-1].seq):
                best.append(event.item)

        now = self._when_open()
        await self._done(self._dht.get_item(target, now, salt=salt), on_event, now)
        return best[-1] if best else None

    async def put(self, item: Item, *, cas: int | None = None) -> SearchDone:
        """Store `item`; with `cas` only in the place of that version."""
        now = self._when_open()
        return await self._done(self._dht.put_item(item, now, cas=cas), lambda _: None, now)

    async def sample(self, target: bytes) -> list[SamplesFound]:
        """What the nodes on the way to `target` tell of torrents that they know (BEP 51)."""
        told: list[SamplesFound] = []

        def on_event(event: Event) -> None:
            if isinstance(event, SamplesFound):
                told.append(event)

        now = self._when_open()
        await self._done(self._dht.sample(target, now), on_event, now)
        return told

    def _when_open(self) -> float:
        """The time, while searches may begin."""
        if not self._ports:
            raise SessionError(_CLOSED)
        return time.monotonic()

    async def _done(self, search: int, on_event: Callable[[Event], None], now: float) -> SearchDone:
        future: asyncio.Future[SearchDone] = self._loop.create_future()
        self._waiting[search] = (future, on_event)
        self._settle(now)
        try:
            return await future
        except asyncio.CancelledError:
            now = time.monotonic()
            self._dht.abandon(search, now)
            self._settle(now)
            raise
        finally:
            self._waiting.pop(search, None)

    # ------------------------------------------------------------------ datagrams and time

    def close(self) -> None:
        """End it; who waits gets a SessionError."""
        if self._timer is not None:
            self._timer.cancel()
        for port in self._ports:
            port.leave(Kind.DHT)
        for future, _ in list(self._waiting.values()):
            if not future.done():
                future.set_exception(SessionError(_CLOSED))
        self._ports = ()

    def _receive(self, at: int, datagram: bytes, source: Address, now: float) -> None:
        self._dht.receive(at, datagram, source, time.monotonic())

    def _settle(self, now: float) -> None:
        for at, datagram, address in self._dht.take_datagrams():
            if self._ports:
                try:
                    self._ports[at].send(datagram, address)
                except OSError as error:  # as if it were lost
                    _log.debug("to %s: %s", address, error)
        for event in self._dht.take_events(now):
            self._on_event(event)
        due = self._dht.next_deadline()
        if self._ports and due < self._due:
            self._due = due
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_later(max(0.0, due - time.monotonic()), self._tick)

    def _tick(self) -> None:
        self._timer, self._due = None, inf
        now = time.monotonic()
        self._dht.advance(now)
        self._settle(now)

    def _on_event(self, event: Event) -> None:
        if isinstance(event, PeersFound | ItemFound | SamplesFound | SearchDone) and event.search in self._waiting:
            future, on_event = self._waiting[event.search]
            on_event(event)
            if isinstance(event, SearchDone) and not future.done():
                future.set_result(event)
