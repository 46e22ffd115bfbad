"""What an open session consists of: how it is put together, and how it ends."""

import asyncio
import secrets
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Self

from bittern.base.errors import AlreadyAddedError, SessionError
from bittern.base.ids import InfoHashV1, PeerId
from bittern.engine.events import Event
from bittern.io import capabilities, rc4
from bittern.io.proxying import Purpose
from bittern.io.route import Route
from bittern.io.runtime import Runtime
from bittern.io.threads import pool
from bittern.io.udp_ports import Ports
from bittern.version import __version__

from .board import Board
from .entry import Entry
from .filtering import Filtering
from .forwarding import port_of_file
from .hand import Hand
from .listening import close_all, draw_port
from .lock import TorrentLock
from .node import OwnNode
from .roster import Roster
from .routing import doors, route_of
from .rules import Rules
from .settings import Settings
from .steward import Steward
from .store import Store
from .surroundings import THREADS, Surroundings
from .tether import Tether
from .waking import Waking
from .whereabouts import Whereabouts

_GOODBYE_STEP_SECONDS = 0.02


@dataclass(slots=True)
class Foundation:
    """What has to be there, and is let go last: the state folder, and sockets.

    Attributes:
        store: an open one.
        roster: the torrents that are kept in it.
        lock: on the folder, where torrents are kept.
        route: how we get out.
        sockets: that are listened on; the runtime owns them once there is one.
        ports: for datagrams, where anybody needs them; likewise.
    """

    store: Store
    roster: Roster
    lock: TorrentLock | None
    route: Route
    sockets: list[socket.socket]
    ports: Ports

    @classmethod
    async def lay(cls, settings: Settings) -> Self:
        """Open the state folder, and the sockets.

        Raises:
            StorageError: the state cannot be used.
            NetworkError: the port is taken.
            SessionError: another session keeps its torrents there, or the proxy is no such URL.
            ThreadLimitError: the system allows no thread.
        """
        store, route = Store(settings.state_folder()), route_of(settings)
        await store.open()
        foundation = cls(store, Roster(store), None, route, [], Ports(route))
        try:
            foundation.lock = _profile_lock(store) if settings.keep_torrents else None
            await foundation.roster.open()
            port = settings.port if settings.port is not None else await _kept_port(store)
            if settings.port_file is not None:
                port = port_of_file(settings.port_file) or port
            foundation.sockets, foundation.ports = doors(foundation.route, settings, port)
        except BaseException:
            await foundation.raze()
            raise
        return foundation

    def dht_port(self, settings: Settings) -> int:
        """Where our node of the distributed hash table can be asked; 0 where there is none."""
        ports = self.ports.of(Purpose.DHT)
        return ports[0].address.port if settings.dht and ports else 0

    def close_sockets(self) -> None:
        """Listen no more; where a runtime owns them it does so."""
        close_all(self.sockets, ())
        self.ports.close()

    async def raze(self) -> None:
        """Let go of the folder; sockets are closed by who has them."""
        try:
            await self.store.close()
        finally:
            if self.lock is not None:
                self.lock.release()


@dataclass(frozen=True, slots=True)
class Parts:
    """What an open session consists of."""

    foundation: Foundation
    surroundings: Surroundings
    waking: Waking
    steward: Steward
    hand: Hand
    rules: Rules
    filtering: Filtering
    node: OwnNode | None
    whereabouts: Whereabouts
    tether: Tether | None

    @property
    def roster(self) -> Roster:
        """The torrents that are kept."""
        return self.foundation.roster

    @property
    def runtime(self) -> Runtime:
        """The engine and its world."""
        return self.surroundings.runtime

    @classmethod
    def build(
        cls,
        settings: Settings,
        foundation: Foundation,
        entries: Mapping[InfoHashV1, Entry],
        board: Board[InfoHashV1],
        *,
        on_events: Callable[[list[Event]], None],
        changed: Callable[[Entry], None],
        remove: Callable[[Entry], Awaitable[None]],
    ) -> Self:
        """Put a session together.

        Args:
            settings: how it behaves.
            foundation: that it stands on.
            entries: its torrents; a live view.
            board: is told what changes.
            on_events: is told what the engine tells.
            changed: is told of torrents whose state changed by a command.
            remove: takes a torrent out.

        Raises:
            ThreadLimitError: the system allows too few threads.
        """
        threads = pool(THREADS, "bittern-files")
        runtime = Runtime(
            replace(
                settings.for_engine(capabilities.sockets(), rc4=settings.encrypts and rc4.available()),
                dht_port=foundation.dht_port(settings),
            ),
            new_peer_id(anonymous=settings.anonymous),
            foundation.sockets,
            on_events,
            route=foundation.route,
            ports=foundation.ports,
            seed=settings.seed,
        )
        surroundings = Surroundings(settings, runtime, foundation.route, foundation.store, threads)
        waking = Waking(surroundings, foundation.roster, changed)
        steward = Steward(settings, entries, waking, foundation.roster, board, remove)
        filtering = Filtering(surroundings)
        hand = Hand(entries.values, surroundings, waking, steward, foundation.roster, filtering)
        rules = Rules(settings, foundation.store, runtime, steward)
        steward.on_round = rules.look
        node = OwnNode(surroundings, foundation.ports.of(Purpose.DHT)) if settings.dht else None
        whereabouts = Whereabouts(settings, runtime, foundation.route)
        binding = foundation.route.binding
        new_id = partial(new_peer_id, anonymous=settings.anonymous)
        tether = Tether(binding, runtime, whereabouts, new_id) if binding is not None else None
        return cls(foundation, surroundings, waking, steward, hand, rules, filtering, node, whereabouts, tether)

    async def say_goodbye(self, seconds: float) -> None:
        """Wait until trackers and routers know that we leave, but not longer than they may take."""
        await asyncio.gather(self._leave_trackers(seconds), self.whereabouts.close(seconds))

    async def _leave_trackers(self, seconds: float) -> None:
        loop, runtime = asyncio.get_running_loop(), self.runtime
        give_up_at = loop.time() + seconds
        runtime.core.dormitory.leave(runtime.now())
        runtime.turn.soon()
        await asyncio.sleep(_GOODBYE_STEP_SECONDS)
        while runtime.core.goodbyes and loop.time() < give_up_at:  # noqa: ASYNC110 - the engine has no events to wait for
            await asyncio.sleep(_GOODBYE_STEP_SECONDS)

    async def take_down(self) -> None:
        """End the engine, then let go of the folder; whoever is cancelled meanwhile has it done all the same."""
        try:
            try:
                await self.whereabouts.close(0.0)
                if self.node is not None:
                    await self.node.close()
            finally:
                await self.runtime.close(self.surroundings.threads)
        finally:
            self.waking.let_go()
            self.foundation.ports.close()
            self.surroundings.threads.shutdown()
            await self.foundation.raze()


def _profile_lock(store: Store) -> TorrentLock:
    """Makes a session the only one that keeps its torrents in a folder; nobody is held up by it yet."""
    try:
        return TorrentLock(store.folder, b"", "session")
    except AlreadyAddedError:
        raise SessionError(f"another session with keep_torrents uses {store.folder}: end it first") from None


async def _kept_port(store: Store) -> int:
    """The port that was drawn in the first run."""
    kept = await store.fact("port")
    if kept is not None and kept.isascii() and kept.isdigit() and 0 < int(kept) < 65536:
        return int(kept)
    port = draw_port()
    await store.keep_fact("port", str(port))
    return port


def new_peer_id(*, anonymous: bool) -> PeerId:
    """`-BZ` and the version (BEP 20), then chance; nothing but chance for who is anonymous."""
    if anonymous:
        return PeerId(secrets.token_urlsafe(15).encode())
    digits = "".join(__version__.split("+")[0].split("."))[:4].ljust(4, "0")
    return PeerId(f"-BZ{digits}-".encode() + secrets.token_bytes(12))
