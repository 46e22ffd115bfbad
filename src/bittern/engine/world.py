"""What a torrent shares with the other torrents of its core: identity, limits, chance, and where decisions go."""

from collections.abc import Callable
from dataclasses import dataclass, field

from bittern.base.ids import PeerId
from bittern.base.tracing import Tracer
from bittern.wire.decoder import Scratch

from .download.slabs import Memory
from .effects import Effect
from .events import Event
from .limits import Limits
from .ports import Chance
from .settings import EngineSettings
from .sources.turnstile import Turnstile
from .sources.udp_trackers import UdpTrackers
from .swarm.bans import Bans
from .swarm.crowds import Crowds
from .swarm.ip_filter import IpFilter
from .swarm.places import Places
from .swarm.priority import Ourselves


@dataclass(slots=True, eq=False)
class Shared:
    """The surroundings of a torrent.

    Attributes:
        settings: of the engine.
        peer_id: ours.
        chance: randomness by name.
        read_now: Disk.read_now.
        tracer: is told of everything that matters.
        scratch: receive buffers of the loop.
        limits: of all torrents and of groups.
        places: connections of all torrents.
        crowds: the torrents that have peers, which make room for each other's.
        memory: for blocks on their way to the disk, of all torrents.
        upload_memory: for blocks on their way from the disk, of all torrents.
        bans: hosts that no torrent deals with.
        ip_filter: addresses that no torrent deals with unless it is exempt.
        ourselves: our address as others see it.
        turnstile: lets announces of all torrents through.
        udp_trackers: conversations with UDP trackers, for all torrents.
        udp_asked: the torrents that asked them and wait for an answer, by ticket.
        effects: what is to be done, until the driver takes it.
        events: what happened, until the session takes it.
        dirty: numbers of the torrents with something to settle at the end of the turn.
    """

    settings: EngineSettings
    peer_id: PeerId
    chance: Chance
    read_now: Callable[[int, int, memoryview], bool]
    tracer: Tracer
    scratch: Scratch = field(default_factory=Scratch)
    limits: Limits = field(init=False)
    places: Places = field(init=False)
    crowds: Crowds = field(default_factory=Crowds)
    memory: Memory = field(init=False)
    upload_memory: Memory = field(init=False)
    bans: Bans = field(default_factory=Bans)
    ip_filter: IpFilter = field(default_factory=IpFilter)
    ourselves: Ourselves = field(init=False)
    turnstile: Turnstile = field(default_factory=Turnstile)
    udp_trackers: UdpTrackers = field(init=False)
    udp_asked: dict[int, int] = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    dirty: dict[int, None] = field(default_factory=dict)
    last_ticket: int = 0

    def __post_init__(self) -> None:
        self.limits = Limits(self.settings)
        self.places = Places(self.settings)
        self.memory = Memory(self.settings.total_buffer_bytes)
        self.upload_memory = Memory(self.settings.upload_buffer_bytes)
        self.ourselves = Ourselves(self.settings.listen_port, self.settings.dht_port)
        self.udp_trackers = UdpTrackers(self.chance.entropy, self.next_ticket, self.ip_filter)

    def wake(self) -> bool:
        """Wake torrents that wait for memory, if there is some; any at all?"""
        here, there = self.memory, self.upload_memory
        return (bool(here.waiting) and here.wake()) | (bool(there.waiting) and there.wake())

    def next_ticket(self) -> int:
        """A number that was not used before."""
        self.last_ticket += 1
        return self.last_ticket
