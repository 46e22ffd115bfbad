"""Hundreds of seeds asleep in one client: one wakes for who asks, serves, and leaves nothing behind."""

import gc
from collections import Counter
from collections.abc import Callable
from random import Random

from bittern.engine.events import SleeperCalled
from bittern.engine.sources.lsd import LEAST_SECONDS
from bittern.sim.content import Content, make_content
from bittern.sim.process import SimProcess
from bittern.sim.swarm import Swarm

COUNT = 300
SIZE, PIECE = 64 * 1024, 16384


def weight(process: SimProcess) -> Counter[type]:
    """Objects that an engine keeps, by kind, counted from its core; classes, functions and modules are not its own."""

    def counts(found: object) -> bool:
        own = type(found).__module__.startswith(("bittern", "builtins")) and not isinstance(found, type)
        # Which tuples and dicts the collector tracks is its own affair, and changes while it works.
        object_of_note = gc.is_tracked(found) or isinstance(found, dict)
        return object_of_note and own and not callable(found) and found is not process.disk

    seen, left = {id(process.core): process.core}, list[object]([process.core])
    while left:
        for found in gc.get_referents(left.pop()):
            if id(found) not in seen and counts(found):
                seen[id(found)] = found
                left.append(found)
    kinds = Counter(map(type, seen.values()))
    del kinds[tuple]
    return kinds


class Hall:
    """A client with many torrents asleep, and others that come for single ones."""

    def __init__(self, seed: int) -> None:
        self.swarm = Swarm(Random, seed, seeds=0, leechers=0, torrents=1, size=SIZE, piece_size=PIECE, strict=True)
        world, trackers = self.swarm.world, [self.swarm.tracker.url]
        self.contents = [make_content(world, f"sleeper {number}", SIZE, PIECE, trackers) for number in range(COUNT)]
        self.keeper = self.swarm.process("keeper")
        for content in self.contents:
            self.keeper.sleep(content)
        self.go_on(60.0)  # until all were announced

    def go_on(self, seconds: float) -> None:
        self.swarm.world.run(seconds)

    def rest(self) -> None:
        """Until nobody is awake, as a session lets it come to that: it asks again and again."""
        for _ in range(100):
            self.go_on(10.0)
            self.keeper.lull()
            if not self.keeper.core.torrents:
                self.go_on(LEAST_SECONDS + 1.0)  # the local network may be looked at once more
                return
        raise AssertionError("it does not fall asleep")

    def visit(self, name: str, content: Content) -> SimProcess:
        """Somebody fetches one torrent and goes."""
        visitor = self.swarm.process(name)
        visitor.leech(content)
        self.swarm.world.run(600.0, until=lambda: bool(visitor.completed))
        assert visitor.completed
        assert visitor.wrong_pieces() == []
        self.go_on(5.0)  # its tracker hears that it leeches no more: nobody need wake for it
        visitor.stop()
        return visitor


def test_one_of_hundreds_wakes_serves_and_sleeps_again(seed: int, figure: Callable[[str], None]) -> None:
    hall = Hall(seed)
    core = hall.keeper.core
    assert (len(core.dormitory), len(core.torrents)) == (COUNT, 0)
    before, announces = weight(hall.keeper), len(hall.swarm.tracker.log)
    assert announces == COUNT
    woke_at = hall.swarm.world.now
    visitor = hall.visit("visitor", hall.contents[77])
    called = [event for _, event in hall.keeper.events if isinstance(event, SleeperCalled)]
    assert {event.info_hash for event in called} == {hall.contents[77].info.wire_hash}
    assert len(core.torrents) == 1, "nobody else woke up"
    assert weight(hall.keeper).total() > before.total()
    hall.rest()
    assert (len(core.dormitory), len(core.torrents)) == (COUNT, 0)
    assert hall.keeper.host.links == {}
    [done] = visitor.completed.values()
    figure(f"a visitor of one of {COUNT} sleepers has 64 KiB after {done - woke_at:.2f} s, from its first announce on")


def test_visits_leave_no_object_and_no_timer_behind(seed: int) -> None:
    hall = Hall(seed)
    core = hall.keeper.core

    def visited(number: int) -> Counter[type]:
        hall.visit(f"visitor {number}", hall.contents[10])
        hall.rest()
        return weight(hall.keeper)

    first = visited(0)
    for number in range(1, 8):
        assert visited(number) - first == Counter(), "what a visit leaves is the same for the second as for the eighth"
        due, told = core.next_deadline(), len(hall.swarm.tracker.log)
        assert due is not None
        hall.go_on(due - hall.swarm.world.now + 1.0)
        assert len(hall.swarm.tracker.log) > told, "nothing ticks: the next thing to do is an announce"
