"""Limits, measured at the simulated lines: what passes is what was allowed, and is shared fairly."""

from random import Random

import pytest

from bittern.base.geometry import BLOCK
from bittern.engine.settings import EngineSettings
from bittern.sim.content import MIB
from bittern.sim.process import SimProcess
from bittern.sim.swarm import Lines, Swarm

FAST = Lines(up=200.0 * MIB, down=200.0 * MIB, latency=0.01)


def downloaded(process: SimProcess) -> list[int]:
    return [torrent.downloaded for torrent in process.core.torrents.values()]


@pytest.mark.parametrize("limit", [20_000.0, 300_000.0, 3e6])
def test_a_download_limit_is_kept_and_used_over_every_five_seconds(seed: int, limit: float) -> None:
    config = EngineSettings(down_bytes_per_second=limit)
    swarm = Swarm(Random, seed, seeds=3, leechers=1, size=int(25 * limit), lines=FAST, settings=config)
    [leech] = swarm.leechers
    swarm.world.run(2.0)
    for _ in range(3):
        before = sum(downloaded(leech))
        swarm.world.run(5.0)
        # Single blocks come whole: 20 kB/s are six of them in five seconds, or seven.
        assert sum(downloaded(leech)) - before == pytest.approx(5 * limit, rel=0.02, abs=1.01 * BLOCK)


@pytest.mark.parametrize("limit", [20_000.0, 300_000.0, 3e6])
def test_an_upload_limit_is_kept_and_used_over_every_five_seconds(seed: int, limit: float) -> None:
    config = EngineSettings(up_bytes_per_second=limit)
    swarm = Swarm(Random, seed, seeds=1, leechers=3, size=int(25 * limit), lines=FAST, settings=config)
    [torrent] = swarm.seeds[0].core.torrents.values()
    swarm.world.run(3.0)
    for _ in range(3):
        before = torrent.uploaded
        swarm.world.run(5.0)
        assert torrent.uploaded - before == pytest.approx(5 * limit, rel=0.02, abs=1.01 * BLOCK)


def test_a_limit_that_changes_holds_at_once_lifted_and_set_again(seed: int) -> None:
    swarm = Swarm(Random, seed, leechers=1, size=64 * MIB, piece_size=MIB, lines=Lines(up=4.0 * MIB, down=100.0 * MIB))
    [leech] = swarm.leechers
    core = leech.core
    swarm.world.run(1.0)
    [torrent] = core.torrents.values()
    for lanes in (core.limits.whole, torrent.limits.whole, core.limits.group("all")):
        torrent.limits.join("all")
        lanes.set_limits(200_000.0, None)
        core.limits_changed()
        swarm.world.run(2.0)  # what was asked for before
        before = torrent.downloaded
        swarm.world.run(5.0)
        assert torrent.downloaded - before == pytest.approx(1e6, rel=0.02, abs=1.01 * BLOCK)
        lanes.set_limits(float("inf"), None)
        core.limits_changed()
        leech.host.touch()
        before = torrent.downloaded
        swarm.world.run(2.0)
        assert torrent.downloaded - before > 4e6


def test_torrents_share_a_limit_evenly_whatever_they_could_have(seed: int) -> None:
    config = EngineSettings(down_bytes_per_second=1e6)
    swarm = Swarm(Random, seed, seeds=2, leechers=1, size=8 * MIB, torrents=3, lines=FAST, settings=config)
    [leech] = swarm.leechers
    swarm.world.run(20.0)
    for came in downloaded(leech):
        assert came == pytest.approx(sum(downloaded(leech)) / 3, rel=0.03, abs=2 * BLOCK)
    assert sum(downloaded(leech)) == pytest.approx(20e6, rel=0.03)


def test_peers_share_an_upload_limit_evenly(seed: int) -> None:
    config = EngineSettings(up_bytes_per_second=1e6)
    swarm = Swarm(Random, seed, seeds=1, leechers=0, size=32 * MIB, lines=FAST, settings=config)
    leechers = []
    for number in range(4):
        leechers.append(swarm.process(f"alone{number}"))
        [there] = swarm.contents
        leechers[-1].leech(there)
    for leech in leechers:  # they give each other nothing
        leech.core.limits.whole.set_limits(None, 0.0)
    swarm.world.run(22.0)
    came = [sum(downloaded(leech)) for leech in leechers]
    assert sum(came) == pytest.approx(21e6, rel=0.05)
    assert min(came) > 0.9 * max(came), came


def test_a_swarm_in_which_each_has_few_places_completes(seed: int) -> None:
    """Who is in, who is dialed and who gives way changes; all finish."""
    config = EngineSettings(max_peers=4, max_connections=5, dials_per_second=5.0, max_half_open=2)
    swarm = Swarm(Random, seed, seeds=1, leechers=24, size=2 * MIB, settings=config)
    report = swarm.run(900.0)
    report.check()
    for process in swarm.processes:
        for torrent in process.core.torrents.values():
            assert len(torrent.peers) <= 4
