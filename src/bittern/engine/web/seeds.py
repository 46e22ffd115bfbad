"""The web seeds of one torrent: which of them is asked, over how many connections, and what they are blamed for."""

from collections.abc import Iterable, Sequence
from math import inf

from bittern.base.ids import InfoHashV1
from bittern.codec.info import Info
from bittern.engine.download.download import Download
from bittern.engine.events import WebSeedFailed
from bittern.engine.swarm.company import Company
from bittern.engine.swarm.lanes import Lanes
from bittern.engine.world import Shared
from bittern.wire.stream import Link, Stream
from bittern.wire.webseed import WebLayout, WebUrl

from .lane import Lane, Scene
from .seed import CONNECTIONS, WebSeed

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
        self._company = company
        self._shared = shared
        self._rng = shared.chance.rng_for("web seeds", wire_hash)
        self._scene: Scene | None = None
        self._lanes: dict[int, list[Lane]] = {}  # by seed

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

    def add(self, urls: Sequence[str]) -> int:
        """Use more web seeds; how many of them are new and have a URL that can be asked for."""
        known = {seed.url for seed in self.seeds.values()}
        new = 0
        for url in dict.fromkeys(urls):
            parsed = WebUrl.parse(url)
            if parsed is None or url in known or len(self.seeds) >= MOST_SEEDS:
                continue
            number = -1 - len(self.seeds)
            self.seeds[number] = WebSeed(number, url, parsed, self._rng)
            self._company.others[number] = url
            new += 1
        self._company.convict = self._convict
        return new

    def ready(self, info: Info, download: Download, limits: Lanes) -> None:
        """The metadata is known; what comes is for `download`, held to `limits`."""
        company = self._company
        self._scene = Scene(
            torrent=self._torrent,
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
        self.due = inf
        for place in range(CONNECTIONS):
            for number, seed in self.seeds.items():
                lanes = self._lanes.setdefault(number, [])
                if place == len(lanes) and self._may_open(seed, place, now):
                    lanes.append(Lane(seed, scene, first=number == -1 and not place))
                if place < len(lanes):
                    lanes[place].drive(now)
                if place < len(lanes) and lanes[place].due < self.due:
                    self.due = lanes[place].due
        for number, lanes in list(self._lanes.items()):
            self._close([lane for lane in lanes if lane.idle])
            lanes[:] = [lane for lane in lanes if not lane.idle]
            for lane in lanes:
                if not lane.counted:
                    lane.counted = True
                    self._shared.places.enter()
            if not lanes:
                del self._lanes[number]
                if now < self.seeds[number].due < self.due:
                    self.due = self.seeds[number].due

    def watch(self, patience: float, now: float) -> None:
        """Once a second: measure, give up who is silent, and leave to idle peers what they may bring sooner."""
        for number, lanes in list(self._lanes.items()):
            seed = self.seeds[number]
            seed.down.count_up_to(seed.arrived, now)
            for lane in lanes:
                lane.watch(patience, now)
        if self._lanes and self._scene is not None and not len(self._scene.download.picker) and self._peers_wait():
            for lanes in self._lanes.values():
                for lane in lanes:
                    lane.give_way(now)
        if self._lanes:
            self._company.stir()

    # --- connections, called by the core

    def connected(self, ticket: int, link: Link, now: float) -> Stream | None:
        """A `ConnectWeb` succeeded; the stream for its link, None when it is not wanted any more."""
        lane = self._lane(ticket)
        return lane.connected(link, now) if lane is not None else None

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
                    reason = "sent data that fails its hash"
                    seed.ban(reason)
                    self._close(self._lanes.pop(number, ()))
                    if self._scene is not None:
                        self._scene.download.assembly.expunge(number)
                    self._shared.events.append(WebSeedFailed(self._torrent, url, reason, inf))
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

    def _may_open(self, seed: WebSeed, place: int, now: float) -> bool:
        used = sum(map(len, self._lanes.values()))
        scene = self._scene
        assert scene is not None
        free = len(scene.download.picker) * scene.info.piece_size
        if free < 2 * seed.stretch if place else not (free or scene.download.assembly.askable):
            return False
        wanted = place < seed.connections and now >= seed.due and used < self._shared.settings.max_web_connections
        if wanted and self._shared.places.full:
            self._shared.places.wait(self._torrent)
            return False
        return wanted

    def _peers_wait(self) -> bool:
        """Whether a peer that would give us something is asked for nothing."""
        return any(
            peer.am_interested and not peer.peer_choking and peer.pipeline is not None and not peer.pipeline.waiting
            for peer in self._company.peers.values()
        )
