"""What gives a swarm its speed, and whom it rewards: contributors first, free riders last, nobody starved."""

from random import Random

import pytest

from bittern.engine.settings import EngineSettings
from bittern.sim.content import MIB
from bittern.sim.host import Host
from bittern.sim.process import SimProcess
from bittern.sim.swarm import Lines, Swarm

RATE = MIB / 16
SHARES = (1.0, 0.5, 0.25)
"""Uplinks of the classes of contributors, in shares of the seed's."""


def patient(host: Host) -> None:
    """What a class gives, and turns that are worth their while."""
    host.nap = 0.01
    if host.name.startswith("leech"):
        host.uplink.rate *= SHARES[int(host.name[5:]) % len(SHARES)]


def swarm_of(seed: int, leechers: int, size: int = 4 * MIB) -> Swarm:
    lines = Lines(up=RATE, down=16 * RATE)
    settings = EngineSettings(upload_slots=4)
    return Swarm(
        Random, seed, leechers=leechers, size=size, piece_size=32768, lines=lines, stagger=0.0, settings=settings,
        prepare=patient,
    )  # fmt: skip


def mean_time(processes: list[SimProcess]) -> float:
    return sum(process.completed[1] for process in processes) / len(processes)


@pytest.mark.parametrize("number", range(3))
def test_contributors_finish_in_order_and_free_riders_last(seed: int, number: int) -> None:
    """Free riders have lines like the others, and serve nobody. Whoever is complete goes: seeds stay scarce."""
    swarm = swarm_of(1000 * seed + number, 12)
    riders = [swarm.process(f"rider{count}", EngineSettings(upload_slots=0)) for count in range(3)]
    for rider in riders:
        rider.leech(swarm.contents[0])
    leave_when_complete(swarm)
    swarm.run(1500.0, [*swarm.leechers, *riders]).check()
    means = [mean_time(swarm.leechers[at :: len(SHARES)]) for at in range(len(SHARES))]
    told = f"contributors {means}, free riders {[rider.completed[1] for rider in riders]}, seed {swarm.world.seed}"
    print(told)
    assert means == sorted(means), told
    assert min(rider.completed[1] for rider in riders) > max(process.completed[1] for process in swarm.leechers), told
    assert mean_time(riders) >= 1.5 * mean_time(swarm.leechers), told


def leave_when_complete(swarm: Swarm) -> None:
    """Look every second who is complete, and let them go."""

    def look() -> None:
        for process in swarm.leechers:
            if process.completed and process.host.acceptor is not None:
                process.stop()
        swarm.world.after(1.0, look)

    swarm.world.after(1.0, look)


@pytest.mark.parametrize("number", range(3))
def test_two_who_join_late_are_not_starved(seed: int, number: int) -> None:
    swarm = swarm_of(1000 * seed + number, 12)
    late = [swarm.process(f"late{count}") for count in range(2)]
    joined = 30.0
    swarm.world.run(joined)
    for process in late:
        process.leech(swarm.contents[0])
    swarm.run(1500.0, [*swarm.leechers, *late]).check()
    typical = mean_time(swarm.leechers)
    took = [process.completed[1] - joined for process in late]
    print(f"typical {typical}, late {took}, seed {swarm.world.seed}")
    assert max(took) <= 1.5 * typical, f"they took {took} s, the others {typical}, seed {swarm.world.seed}"
