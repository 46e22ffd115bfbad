"""Builds the real world round one core, and takes it down again."""

import asyncio
import socket
from collections.abc import Callable, Collection
from concurrent.futures import Executor
from dataclasses import replace

from bittern.base.ids import PeerId
from bittern.engine.core import Core
from bittern.engine.driver import Driver
from bittern.engine.events import Event
from bittern.engine.settings import EngineSettings
from bittern.engine.swarm.ip_filter import Blocked
from bittern.engine.torrent import Torrent

from . import capabilities
from .chance import SeededChance
from .disk.handles import Handles
from .disk.pool import DiskPool
from .doors import Doors
from .http import HttpFetcher, HttpPort
from .keys import KeyThread
from .multicast import Multicast
from .net import SystemNet
from .proxying import Purpose
from .rc4 import Rc4
from .resolver import SystemResolver
from .route import Route
from .tasks import Tasks, to_its_end
from .turn import Turn
from .udp_ports import Ports, UdpPorts
from .utp import UtpNet


class Runtime:
    """One core with its sockets, files and threads, on the running loop.

    Args:
        settings: of the engine; its port is set to the one listened on.
        peer_id: ours.
        sockets: bound ones to listen on, or to be kept from others where there is no TCP; owned by the runtime.
        on_events: told after each turn in which something happened.
        route: how we get out.
        ports: for datagrams, that others know; owned by the runtime.
        seed: for repeatable decisions, or None.

    Attributes:
        doors: where others come in.
    """

    def __init__(
        self,
        settings: EngineSettings,
        peer_id: PeerId,
        sockets: list[socket.socket],
        on_events: Callable[[list[Event]], None],
        *,
        route: Route,
        ports: Ports | None = None,
        seed: int | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_events = on_events
        self.tasks = Tasks()
        self.turn = Turn(self._loop)
        self.handles = Handles(capabilities.open_files())
        self.disk = DiskPool(self._wake)
        self.http = HttpFetcher(settings.user_agent, route)
        port = sockets[0].getsockname()[1] if sockets else 0
        families = route.families(sockets)
        settings = replace(
            settings,
            listen_port=port,
            ipv4=socket.AF_INET in families,
            # Of a name that only the proxy looks up there is no second address to announce to.
            ipv6=socket.AF_INET6 in families and not route.by_name(Purpose.TRACKERS),
        )
        chance = SeededChance(seed)
        self.core = Core(settings, peer_id, chance, self.disk, cipher=Rc4)
        self.http.blocks = lambda host: self.core.ip_filter.refuses(host, Blocked.TRACKER)
        self.udp = UdpPorts(self._loop, self.turn, self.core, ports or Ports(route))
        self._utp = UtpNet(self._loop, self.turn, self.udp, self.core, chance.rng_for) if settings.utp else None
        net = SystemNet(self._loop, self.turn, self.core, self.tasks, route, self._utp)
        hosts = route.sources or [sock.getsockname()[0] for sock in sockets]
        self._multicast = Multicast(self._loop, route, hosts if settings.use_lsd else (), self._local_heard)
        http = HttpPort(self.http, self.core, self.turn, self.tasks)
        resolver = SystemResolver(self.turn, self.core, self.tasks, route)
        self._keys = KeyThread(self.turn, self.core, self.tasks)
        self._driver = Driver(self.core, net, self.disk, http, self.udp, resolver, self._multicast, self._keys)
        direct = ports.direct if ports is not None else ()
        self.doors = Doors(self._loop, self.turn, sockets, direct, self.core.accepted, tcp=settings.tcp)
        self.turn.start(self._settle, lambda: self.core.unsettled)

    @property
    def port(self) -> int:
        """The port that is listened on, or 0."""
        return self.doors.port

    def cut(self, reason: str) -> None:
        """Nothing goes out and nothing comes in until `join_again`; the route sees to it that nobody gets a socket."""
        self.doors.shut()
        self.udp.cut()
        self._multicast.close()
        self.core.presence.cut(reason, self.now())
        if self._utp is not None:
            self._utp.cut()
        self.tasks.start(self.http.close(), "hang up")
        self.turn.soon()

    def hosts_changed(self, hosts: Collection[str]) -> bool:
        """These are the machine's addresses now: connections from others end; whether there were any."""
        now = self.now()
        ended = [link for link in list(self.turn.links) if link.host_gone(hosts, now)]
        return bool(ended)

    def join_again(self, peer_id: PeerId) -> None:
        """There is a network again; `doors` are open, and we go by another id (see Core)."""
        self.core.presence.join_again(peer_id, self.now())
        self.turn.soon()

    @property
    def searches_locally(self) -> bool:
        """Whether there is a local network to look for peers in (BEP 14)."""
        return self._multicast.networks > 0

    def now(self) -> float:
        """Monotonic seconds of this turn."""
        return self.turn.now()

    def remove(self, torrent: Torrent) -> None:
        """Take a torrent out of the swarm and away from its files."""
        self.core.remove(torrent, self.now())
        self.disk.detach(torrent.number)
        self.turn.soon()

    def lull(self, torrent: Torrent) -> None:
        """Let an idle torrent sleep, away from its files."""
        self.core.lull(torrent, self.now())
        self.disk.detach(torrent.number)
        self.turn.soon()

    async def close(self, threads: Executor | None = None) -> None:
        """End everything, whoever is cancelled meanwhile; what was submitted to the disk is finished first.

        Args:
            threads: has one to wait for the disk; that of the loop unless given.
        """
        self.doors.close()
        self._multicast.close()
        self.turn.close()
        try:
            await self.tasks.close()
        finally:
            self._keys.close()
            self.core.close(self.now())
            if self._utp is not None:
                self._utp.close()
            self.udp.close()
            try:
                await self.http.close()
            finally:
                try:
                    await to_its_end(self._loop.run_in_executor(threads, self.disk.close))
                finally:
                    self.handles.close()

    def _settle(self, now: float) -> float | None:
        due = self._driver.turn(now)
        self.disk.hand_over()
        events = self.core.take_events()
        if events:
            self._on_events(events)
        return due

    def _local_heard(self, datagram: bytes, host: str) -> None:
        self.core.local_heard(datagram, host, self.turn.now())
        self.turn.soon()

    def _wake(self) -> None:
        """Called on a worker thread."""
        try:
            self._loop.call_soon_threadsafe(self._disk_done)
        except RuntimeError:
            return  # the loop is closed; the store has what was written

    def _disk_done(self) -> None:
        self.core.disk_done(self.disk.take(), self.turn.now())
        self.turn.soon()
