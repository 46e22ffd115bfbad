"""72 hours, simulated: a seed in a swarm that comes and goes, and a node of the DHT among others: nothing may grow.

Memory of a process says little about growth: freed memory stays, and the simulated world keeps a diary. So the engine's
own objects are counted, and what its containers hold, after the first third and at the end.
"""

import gc
from collections import Counter, deque
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from random import Random
from types import FunctionType, MethodType, ModuleType

from bittern.engine.settings import EngineSettings
from bittern.sim.content import MIB
from bittern.sim.dht import DhtSwarm
from bittern.sim.process import SimProcess
from bittern.sim.swarm import Swarm

from .meter import Meter

HOUR = 3600.0
HOURS, SHORT = 72, 1
VISIT_SECONDS = 600.0
"""A newcomer comes so often, and stays for so long at most."""
NODES = 20
SLACK, SPARE = 1.25, 100
"""What may be more at the end: by this share, and by so many."""
_BOUNDED = {
    "Slab.blocks": 4096,
    "Gate._askers": 4096,
    "Gate._proven": 4096,
    "Gate._proven[]": 8192,
    "_Asker": 4096,
}
"""What grows up to a bound, and no further: buffers within the budget of memory, and nodes that are remembered."""
_OURS = ("bittern.engine.", "bittern.wire.", "bittern.base.", "bittern.codec.")
_CONTAINERS = (dict, list, set, deque, bytearray, frozenset, tuple)


class GrowthError(Exception):
    """Something kept growing."""


def held(root: object) -> Counter[str]:
    """How many things of each kind the engine holds, and how much is in its containers, by what holds them.

    Args:
        root: where to begin; what belongs to the simulator is not followed.
    """
    found: Counter[str] = Counter()
    seen = {id(root)}
    todo: list[tuple[object, str]] = [(root, "")]
    while todo:
        thing, path = todo.pop()
        if isinstance(thing, _CONTAINERS):
            found[path] += len(thing)
        elif path and type(thing).__module__.startswith(_OURS):
            found[type(thing).__qualname__] += 1
        for inner, name in _inside(thing, path):
            if id(inner) not in seen and _followed(inner):
                seen.add(id(inner))
                todo.append((inner, name))
    return found


def _followed(thing: object) -> bool:
    if isinstance(thing, (*_CONTAINERS, MethodType)):
        return True
    return not isinstance(thing, type | ModuleType | FunctionType) and type(thing).__module__.startswith(_OURS)


def _inside(thing: object, path: str) -> Iterator[tuple[object, str]]:
    if isinstance(thing, dict):
        for key, value in thing.items():
            yield key, f"{path}[]"
            yield value, f"{path}[]"
    elif isinstance(thing, list | set | deque | frozenset | tuple):
        for value in thing:
            yield value, f"{path}[]"
    elif isinstance(thing, MethodType):
        yield thing.__self__, path
    else:
        names = [name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ())]
        for name in [*names, *getattr(thing, "__dict__", ())]:
            if hasattr(thing, name):
                yield getattr(thing, name), f"{type(thing).__qualname__}.{name}"


def grown(before: Counter[str], after: Counter[str]) -> dict[str, tuple[int, int]]:
    """What is more than it may be, by name."""
    return {
        name: (before[name], count)
        for name, count in after.items()
        if count > max(before[name] * SLACK + SPARE, _BOUNDED.get(name, 0))
    }


class Coming:
    """Newcomers to a swarm, one after the other: each downloads over TCP or uTP, and goes again.

    Args:
        swarm: with one seed.
    """

    def __init__(self, swarm: Swarm) -> None:
        self._swarm = swarm
        self.came = self.finished = 0
        swarm.world.after(0.0, self._come)

    def _come(self) -> None:
        swarm, settings = self._swarm, EngineSettings(utp=True, tcp=self.came % 3 > 0)
        newcomer = swarm.process(f"newcomer {self.came}", settings)
        self.came += 1
        newcomer.leech(swarm.contents[0])
        stay = VISIT_SECONDS * swarm.world.chance(newcomer.name).rng_for("stay").uniform(0.2, 3)
        swarm.world.after(stay, partial(self._go, newcomer))
        swarm.world.after(VISIT_SECONDS, self._come)

    def _go(self, newcomer: SimProcess) -> None:
        self.finished += bool(newcomer.completed)
        newcomer.stop()


def look(what: str, root: object, before: Counter[str] | None) -> Counter[str]:
    """Count; where it was counted before, nothing must have grown."""
    gc.collect()
    counted = held(root)
    if before is not None and (more := grown(before, counted)):
        lines = [f"{name}: {was} -> {now}" for name, (was, now) in sorted(more.items())]
        raise GrowthError(f"{what} kept growing:\n" + "\n".join(lines))
    return counted


def swarm_for(meter: Meter, hours: int) -> None:
    """A seed, and peers that come and go."""
    swarm = Swarm(Random, 1, leechers=0, size=MIB, settings=EngineSettings(utp=True))
    coming = Coming(swarm)
    (seed,) = swarm.seeds
    with meter.step("a swarm, the first third"):
        swarm.world.run(hours * HOUR / 3)
    before = look("the seed", seed.core, None)
    with meter.step("a swarm, the rest"):
        swarm.world.run(hours * HOUR * 2 / 3)
    look("the seed", seed.core, before)
    assert coming.finished > coming.came / 2


def dht_for(meter: Meter, hours: int) -> None:
    """A node of the DHT, and others that come and go, announce and look."""
    swarm = DhtSwarm(Random, seed=1, loss=0.02)
    swarm.join(NODES, seconds=300.0)
    mine = swarm.add()
    swarm.nodes.remove(mine)  # it stays, whoever goes
    swarm.churn(per_hour=1.0)

    def busy() -> None:
        swarm.announce(swarm.rng.choice(swarm.nodes), swarm.rng.randbytes(20))
        swarm.look_for(mine, swarm.rng.randbytes(20))
        mine.events.clear()
        swarm.world.after(VISIT_SECONDS, busy)

    busy()
    with meter.step("a node of the DHT, the first third"):
        swarm.world.run(hours * HOUR / 3)
    before = look("the node", mine.node, None)
    with meter.step("a node of the DHT, the rest"):
        swarm.world.run(hours * HOUR * 2 / 3)
    look("the node", mine.node, before)


def run(meter: Meter, folder: Path, *, short: bool) -> None:
    """Both."""
    assert folder.is_dir()  # nothing is written there
    hours = SHORT if short else HOURS
    swarm_for(meter, hours)
    dht_for(meter, hours)
