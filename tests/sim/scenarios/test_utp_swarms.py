"""Whole swarms over uTP, alone and mixed with TCP."""

from collections.abc import Callable
from random import Random

import pytest

from bittern.base.transport import Transport
from bittern.engine.settings import EngineSettings
from bittern.sim.faults import Chaos
from bittern.sim.paths import Trouble
from bittern.sim.process import SimProcess
from bittern.sim.swarm import Lines, Swarm

KIB = 1 << 10


def carried(process: SimProcess) -> list[Transport]:
    """What carries the connections of a process."""
    return [peer.transport for torrent in process.core.torrents.values() for peer in torrent.peers.values()]


@pytest.mark.parametrize("trouble", [Trouble(), Trouble(loss=0.02, doubled=0.01, overtaken=0.02, jitter=0.005)])
def test_a_swarm_without_tcp_completes(seed: int, trouble: Trouble, figure: Callable[[str], None]) -> None:
    settings = EngineSettings(tcp=False, utp=True)
    lines = Lines(up=512 * KIB, down=2048 * KIB)
    swarm = Swarm(Random, seed, leechers=6, size=512 * KIB, piece_size=64 * KIB, lines=lines, settings=settings)
    swarm.paths.trouble = trouble
    report = swarm.run(120.0)
    report.check()
    figure(f"swarm of 6 leechers over uTP, {trouble.loss:.0%} lost: complete after {report.seconds:.1f} s")


def test_a_swarm_over_utp_outlives_faults_of_hosts_disks_paths_and_the_tracker(seed: int) -> None:
    settings = EngineSettings(tcp=False, utp=True)
    lines = Lines(up=512 * KIB, down=2048 * KIB)
    swarm = Swarm(Random, seed, seeds=2, leechers=4, size=512 * KIB, lines=lines, settings=settings, strict=True)
    swarm.paths.trouble = Trouble(loss=0.02, doubled=0.01, overtaken=0.02, jitter=0.01)
    chaos = Chaos(swarm, seconds=4.0)
    print(chaos)  # noqa: T201 - pytest shows it where the test fails
    swarm.run(1500.0, chaos.survivors).check()


@pytest.mark.parametrize("seconds", [3, 10, 17, 30, 60, 120])
def test_a_way_that_is_cut_for_a_while_is_found_again_soon(
    seed: int, seconds: int, figure: Callable[[str], None]
) -> None:
    """By what is repeated, or by a new connection; four seconds of it are the rest of the content."""
    settings = EngineSettings(tcp=False, utp=True)
    lines = Lines(up=64 * KIB, down=2048 * KIB)
    swarm = Swarm(Random, seed, leechers=1, size=512 * KIB, piece_size=64 * KIB, lines=lines, settings=settings)
    swarm.world.run(4.0)
    swarm.network.split([swarm.seeds[0].host])
    swarm.world.run(float(seconds))
    swarm.network.split()
    healed_at = swarm.world.now
    left = swarm.leechers[0]
    assert not left.completed
    assert swarm.world.run(60.0, until=lambda: bool(left.completed))
    figure(f"uTP, cut for {seconds} s: complete {swarm.world.now - healed_at:.1f} s after that")
    assert swarm.world.now - healed_at < 22.0


def test_some_that_know_only_one_transport_are_reached_by_all_who_know_both(seed: int) -> None:
    both = EngineSettings(utp=True)
    swarm = Swarm(Random, seed, leechers=2, size=256 * KIB, settings=both)
    content = swarm.contents[0]
    only_utp = swarm.process("utp", EngineSettings(tcp=False, utp=True))
    only_utp.host.acceptor = None
    only_tcp = swarm.process("tcp", EngineSettings())
    for process in (only_utp, only_tcp):
        process.leech(content)
    seen = dict[str, set[Transport]]()

    def done() -> bool:
        for process in (only_utp, only_tcp):
            seen.setdefault(process.name, set()).update(carried(process))
        return all(process.completed for process in (*swarm.leechers, only_utp, only_tcp))

    assert swarm.world.run(120.0, until=done)
    assert seen == {"utp": {Transport.UTP}, "tcp": {Transport.TCP}}
