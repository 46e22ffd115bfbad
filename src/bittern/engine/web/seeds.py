"""The web seeds of one torrent: which of them is asked, over how many connections, and what they are blamed for."""

from collections.abc import Collection, Iterable, Sequence
from math import inf

from bittern.base.geometry import BLOCK
from bittern.base.ids import InfoHashV1
from bittern.codec.info import Info
from bittern.engine.download.download import Download
from bittern.engine.download.relief import spare
from bittern.engine.events import WebSeedFailed
from bittern.engine.swarm.company import Company
from bittern.engine.swarm.ip_filter import Blocked
from bittern.engine.swarm.lanes import Lanes
from bittern.engine.swarm.members import FILTERED
from bittern.engine.world import Shared
from bittern.wire.stream import Link, Stream
from bittern.wire.webseed import WebLayout, WebUrl

from .lane import Lane
from .runs import run_from, run_mask
from .scene import Scene
from .seed import CONNECTIONS, WebSeed

LIED = "sent data that fails its hash"
_RELIEF_SECONDS = 2.0  # what comes within it is taken from slow peers at a time
MOST_SEEDS = 100
"""Web seeds of one torrent that are used: the first ones."""


class WebSeeds:
    """All of one torrent.

    Args:
        torrent: its number.
        wire_hash: names its chance.
        company: its peers.
        shared: surroundings of the torrent.

    Attributes:
        seeds: by their numbers, which are below zero: peers have those above.
        due: when `settle` has something to do though nothing came; infinity for never.
    """

    def __init__(self, torrent: int, wire_hash: InfoHashV1, company: Company, shared: Shared) -> None:
        self.seeds: dict[int, WebSeed] = {}
        self.due = inf
        self._torrent = torrent
        self._wire_hash = wire_hash
        self._company = company
        self._shared = shared
        self._rng = shared.chance.rng_for("web seeds", wire_hash)
        self._scene: Scene | None = None
        self._lanes: dict[int, list[Lane]] = {}  # by seed
        self._liars: dict[str, None] = {}
        self._may_relieve = False  # once a second

    @property
    def arrived(self) -> int:
        """Bytes that came and were needed, ever."""
        return sum(seed.arrived for seed in self.seeds.values())

    @property
    def busy(self) -> bool:
        """Whether there are connections, or any are being made."""
        return bool(self._lanes)

    @property
    def connected_seeds(self) -> int:
        """Web seeds that there is a connection to."""
        return sum(any(lane.link is not None for lane in lanes) for lanes in self._lanes.values())

    @property
    def liars(self) -> tuple[str, ...]:
        """URLs of those that sent bad data, now or in an earlier run."""
        return tuple(self._liars)

    def shun(self, urls: Collection[str]) -> None:
        """These sent bad data in an earlier run: ask them for nothing."""
        self._liars |= dict.fromkeys(urls)
        for seed in self.seeds.values():
            if seed.url in self._liars:
                seed.ban(LIED)

    def add(self, urls: Sequence[str]) -> int:
        """Use more web seeds; how many of them are new and have a URL that can be asked for."""
        known = {seed.url for seed in self.seeds.values()}
        new = 0
        for url in dict.fromkeys(urls):
            parsed = WebUrl.parse(url)
            if parsed is None or url in known or len(self.seeds) >= MOST_SEEDS:
                continue
            number = -1 - len(self.seeds)
            self.seeds[number] = seed = WebSeed(number, url, parsed, self._rng)
            if url in self._liars:
                seed.ban(LIED)
            self._company.others[number] = url
            new += 1
        self._company.convict = self._convict
        return new

    def ready(self, info: Info, download: Download, limits: Lanes) -> None:
        """The metadata is known; what comes is for `download`, held to `limits`."""
        company = self._company
        self._scene = Scene(
            torrent=self._torrent,
            wire_hash=self._wire_hash,
            info=info,
            layout=WebLayout(info),
            download=download,
            shared=self._shared,
            limits=limits,
            rng=self._rng,
            stir=company.stir,
            offer=company.touch_all,
            alone=lambda: not company.peers,
        )

    def stop(self) -> None:
        """End all connections; what is begun may be asked of others."""
        lanes, self._lanes = self._lanes, {}
        self.due = inf
        for each in lanes.values():
            self._close(each)

    def want(self, priorities: Sequence[int]) -> None:
        """What has priority 0 from now on is not to come."""
        for each in self._lanes.values():
            for lane in each:
                if not all(priorities[piece] for piece in lane.owes()):
                    lane.stop()

    def settle(self, now: float) -> None:
        """End of a turn: ask for what is missing."""
        scene = self._scene
        if scene is None or scene.download.complete:
            self.stop()
            return
        for seed in self.seeds.values():
            if now >= seed.look_again:
                seed.forget_lacks()
        for lanes in self._lanes.values():
            for lane in lanes:
                lane.drive(now)
        self._open_more(scene, now)
        self.due = inf
        for number, lanes in list(self._lanes.items()):
            self._keep_busy(number, lanes)
        for number, seed in self.seeds.items():
            if now < seed.due < self.due and number not in self._lanes:
                self.due = seed.due
            self.due = min(self.due, seed.look_again)

    def watch(self, patience: float, now: float) -> None:
        """Once a second: measure, give up who is silent, and leave to idle peers what they may bring sooner."""
        for number, lanes in list(self._lanes.items()):
            seed = self.seeds[number]
            seed.down.count_up_to(seed.arrived, now)
            seed.speed = seed.down.rate(now)
            for lane in lanes:
                lane.watch(patience, now)
        self._may_relieve = True
        download = self._scene.download if self._scene is not None else None
        if self._lanes and download is not None and self._others_wait(download, now):
            for lanes in self._lanes.values():
                for lane in lanes:
                    lane.give_way(now)
        if self._lanes:
            self._company.stir()

    # --- connections, called by the core

    def connected(self, ticket: int, link: Link, now: float) -> Stream | None:
        """A `ConnectWeb` succeeded; the stream for its link, None when it is not wanted any more."""
        lane = self._lane(ticket)
        if lane is None:
            return None
        if self._shared.ip_filter.refuses(link.address.host, Blocked.WEB_SEED, self._wire_hash):
            lane.fail(FILTERED, now)  # it was dialed before that was known
            return None
        return lane.connected(link, now)

    def filter_changed(self, now: float) -> None:
        """The IP filter is another: end the connections with whom it keeps out."""
        for lane in [lane for lanes in self._lanes.values() for lane in lanes]:
            link = lane.link
            if link and self._shared.ip_filter.refuses(link.address.host, Blocked.WEB_SEED, self._wire_hash):
                lane.fail(FILTERED, now)
                self._company.stir()

    def failed(self, ticket: int, reason: str, now: float) -> None:
        """A `ConnectWeb` led to nothing."""
        lane = self._lane(ticket)
        if lane is not None:
            lane.fail(reason, now)
            self._company.stir()

    # --- blame

    def _convict(self, url: str) -> bool:
        """Bad data came from a web seed: never ask it again. False where there is none of that name."""
        for number, seed in self.seeds.items():
            if seed.url == url:
                if not seed.banned:
                    self._liars[url] = None
                    seed.ban(LIED)
                    self._close(self._lanes.pop(number, ()))
                    if self._scene is not None:
                        self._scene.download.assembly.expunge(number)
                    self._shared.events.append(WebSeedFailed(self._torrent, url, LIED, inf))
                return True
        return False

    def _close(self, lanes: Iterable[Lane]) -> None:
        for lane in lanes:
            lane.stop()
            if lane.counted:
                lane.counted = False
                self._shared.places.leave()

    def _lane(self, ticket: int) -> Lane | None:
        for lanes in self._lanes.values():
            for lane in lanes:
                if lane.ticket == ticket:
                    return lane
        return None

    def _open_more(self, scene: Scene, now: float) -> None:
        """More connections, where there is work for them: one to each web seed, then the second ones."""
        for place in range(CONNECTIONS):
            for number, seed in self.seeds.items():
                lanes = self._lanes.get(number, [])
                wanted = place == len(lanes) and place < seed.connections and now >= seed.due
                if wanted and self._has_work(scene.download, seed, place, now) and self._may_open():
                    lane = Lane(seed, scene, first=number == -1 and not place)
                    self._lanes.setdefault(number, lanes).append(lane)
                    lane.drive(now)

    @property
    def _full(self) -> bool:
        """Whether there are as many connections as there may be."""
        return sum(map(len, self._lanes.values())) >= self._shared.settings.max_web_connections

    def _may_open(self) -> bool:
        if self._full:
            return False
        if self._shared.places.full:
            self._shared.places.wait(self._torrent)
            return False
        return True

    def _has_work(self, download: Download, seed: WebSeed, place: int, now: float) -> bool:
        """Whether there is something that one more connection might bring."""
        free = len(download.picker) * download.geometry.piece_size
        if place:
            return free >= 2 * seed.stretch
        return bool(free or download.assembly.askable) or self._relieve(download, seed, now)

    def _relieve(self, download: Download, seed: WebSeed, now: float) -> bool:
        """All is asked for: whether peers were let off something that a web seed without work brings far sooner."""
        if not self._may_relieve or not seed.speed or self._full or self._shared.places.full:
            return False
        self._may_relieve = False
        most = max(1, int(seed.speed * _RELIEF_SECONDS / BLOCK))
        size = download.have.size
        return (
            spare(
                self._company.peers.values(),
                download,
                seed.speed,
                lambda piece: not run_from(seed.lacks, size, piece, 1),
                most,
                now,
            )
            > 0
        )

    def _keep_busy(self, number: int, lanes: list[Lane]) -> None:
        """Those of one web seed that have nothing to do end."""
        idle = [lane for lane in lanes if lane.idle]
        if idle:
            self._close(idle)
            lanes[:] = [lane for lane in lanes if lane not in idle]
            if not lanes:
                del self._lanes[number]
        for lane in lanes:
            self.due = min(self.due, lane.due)
            if not lane.counted:
                lane.counted = True
                self._shared.places.enter()

    def _others_wait(self, download: Download, now: float) -> bool:
        """Whether a peer, or another web seed, might bring something of what is asked for and is asked for nothing."""
        if len(download.picker) or download.assembly.slabs.exhausted:
            return False  # who waits for memory would only push out what is half there
        if self._peers_wait():
            return True
        if self._full:
            return False
        owed = 0
        for owes in [lane.owes() for lanes in self._lanes.values() for lane in lanes]:
            if owes:
                owed |= run_mask(min(owes), max(owes) + 1, download.have.size)
        waiting = [seed for number, seed in self.seeds.items() if number not in self._lanes and now >= seed.due]
        return any(owed & ~seed.lacks for seed in waiting)

    def _peers_wait(self) -> bool:
        """Whether a peer that would give us something is asked for nothing."""
        return any(
            peer.am_interested and not peer.peer_choking and peer.pipeline is not None and not peer.pipeline.waiting
            for peer in self._company.peers.values()
        )
