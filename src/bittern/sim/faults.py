"""Trouble that a seed makes for a swarm: a plan of faults, drawn once, readable before it happens."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bittern.base.errors import StorageError

from .host import Cut
from .process import SimProcess
from .swarm import Swarm
from .tracker import Mood

if TYPE_CHECKING:
    from random import Random


@dataclass(frozen=True, slots=True)
class Fault:
    """Something bad at `due`.

    Attributes:
        due: seconds since the world began.
        what: for people.
        strike: makes it happen.
    """

    due: float
    what: str
    strike: Callable[[], None]


class Chaos:
    """Faults for a swarm, drawn from its own seed.

    The first seed stays well and connected in the end, and the others complete or die: whatever is drawn, every
    leecher that is still there must get every byte.

    Args:
        swarm: not yet run.
        faults: how many.
        seconds: they happen within so many seconds.
    """

    def __init__(self, swarm: Swarm, faults: int = 8, seconds: float = 20.0) -> None:
        self._swarm = swarm
        self._rng: Random = swarm.world.chance("chaos").rng_for("plan")
        self._mortal = [*swarm.seeds[1:], *swarm.leechers]
        self.dead: list[SimProcess] = []
        kinds = (self._power_off, self._stop, self._split, self._mood, self._slow_disk, self._broken_disk, self._cut)
        dues = sorted(self._rng.uniform(0, seconds) for _ in range(faults))
        self.plan = [self._rng.choice(kinds)(due) for due in dues]
        for fault in self.plan:
            swarm.world.at(fault.due, partial(self._strike, fault))

    @property
    def survivors(self) -> list[SimProcess]:
        """The leechers that no fault of the plan kills."""
        return [process for process in self._swarm.leechers if process not in self.dead]

    def __str__(self) -> str:
        return "\n".join(f"{fault.due:6.1f} s  {fault.what}" for fault in self.plan)

    def _strike(self, fault: Fault) -> None:
        self._swarm.world.trace.note(self._swarm.world.now, f"fault: {fault.what}")
        fault.strike()

    def _victim(self) -> SimProcess:
        """One that dies; half of the processes are spared."""
        spared = len(self._mortal) // 2 + 1
        if self.dead and len(self._mortal) - len(self.dead) <= spared:
            return self._rng.choice(self.dead)
        victim = self._rng.choice([process for process in self._mortal if process not in self.dead])
        self.dead.append(victim)
        return victim

    def _power_off(self, due: float) -> Fault:
        victim = self._victim()
        return Fault(due, f"{victim.name} loses power", partial(victim.host.network.power_off, victim.host))

    def _stop(self, due: float) -> Fault:
        victim = self._victim()
        return Fault(due, f"{victim.name} stops", victim.stop)

    def _split(self, due: float) -> Fault:
        hosts = list(self._swarm.network.hosts.values())
        part = self._rng.sample(hosts, len(hosts) // 2)
        seconds = self._rng.choice((2.0, 30.0, 300.0))
        self._swarm.world.at(due + seconds, self._swarm.network.split)
        names = " ".join(host.name for host in part)
        return Fault(due, f"split for {seconds:.0f} s: {names}", partial(self._swarm.network.split, part))

    def _mood(self, due: float) -> Fault:
        mood = self._rng.choice((Mood.REFUSING, Mood.BROKEN, Mood.SILENT, Mood.GONE))
        self._swarm.world.at(due + self._rng.uniform(1, 60), partial(self._set_mood, Mood.WELL))
        return Fault(due, f"the tracker {mood.value}", partial(self._set_mood, mood))

    def _set_mood(self, mood: Mood) -> None:
        self._swarm.tracker.mood = mood

    def _slow_disk(self, due: float) -> Fault:
        victim = self._rng.choice(self._swarm.processes)

        def strike() -> None:
            victim.disk.cached = False
            victim.disk.latency, victim.disk.rate = 0.05, 500_000.0

        return Fault(due, f"{victim.name}: slow disk", strike)

    def _broken_disk(self, due: float) -> Fault:
        victim = self._rng.choice(self._swarm.leechers)
        kind = self._rng.choice((StorageError.Kind.DISK_FULL, StorageError.Kind.IO))
        self._swarm.world.at(due + self._rng.uniform(0.5, 10), victim.repair)

        def strike() -> None:
            victim.disk.faults.broken = kind

        return Fault(due, f"{victim.name}: {kind.value}", strike)

    def _cut(self, due: float) -> Fault:
        victim = self._rng.choice(self._swarm.processes)

        def strike() -> None:
            victim.host.cut = Cut.RANDOM

        return Fault(due, f"{victim.name} reads and writes in random pieces", strike)
