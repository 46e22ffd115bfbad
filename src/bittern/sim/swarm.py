"""A whole swarm in one call: seeds, leechers, a tracker, and the network between them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from bittern.engine.settings import EngineSettings

from .content import MIB, Content, make_content
from .host import Host
from .http import Web
from .network import PORT, Network
from .paths import Paths
from .process import SimProcess
from .report import Report
from .tracker import SimTracker
from .udp import Services
from .world import Dice, World


@dataclass(frozen=True, slots=True)
class Lines:
    """How hosts are connected.

    Attributes:
        up: bytes per second that leave a host.
        down: bytes per second that come to it.
        latency: seconds to the middle of the network.
        jitter: seconds, for the whole network.
        together: whether all hosts are in one /24 network, and not each in its own.
    """

    up: float = 1.0 * MIB
    down: float = 8.0 * MIB
    latency: float = 0.02
    jitter: float = 0.005
    together: bool = False


class Swarm:
    """Seeds and leechers of one or more torrents, each process on its own host.

    Args:
        dice: makes random generators, as a rule `random.Random`.
        seed: of all chance.
        seeds: processes with every byte from the beginning.
        leechers: processes with nothing.
        size: bytes of each torrent.
        piece_size: bytes of each of its pieces.
        torrents: how many; every process is in all of them.
        lines: how the hosts are connected.
        stagger: leechers join so many seconds one after the other.
        settings: of every engine.
        prepare: called with every host before its process starts.
        magnets: leechers begin without the metadata.
        strict: check the engines' invariants after each turn; slow.
        udp_tracker: everybody asks the tracker by datagrams, else over HTTP.
        make: makes each torrent of its name, size, piece size and trackers.
    """

    def __init__(
        self,
        dice: Dice,
        seed: int = 0,
        *,
        seeds: int = 1,
        leechers: int = 20,
        size: int = 4 * MIB,
        piece_size: int = 65536,
        torrents: int = 1,
        lines: Lines | None = None,
        stagger: float = 0.1,
        settings: EngineSettings | None = None,
        prepare: Callable[[Host], None] | None = None,
        magnets: bool = False,
        strict: bool = False,
        udp_tracker: bool = False,
        make: Callable[[World, str, int, int, Sequence[str]], Content] = make_content,
    ) -> None:
        self.world = World(dice, seed)
        self.network = Network(self.world)
        self.paths = Paths(self.network)
        self.web = Web()
        self.services = Services()
        self.tracker = SimTracker(self.world, self.web, services=self.services)
        self.lines = lines or Lines()
        self.network.jitter, self.network.together = self.lines.jitter, self.lines.together
        self._settings = settings or EngineSettings()
        self._prepare = prepare
        self._strict = strict
        trackers = [self.tracker.udp_url if udp_tracker else self.tracker.url]
        self.contents: list[Content] = [
            make(self.world, f"content {number}", size, piece_size, trackers) for number in range(torrents)
        ]
        self.seeds = [self.process(f"seed{number}") for number in range(seeds)]
        self.leechers = [self.process(f"leech{number:02}") for number in range(leechers)]
        for process in self.seeds:
            for content in self.contents:
                process.seed(content)
        for number, process in enumerate(self.leechers):
            self.world.at(number * stagger, partial(self._join, process, magnets=magnets))

    @property
    def processes(self) -> list[SimProcess]:
        """All of them."""
        return [*self.seeds, *self.leechers]

    def process(self, name: str, settings: EngineSettings | None = None) -> SimProcess:
        """A new host like the others, and a client on it that is in no torrent yet; `settings` where it has its own."""
        host = self.network.host(name, self.lines.up, self.lines.down)
        host.latency = self.lines.latency
        if self._prepare is not None:
            self._prepare(host)
        # Who is behind a router that translates does not know it.
        reachable = not host.natted or host.nat is not None
        settings = replace(settings or self._settings, listen_port=PORT if reachable else 0)
        process = SimProcess(host, self.web, settings, self.services, self.paths)
        process.strict = self._strict
        return process

    def run(self, seconds: float = 600.0, must_complete: Sequence[SimProcess] | None = None) -> Report:
        """Let the swarm go on until all of `must_complete` (by default the leechers) have everything.

        Args:
            seconds: the most, in the world's time.
            must_complete: who counts.
        """
        must_complete = self.leechers if must_complete is None else must_complete
        waiting, count = list(must_complete), len(self.contents)

        def done() -> bool:
            # Asked after every event: looks at one process, not at all.
            while waiting and len(waiting[-1].completed) == count:
                waiting.pop()
            return not waiting

        self.world.run(seconds, until=done)
        return Report.of(self.world, self.processes, must_complete)

    def _join(self, process: SimProcess, *, magnets: bool) -> None:
        for content in self.contents:
            (process.magnet if magnets else process.leech)(content)
