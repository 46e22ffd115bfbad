"""One simulated client: a Core and its driver on a host of their own, with a disk and a way to the web."""

from collections.abc import Sequence
from functools import partial
from math import inf

from bittern.base.bitfield import Bitfield
from bittern.base.ids import InfoHashV1, PeerId
from bittern.base.transport import Transport
from bittern.codec.info import Info
from bittern.engine.core import Core
from bittern.engine.driver import Driver
from bittern.engine.effects import AnnounceLocally, Completion, Connect, ConnectWeb, GiveUp, WorkOut
from bittern.engine.events import Completed, Event, MetadataReceived, SleeperCalled
from bittern.engine.settings import EngineSettings
from bittern.engine.swarm.peerbook import Source
from bittern.engine.torrent import Torrent
from bittern.wire.lsd import GROUP_V4
from bittern.wire.mse.keys import shared_secret
from bittern.wire.stream import Link, LinkLost, Stream
from bittern.wire.utp.settings import UtpSettings

from .cipher import SimCipher
from .content import Content
from .disk import DiskFaults, SimDisk
from .host import Host
from .http import SimHttp, Web
from .paths import Paths
from .udp import Services, SimUdp
from .utp import SimUtp


class SimNet:
    """The network of one process (`engine.ports.Net`).

    Attributes:
        utp: its connections over datagrams; None where it has none.
    """

    def __init__(self, host: Host, web: Web, core: Core, paths: Paths | None) -> None:
        self._host = host
        self._web = web
        self._core = core
        self.utp = SimUtp(host, paths, UtpSettings(), self) if paths is not None else None

    def connect(self, wish: Connect) -> None:
        """Try to reach `wish.address`."""
        if wish.transport is Transport.UTP:
            assert self.utp is not None, "this process speaks no uTP"
            self.utp.connect(wish.ticket, wish.address)
            return
        connected, failed = partial(self._connected, wish.ticket), partial(self._failed, wish.ticket)
        self._host.network.connect(self._host, wish.address, connected, failed)

    def give_up(self, wish: GiveUp) -> None:
        """Nothing is spared by that."""

    def connect_web(self, wish: ConnectWeb) -> None:
        """Try to reach the server called `wish.host`; nothing is encrypted."""
        network, address = self._host.network, self._web.servers.get(wish.host)
        if address is None:
            network.world.after(0.0, partial(self._web_failed, wish.ticket, f"no server called {wish.host}"))
            return
        connected = partial(self._web_connected, wish.ticket)
        network.connect(self._host, address, connected, lambda lost: self._web_failed(wish.ticket, str(lost)))

    def _web_connected(self, ticket: int, link: Link) -> Stream:
        return self._core.web_connected(ticket, link, self._host.network.world.now)

    def _web_failed(self, ticket: int, reason: str) -> None:
        if self._host.alive:
            self._core.web_failed(ticket, reason, self._host.network.world.now)
            self._host.touch()

    def _connected(self, ticket: int, link: Link) -> Stream:
        return self._core.connected(ticket, link, self._host.network.world.now)

    def _failed(self, ticket: int, reason: LinkLost) -> None:
        self._core.connect_failed(ticket, reason, self._host.network.world.now)

    # --- from the mux (see UtpHost)

    def accepted(self, link: Link, now: float) -> Stream:
        """Somebody connected to us over uTP."""
        return self._core.accepted(link, now)

    def connected(self, ticket: int, link: Link, now: float) -> Stream:
        """We connected to somebody over uTP."""
        return self._core.connected(ticket, link, now)

    def failed(self, ticket: int, reason: LinkLost, now: float) -> None:
        """We did not."""
        self._core.connect_failed(ticket, reason, now)


class SimLocal:
    """The local network of one process (`engine.ports.Local`)."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def announce(self, wish: AnnounceLocally) -> None:
        """To all hosts, where they are in one local network (see `Network.lan`)."""
        self._host.network.shout(self._host, wish.announce.encode(GROUP_V4))


class SimKeys:
    """What one process works out (`engine.ports.Keys`)."""

    def __init__(self, host: Host, core: Core) -> None:
        self._host = host
        self._core = core

    def work_out(self, wish: WorkOut) -> None:
        """In another turn, in no time."""
        self._host.network.world.after(0.0, partial(self._worked_out, wish))

    def _worked_out(self, wish: WorkOut) -> None:
        secret = shared_secret(wish.secret, wish.theirs)
        self._core.worked_out(wish.ticket, secret, self._host.network.world.now)
        self._host.touch()


class SimProcess:
    """A client that runs on `host`.

    Args:
        host: on which nothing else runs.
        web: the servers that it reaches.
        settings: of its engine.
        services: what answers its datagrams, but for peers.
        paths: of its uTP; None where it speaks none.

    Attributes:
        core: its engine.
        disk: its files.
        events: all that the engine told, with the times.
        completed: when each torrent, by number, was complete.
        strict: check the invariants of every torrent after each turn; slow.
    """

    def __init__(
        self,
        host: Host,
        web: Web,
        settings: EngineSettings,
        services: Services | None = None,
        paths: Paths | None = None,
    ) -> None:
        world = host.network.world
        chance = world.chance(host.name)
        self.host = host
        self.disk = SimDisk(world, host.name, self._disk_done)
        peer_id = PeerId(b"-BZ0000-" + chance.entropy(12))
        self.core = Core(settings, peer_id, chance, self.disk, world.trace.tracer(host.name), cipher=SimCipher)
        self.events: list[tuple[float, Event]] = []
        self.completed: dict[int, float] = {}
        self.strict = False
        self._world = world
        udp = SimUdp(services or Services(), host, self.core)
        net, http = SimNet(host, web, self.core, paths if settings.utp else None), SimHttp(web, host, self.core)
        self._utp = net.utp
        self._driver = Driver(self.core, net, self.disk, http, udp, udp, SimLocal(host), SimKeys(host, self.core))
        self._contents: dict[int, Content] = {}
        self._sleepers: dict[InfoHashV1, Content] = {}
        self._wake_due = inf
        host.acceptor = self.core
        host.end_turn = self._end_turn
        host.hear = self._hear

    @property
    def name(self) -> str:
        """That of its host."""
        return self.host.name

    # ------------------------------------------------------------------ torrents

    def seed(self, content: Content) -> Torrent:
        """Join the swarm with every byte."""
        return self._begin(content, content.data, Bitfield.full(content.info.geometry.piece_count))

    def super_seed(self, content: Content) -> Torrent:
        """As `seed`, showing the pieces one by one (BEP 16)."""
        return self._begin(content, content.data, Bitfield.full(content.info.geometry.piece_count), secretly=True)

    def hold(self, content: Content, have: Bitfield) -> Torrent:
        """Join the swarm with the pieces `have`, which are the torrent's own from now on."""
        files = bytearray(len(content.data))
        size = content.info.piece_size
        for piece in have:
            span = slice(piece * size, (piece + 1) * size)
            files[span] = content.data[span]
        return self._begin(content, files, have)

    def take_up(self, content: Content, files: bytes | bytearray) -> Torrent:
        """Join the swarm with whatever is in `files`, after a check of every piece, as a session does."""
        files = bytearray(files)
        size, whole = content.info.piece_size, content.data
        geometry = content.info.geometry
        spans = [slice(piece * size, (piece + 1) * size) for piece in range(geometry.piece_count)]
        good = [piece for piece, span in enumerate(spans) if files[span] == whole[span]]
        return self._begin(content, files, Bitfield(geometry.piece_count, good))

    def leech(self, content: Content) -> Torrent:
        """Join the swarm with nothing but the metadata."""
        return self.hold(content, Bitfield(content.info.geometry.piece_count))

    def magnet(self, content: Content, name: InfoHashV1 | None = None) -> Torrent:
        """Join the swarm with nothing but info hash and trackers; the metadata comes from peers.

        `name` is the hash to join by, where that is not the torrent's `wire_hash`.
        """
        return self._add(content, name)

    def sleep(self, content: Content) -> None:
        """Let a torrent with every byte sleep: it joins its swarm when somebody calls it, until `lull`."""
        info = content.info
        self._sleepers[info.wire_hash] = content
        self.core.add_sleeping(info.wire_hash, content.metainfo.trackers, self._world.now)
        self.host.touch()

    def lull(self) -> None:
        """Let those that slept once, and have nothing to do, sleep again."""
        for torrent in list(self.core.torrents.values()):
            if torrent.idle and torrent.wire_hash in self._sleepers:
                self.core.lull(torrent, self._world.now)
                self.disk.remove(torrent.number)
                del self._contents[torrent.number]
        self.host.touch()

    def know(self, torrent: Torrent, *others: "SimProcess") -> None:
        """Tell the engine where others are."""
        torrent.add_candidates([other.host.address for other in others], Source.MANUAL, self._world.now)
        self.host.touch()

    def stop(self) -> None:
        """End at once: connections are reset, trackers are not told."""
        self.host.network.stop(self.host)

    def repair(self) -> None:
        """The disk works again, with all the space there is, and the torrents that it stopped go on."""
        self.disk.faults = DiskFaults()
        for torrent in self.core.torrents.values():
            torrent.resume(self._world.now)
        self.host.touch()

    def check_invariants(self) -> None:
        """Raise AssertionError where the engine's parts disagree with each other."""
        for torrent in self.core.torrents.values():
            if torrent.download is not None:
                torrent.download.check_invariants()

    def wrong_pieces(self) -> list[tuple[int, int]]:
        """(torrent, piece) of everything that the engine thinks it has and that is not what is on the disk."""
        wrong = []
        for number, content in self._contents.items():
            torrent = self.core.torrents.get(number)
            if torrent is None or torrent.download is None:
                continue
            size, files = content.info.piece_size, self.disk.content(number)
            for piece in torrent.download.have:
                span = slice(piece * size, (piece + 1) * size)
                if files[span] != content.data[span]:
                    wrong.append((number, piece))
        return wrong

    def _begin(self, content: Content, files: bytes | bytearray, have: Bitfield, *, secretly: bool = False) -> Torrent:
        torrent = self._add(content)
        self.core.also_called(torrent, content.info.info_hash_v1, content.info.info_hash_v2)
        if secretly:
            torrent.super_seed()
        self.disk.add(torrent.number, files)
        torrent.begin(content.info, have, None, self._world.now, content.metainfo.piece_layers)
        return torrent

    def _add(self, content: Content, name: InfoHashV1 | None = None) -> Torrent:
        metainfo = content.metainfo
        torrent = self.core.add(name or metainfo.info.wire_hash, metainfo.trackers, self._world.now)
        self._contents[torrent.number] = content
        self.host.touch()
        return torrent

    # ------------------------------------------------------------------ turns

    def _disk_done(self, completions: Sequence[Completion]) -> None:
        if self.host.alive and self.host.end_turn is not None:
            self.core.disk_done(completions, self._world.now)
            self.host.touch()

    def _hear(self, datagram: bytes, host: str) -> None:
        self.core.local_heard(datagram, host, self._world.now)
        self.host.touch()

    def _end_turn(self, now: float) -> None:
        if self._utp is not None:
            self._utp.begin_turn()
        due = self._driver.turn(now)
        if self._utp is not None and self._utp.end_turn():
            self.host.touch()  # there may be room for more
        for event in self.core.take_events():
            self.events.append((now, event))
            self._react(event, now)
        if self.strict:
            self.check_invariants()
        if due is not None and due < self._wake_due:
            self._wake_due = due
            self._world.at(due, self._wake)

    def _wake(self) -> None:
        if self._world.now >= self._wake_due:
            self._wake_due = inf
        self.host.touch()

    def _react(self, event: Event, now: float) -> None:
        """What a session would do."""
        if isinstance(event, Completed):
            self.completed.setdefault(event.torrent, now)
        elif isinstance(event, SleeperCalled):
            if event.info_hash in self.core.dormitory:  # two may call in one turn
                torrent = self.seed(self._sleepers[event.info_hash])
                torrent.add_candidates(event.addresses, Source.TRACKER, now)
                self.core.admit_callers(torrent, now)
        elif isinstance(event, MetadataReceived):
            info = Info.parse(event.raw)
            assert info == self._contents[event.torrent].info
            self.disk.add(event.torrent, bytearray(info.total_length))
            have = Bitfield(info.geometry.piece_count)
            torrent = self.core.torrents[event.torrent]
            self.core.also_called(torrent, info.info_hash_v1, info.info_hash_v2)
            torrent.begin(info, have, None, now)
            self.host.touch()
