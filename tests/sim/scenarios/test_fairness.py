"""What gives a swarm its speed: how near a crowd comes to what its lines allow, and that nobody is starved."""

from collections.abc import Callable
from random import Random

import pytest

from bittern.engine.settings import EngineSettings
from bittern.sim.content import MIB
from bittern.sim.host import Host
from bittern.sim.process import SimProcess
from bittern.sim.swarm import Lines, Swarm

RATE = MIB / 16


def napping(host: Host) -> None:
    """Handle together what happens within 20 ms: large swarms are simulated faster, and lines are slow here."""
    host.nap = 0.02


def swarm_of(seed: int, leechers: int, size: int, *, slots: int) -> Swarm:
    """One seed, and leechers that give as much as it does and join at once."""
    lines, settings = Lines(up=RATE, down=16 * RATE), EngineSettings(upload_slots=slots)
    return Swarm(
        Random, seed, leechers=leechers, size=size, piece_size=32768, lines=lines, stagger=0.0, settings=settings,
        prepare=napping,
    )  # fmt: skip


def fluid_bound(size: int, leechers: int) -> float:
    """Seconds that the lines allow at best: the seed sends one copy, and all together one for each leecher."""
    return max(size / RATE, leechers * size / (RATE * (leechers + 1)))


def times(processes: list[SimProcess]) -> list[float]:
    return sorted(process.completed[1] for process in processes)


def test_a_flash_crowd_completes_and_says_how_near_it_came_to_what_its_lines_allow(
    seed: int, figure: Callable[[str], None]
) -> None:
    """The goal is 1.15 of the fluid bound for the last; bench/results says where it stands."""
    size = 3 * MIB
    swarm = swarm_of(seed, 50, size, slots=8)
    report = swarm.run(600.0)
    report.check()
    took, sent = times(swarm.leechers), report["seed0"].sent / size
    bound = fluid_bound(size, 50)
    figure(
        f"flash crowd, 1 + 50, seed {seed}: first {took[0] / bound:.2f}, median {took[25] / bound:.2f}, "
        f"last {took[-1] / bound:.2f} of the fluid bound; the seed sent {sent:.2f} copies, "
        f"wasted {sum(peer.wasted for peer in report.peers)} bytes"
    )
    assert sum(peer.wasted for peer in report.peers) == 0


@pytest.mark.parametrize("number", range(3))
def test_two_who_join_late_are_not_starved(seed: int, number: int, figure: Callable[[str], None]) -> None:
    swarm = swarm_of(1000 * seed + number, 12, 2 * MIB, slots=4)
    late = [swarm.process(f"late{count}") for count in range(2)]
    joined = 15.0
    swarm.world.run(joined)
    for process in late:
        process.leech(swarm.contents[0])
    swarm.run(600.0, [*swarm.leechers, *late]).check()
    typical = sum(times(swarm.leechers)) / len(swarm.leechers)
    took = times(late)[-1] - joined
    figure(f"two late joiners, seed {swarm.world.seed}: {took / typical:.2f} of the time of the others")
    assert took <= 1.5 * typical, f"they took {took} s, the others {typical}, seed {swarm.world.seed}"
