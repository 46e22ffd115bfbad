"""Peers that die, come and go, or lie, and disks that are slow or full: everybody who stays gets everything."""

from collections.abc import Callable, Sequence
from functools import partial
from random import Random

import pytest

from bittern.engine.events import PeerDropped, PieceFailed, StorageFailed
from bittern.engine.settings import EngineSettings
from bittern.sim.content import MIB, Content, make_content, make_content_v2
from bittern.sim.process import SimProcess
from bittern.sim.swarm import Lines, Swarm
from bittern.sim.world import World

LIE = 1


def failed_pieces(process: SimProcess) -> int:
    return sum(isinstance(event, PieceFailed) for _, event in process.events)


def banned(process: SimProcess) -> set[str]:
    drops = [event for _, event in process.events if isinstance(event, PeerDropped) and event.offence]
    return {drop.address.host for drop in drops}


def join(process: SimProcess, content: Content) -> None:
    process.leech(content)


def small(seed: int, leechers: int, *, seeds: int = 1, size: int = MIB) -> Swarm:
    lines = Lines(up=MIB / 4, down=2 * MIB)
    return Swarm(Random, seed, seeds=seeds, leechers=leechers, size=size, piece_size=32768, lines=lines, strict=True)


@pytest.mark.parametrize("number", range(25))
def test_a_swarm_that_loses_a_third_of_its_peers_completes(seed: int, number: int) -> None:
    swarm = small(1000 * seed + number, 10)
    rng = Random(number)
    lost = rng.sample(swarm.leechers, 3)
    for process in lost:
        end = partial(swarm.network.power_off, process.host) if rng.random() < 0.5 else process.stop
        swarm.world.at(rng.uniform(0.5, 6.0), end)
    swarm.run(400.0, [process for process in swarm.leechers if process not in lost]).check()


@pytest.mark.parametrize("number", range(10))
def test_a_swarm_whose_peers_come_and_go_completes_those_who_stay(seed: int, number: int) -> None:
    swarm = small(1000 * seed + number, 6)
    rng = Random(number)
    for count in range(12):
        passer = swarm.process(f"passer{count:02}")
        arrival = rng.uniform(0.0, 8.0)
        swarm.world.at(arrival, partial(join, passer, swarm.contents[0]))
        swarm.world.at(arrival + rng.uniform(0.5, 5.0), passer.stop)
    swarm.run(400.0).check()


@pytest.mark.parametrize("number", range(10))
def test_a_swarm_that_is_cut_again_and_again_completes(seed: int, number: int) -> None:
    swarm = small(1000 * seed + number, 8)
    rng = Random(number)
    for cut in range(4):
        part = [process.host for process in rng.sample(swarm.processes, 4)]
        swarm.world.at(1.5 + 40.0 * cut, partial(swarm.network.split, part))
        swarm.world.at(1.5 + 40.0 * cut + rng.uniform(1.0, 35.0), swarm.network.split)
    swarm.run(900.0).check()


@pytest.mark.parametrize("number", range(10))
def test_one_liar_among_nine_peers_costs_three_pieces_and_is_banned(
    seed: int, number: int, figure: Callable[[str], None]
) -> None:
    swarm = Swarm(Random, 1000 * seed + number, seeds=9, leechers=1, size=8 * MIB, piece_size=262144, strict=True)
    liar = swarm.seeds[number % 9]
    liar.disk.faults.rot = LIE
    leecher = swarm.leechers[0]
    report = swarm.run(300.0)
    report.check()
    figure(f"one liar of nine, seed {swarm.world.seed}: {failed_pieces(leecher)} pieces wasted, liar banned")
    assert failed_pieces(leecher) <= 3, str(report)
    assert banned(leecher) == {liar.host.address.host}


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(("piece_size", "size"), [(4 * MIB, 48 * MIB), (16 * MIB, 96 * MIB)])
@pytest.mark.parametrize("lie", [LIE, 10])
def test_one_liar_among_nine_is_found_by_pieces_of_many_extents(
    seed: int, version: int, piece_size: int, size: int, lie: int, figure: Callable[[str], None]
) -> None:
    """Who sent which block is remembered of the first bad copy, too; who lies now and then may cost a piece more."""

    def make(world: World, name: str, size: int, piece_size: int, trackers: Sequence[str]) -> Content:
        if version == 1:
            return make_content(world, name, size, piece_size, trackers)
        return make_content_v2(world, name, (size,), piece_size, trackers)

    swarm = Swarm(Random, seed, seeds=9, leechers=1, size=size, piece_size=piece_size, make=make)
    liar = swarm.seeds[seed % 9]
    liar.disk.faults.rot = lie
    leecher = swarm.leechers[0]
    report = swarm.run(300.0)
    report.check()
    wasted = failed_pieces(leecher)
    figure(
        f"one liar of nine, version {version}, pieces of {piece_size // MIB} MiB: {wasted} pieces wasted, liar banned"
    )
    assert wasted <= (3 if lie == LIE else 4), str(report)
    assert banned(leecher) == {liar.host.address.host}
    download = leecher.core.torrents[1].download
    assert download is not None
    assert not download.evidence.copies  # each came again, and what was remembered of it is forgotten


@pytest.mark.parametrize("number", range(6))
def test_half_of_the_peers_lie_and_all_others_complete(seed: int, number: int) -> None:
    swarm = Swarm(Random, 1000 * seed + number, seeds=8, leechers=3, size=2 * MIB, strict=True)
    liars = swarm.seeds[::2]
    for liar in liars:
        liar.disk.faults.rot = LIE
    swarm.run(900.0).check()
    guilty = {liar.host.address.host for liar in liars}
    for process in swarm.leechers:
        assert banned(process) <= guilty, f"{process.name} blamed an honest peer"


@pytest.mark.parametrize("number", range(4))
def test_a_slow_disk_holds_no_more_memory_than_it_may(seed: int, number: int) -> None:
    budget = 2 * MIB
    settings = EngineSettings(buffer_bytes=budget, disk_queue_bytes=MIB // 2)
    lines = Lines(up=8.0 * MIB, down=8.0 * MIB)
    swarm = Swarm(Random, 1000 * seed + number, leechers=3, size=4 * MIB, lines=lines, settings=settings, strict=True)
    slow = swarm.leechers[0]
    slow.disk.rate, slow.disk.cached = 1e6, False
    most = 0

    def look() -> None:
        nonlocal most
        for torrent in slow.core.torrents.values():
            if torrent.download is not None:
                slabs = torrent.download.assembly.slabs
                most = max(most, slabs.used * slabs.size)
        swarm.world.after(0.01, look)

    swarm.world.after(0.01, look)
    report = swarm.run(120.0)
    report.check()
    assert MIB / 4 < most <= budget
    # It writes at its own pace and nothing twice.
    assert 4.0 < (report[slow.name].completed or 0.0) < 9.0, str(report)
    assert report[slow.name].wasted == 0


@pytest.mark.parametrize(("number", "budget"), [(0, 2 * MIB), (1, 2 * MIB), (2, MIB // 2)])
def test_many_torrents_on_a_slow_disk_share_one_memory_fairly(
    seed: int, number: int, budget: int, figure: Callable[[str], None]
) -> None:
    """With 2 MiB each of 20 has room for a slab and a half; with half a MiB only eight have one at a time."""
    settings = EngineSettings(total_buffer_bytes=budget, max_connections=2000)
    lines = Lines(up=16.0 * MIB, down=16.0 * MIB)
    swarm = Swarm(
        Random,
        1000 * seed + number,
        leechers=1,
        size=MIB,
        torrents=20,
        lines=lines,
        settings=settings,
        strict=True,
    )
    slow = swarm.leechers[0]
    slow.disk.rate, slow.disk.cached = 2e6, False
    most, spread = 0, 0

    def look() -> None:
        nonlocal most, spread
        downloads = [torrent.download for torrent in slow.core.torrents.values() if torrent.download is not None]
        most = max(most, sum(download.assembly.slabs.held for download in downloads))
        stored = [download.have.count for download in downloads]
        if len(stored) == 20 and sum(stored) > 0:
            spread = max(spread, max(stored) - min(stored))
        swarm.world.after(0.05, look)

    swarm.world.after(0.05, look)
    report = swarm.run(120.0)
    report.check()
    figure(f"20 torrents, {budget >> 10} KiB, disk of 2 MB/s: {report[slow.name].completed} s, spread {spread} of 16")
    assert budget / 2 < most <= budget
    # As fast as the disk, nothing twice, and nobody far ahead of the others.
    assert 10.0 < (report[slow.name].completed or 0.0) < 14.0, str(report)
    assert report[slow.name].wasted == 0
    assert spread <= 5


@pytest.mark.parametrize("number", range(6))
def test_a_disk_that_fills_up_stops_its_torrent_which_goes_on_when_there_is_space(seed: int, number: int) -> None:
    swarm = small(1000 * seed + number, 3)
    full = swarm.leechers[number % 3]
    full.disk.faults.space_left = MIB * (number + 1) / 8
    report = swarm.run(60.0, [full])
    assert report.unfinished == (full.name,)
    assert [event for _, event in full.events if isinstance(event, StorageFailed)]
    assert not report[full.name].wrong
    full.repair()
    swarm.run(120.0).check()


@pytest.mark.parametrize("number", range(6))
def test_a_leecher_whose_reads_are_corrupt_now_and_then_spoils_nobody(seed: int, number: int) -> None:
    swarm = small(1000 * seed + number, 5, seeds=2)
    swarm.leechers[number % 5].disk.faults.rot = 7
    swarm.run(900.0).check()


@pytest.mark.parametrize("number", range(4))
def test_a_liar_in_a_swarm_of_version_2_is_named_by_its_blocks(seed: int, number: int) -> None:
    """The leaves of the bad piece tell which blocks were wrong: one bad piece is enough, and nobody else is banned."""

    def make(world: World, name: str, size: int, piece_size: int, trackers: Sequence[str]) -> Content:
        return make_content_v2(world, name, (size,), piece_size, trackers)

    swarm = Swarm(
        Random, 1000 * seed + number, seeds=9, leechers=1, size=8 * MIB, piece_size=262144, strict=True, make=make
    )
    liar = swarm.seeds[number]
    liar.disk.faults.rot = LIE
    leecher = swarm.leechers[0]
    report = swarm.run(300.0)
    report.check()
    assert failed_pieces(leecher) <= 2, str(report)
    assert banned(leecher) == {liar.host.address.host}
