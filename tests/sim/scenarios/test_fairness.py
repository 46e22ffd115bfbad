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


def swarm_of(seed: int, leechers: int, size: int, *, slots: int, lines: Lines | None = None) -> Swarm:
    """One seed, and leechers that give as much as it does and join at once."""
    lines, settings = lines or Lines(up=RATE, down=16 * RATE), EngineSettings(upload_slots=slots)
    return Swarm(
        Random, seed, leechers=leechers, size=size, piece_size=32768, lines=lines, stagger=0.0, settings=settings,
        prepare=napping,
    )  # fmt: skip


def fluid_bound(size: int, leechers: int) -> float:
    """Seconds that the lines allow at best: the seed sends one copy, and all together one for each leecher."""
    return max(size / RATE, leechers * size / (RATE * (leechers + 1)))


def times(processes: list[SimProcess]) -> list[float]:
    return sorted(process.completed[1] for process in processes)


def crowd(
    seed: int, size: int, leechers: int, figure: Callable[[str], None], *, together: bool = False
) -> tuple[float, float]:
    """A flash crowd: when half, and the last, were complete, in shares of the fluid bound."""
    lines = Lines(up=RATE, down=16 * RATE, together=together)
    swarm = swarm_of(seed, leechers, size, slots=8, lines=lines)
    report = swarm.run(1200.0)
    report.check()
    assert sum(peer.wasted for peer in report.peers) == 0
    took, bound, half = times(swarm.leechers), fluid_bound(size, leechers), leechers // 2
    sent = report["seed0"].sent / size
    received = sum(report[one.name].received for one in swarm.leechers) / size / leechers
    figure(
        f"flash crowd, 1 + {leechers}, {size // 32768} pieces{', one network' if together else ''}, seed {seed}: first "
        f"{took[0] / bound:.3f}, median {took[half] / bound:.3f}, last {took[-1] / bound:.3f} of the fluid bound; the "
        f"seed sent {sent:.2f} copies, each received {received:.3f}"
    )
    return took[half] / bound, took[-1] / bound


def test_a_flash_crowd_is_done_within_115_percent_of_what_its_lines_allow(
    seed: int, figure: Callable[[str], None]
) -> None:
    """512 pieces, default settings."""
    _, last = crowd(seed, 16 * MIB, 50, figure)
    assert last <= 1.15


@pytest.mark.parametrize("together", [False, True])
def test_a_flash_crowd_for_a_small_content_is_not_far_from_it(
    seed: int, figure: Callable[[str], None], *, together: bool
) -> None:
    """96 pieces: the first hops, and the last, weigh more. Hosts of one /24 are allowed the same pieces (BEP 6)."""
    median, last = crowd(seed, 3 * MIB, 25, figure, together=together)
    assert median <= 1.5
    assert last <= 1.55


SHARES = (1.0, 0.7, 0.45)
EACH = 5


def unequal(host: Host) -> None:
    """Contributors of three classes; the seed gives half as much again as one of the best."""
    napping(host)
    if host.name.startswith("seed"):
        host.uplink.rate = 1.5 * RATE
    elif host.name.startswith("leech"):
        host.uplink.rate = SHARES[int(host.name.removeprefix("leech")) // EACH] * RATE


def test_who_gives_more_is_done_sooner_and_free_riders_come_last(seed: int, figure: Callable[[str], None]) -> None:
    """Seeds are scarce: one, and who is complete leaves. Five who give nothing join half a second after the others."""
    swarm = Swarm(
        Random, seed, leechers=len(SHARES) * EACH, size=8 * MIB, piece_size=32768,
        lines=Lines(up=RATE, down=16 * RATE), stagger=0.0, prepare=unequal,
        settings=EngineSettings(upload_slots=4),
    )  # fmt: skip
    riders = [swarm.process(f"rider{number}", EngineSettings(upload_slots=0)) for number in range(EACH)]
    swarm.world.run(0.5)
    for rider in riders:
        rider.leech(swarm.contents[0])
    staying = list(swarm.leechers)
    while not all(one.completed for one in (*swarm.leechers, *riders)) and swarm.world.now < 3000.0:
        swarm.world.run(1.0)
        for process in [one for one in staying if one.completed]:
            process.stop()
            staying.remove(process)
    classes = [times(swarm.leechers[first : first + EACH]) for first in range(0, len(SHARES) * EACH, EACH)]
    free = times(riders)
    means = [sum(each) / len(each) for each in (*classes, free)]
    ratio, gap = means[-1] / (sum(means[:-1]) / len(SHARES)), free[0] / max(map(max, classes))
    figure(
        f"uploads of {SHARES} and none, seed {seed}: done at {', '.join(f'{mean:.0f}' for mean in means)} s (means); "
        f"free riders {ratio:.2f} of the mean of contributors, the first of them {gap:.2f} of the last contributor"
    )
    assert means == sorted(means)
    assert ratio >= 1.5
    assert free[0] > means[-2]
    assert free[EACH // 2] > max(map(max, classes))


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
