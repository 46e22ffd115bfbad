"""Facts about whole swarms: everybody gets everything, no byte is wrong, little is sent in vain."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from random import Random

import pytest

from bittern.base.errors import Offence
from bittern.engine.events import Contradicted, PeerDropped
from bittern.engine.torrent import TorrentState
from bittern.sim.content import MIB, Content, make_content_v2
from bittern.sim.host import Cut, Host
from bittern.sim.swarm import Lines, Swarm
from bittern.sim.world import World
from tests.codec.torn import torn


def test_one_seed_and_twenty_leechers(seed: int) -> None:
    swarm = Swarm(Random, seed)
    report = swarm.run(60.0)
    report.check()
    size = len(swarm.contents[0].data)
    assert all(bytes(process.disk.content(1)) == swarm.contents[0].data for process in swarm.leechers)
    assert sum(peer.wasted for peer in report.peers) == 0
    received = sum(report[process.name].received for process in swarm.leechers)
    assert received < 1.10 * 20 * size, f"{received / size / 20:.2f} copies came to each leecher\n{report}"
    # A swarm lives from what leechers give each other: the seed sends few copies of the twenty.
    assert report["seed0"].sent < 5 * size, str(report)


def test_three_seeds_and_fifty_leechers_that_know_an_info_hash_only(seed: int) -> None:
    Swarm(Random, seed, seeds=3, leechers=50, size=MIB, magnets=True).run(60.0).check()


@pytest.mark.parametrize("first", range(0, 100, 10))
def test_small_swarms_complete_for_a_hundred_seeds(seed: int, first: int) -> None:
    """Half of the leechers are behind NAT, and reads and writes are cut anywhere."""

    def prepare(host: Host) -> None:
        host.cut = Cut.RANDOM
        host.natted = host.name in {"leech01", "leech03"}

    for number in range(first, first + 10):
        swarm = Swarm(Random, 100 * seed + number, leechers=4, size=150_000, piece_size=16384, prepare=prepare)
        report = swarm.run(120.0)
        report.check()
        assert sum(peer.wasted for peer in report.peers) == 0


REPLAY = """
from random import Random
from bittern.sim.swarm import Swarm
swarm = Swarm(Random, {seed}, leechers=6, size=1 << 20, torrents=2, magnets=True)
print(swarm.run().digest, swarm.world.trace.lines)
"""


def replay(seed: int, hash_seed: str) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)}
    script = REPLAY.format(seed=seed)
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def test_the_same_seed_gives_the_same_trace_in_two_processes(seed: int) -> None:
    first = replay(seed, "1")
    assert len(first.split()[0]) == 64
    assert first == replay(seed, "77")
    assert first != replay(seed + 1, "1")


@pytest.mark.parametrize("cut", [Cut.BYTES, Cut.RANDOM])
def test_bytes_that_come_in_any_portions_make_the_same_torrent(seed: int, cut: Cut) -> None:
    def prepare(host: Host) -> None:
        host.cut = cut

    swarm = Swarm(Random, seed, leechers=2, size=100_000, piece_size=32768, prepare=prepare)
    report = swarm.run(60.0)
    report.check()
    assert sum(peer.wasted for peer in report.peers) == 0


def test_leechers_behind_nat_reach_the_others(seed: int) -> None:
    def prepare(host: Host) -> None:
        host.natted = host.name in {f"leech{number:02}" for number in range(1, 12, 2)}

    Swarm(Random, seed, leechers=12, size=2 * MIB, prepare=prepare).run(120.0).check()


def test_long_thin_lines_are_filled(seed: int) -> None:
    # 100 ms each way and 2 MiB/s: a request pipeline that is too short would leave most of it unused.
    lines = Lines(up=2 * MIB, down=2 * MIB, latency=0.05)
    report = Swarm(Random, seed, leechers=1, size=16 * MIB, piece_size=262144, lines=lines).run(60.0)
    report.check()
    assert report.seconds < 1.4 * 8.0, str(report)


def test_many_torrents_in_one_process(seed: int) -> None:
    swarm = Swarm(Random, seed, leechers=3, size=100_000, piece_size=16384, torrents=40)
    report = swarm.run(300.0)
    report.check()
    assert all(len(process.completed) == 40 for process in swarm.leechers)


def test_a_torrent_of_one_short_piece(seed: int) -> None:
    Swarm(Random, seed, leechers=3, size=5, piece_size=16384).run(60.0).check()


def test_pieces_of_several_extents_with_a_short_end(seed: int) -> None:
    Swarm(Random, seed, leechers=3, size=9 * MIB + 12345, piece_size=4 * MIB).run(120.0).check()


def test_a_swarm_in_which_all_have_everything_falls_silent(seed: int) -> None:
    swarm = Swarm(Random, seed, leechers=10, size=MIB)
    swarm.run(60.0).check()
    swarm.world.run(120.0)
    assert [link for process in swarm.processes for link in process.host.links.values()] == []
    lines = swarm.world.trace.lines
    swarm.world.run(1500.0)
    assert swarm.world.trace.lines - lines < 100, swarm.world.trace.tail()


def files_v2(
    world: World, name: str, size: int, piece_size: int, trackers: Sequence[str], *, hybrid: bool = False
) -> Content:
    """A torrent of version 2: files whose last pieces are short, one smaller than a piece, one of one block."""
    sizes = (size // 2 + 5, 100, 3 * piece_size, piece_size // 2, size // 3)
    return make_content_v2(world, name, sizes, piece_size, trackers, hybrid=hybrid)


def test_a_swarm_of_version_2(seed: int) -> None:
    swarm = Swarm(Random, seed, leechers=8, size=2 * MIB, make=files_v2, strict=True)
    report = swarm.run(60.0)
    report.check()
    assert sum(peer.wasted for peer in report.peers) == 0
    assert all(bytes(process.disk.content(1)) == swarm.contents[0].data for process in swarm.leechers)


@pytest.mark.parametrize("hybrid", [False, True])
def test_a_magnet_of_version_2_fetches_metadata_layers_and_pieces(seed: int, *, hybrid: bool) -> None:
    """Leechers know the hash of version 2 alone; the layers come by hash messages, from each other too."""
    swarm = Swarm(Random, seed, leechers=0, make=partial(files_v2, hybrid=hybrid), strict=True)
    content = swarm.contents[0]
    assert content.info.info_hash_v2 is not None
    leechers = [swarm.process(f"leech{number}") for number in range(6)]
    for process in leechers:
        process.magnet(content, content.info.info_hash_v2.truncated())
    for process in (*swarm.seeds, *leechers):
        torrent = process.core.torrents[1]
        process.know(torrent, *(other for other in (*swarm.seeds, *leechers) if other is not process))
    swarm.leechers.extend(leechers)
    swarm.run(60.0).check()
    for process in leechers:
        assert process.core.torrents[1].layers is not None
        assert process.core.torrents[1].layers.rows() == content.metainfo.piece_layers


def test_who_lies_about_hashes_is_banned_and_the_others_complete(seed: int) -> None:
    """They meet the liar first; what it tells is no proof, and so they ask the seed when they find it."""
    swarm = Swarm(Random, seed, leechers=0, size=2 * MIB, make=files_v2)
    content = replace(swarm.contents[0], metainfo=replace(swarm.contents[0].metainfo, trackers=()))
    false = {root: bytes(len(row)) for root, row in content.metainfo.piece_layers.items()}
    liar = swarm.process("liar")
    liar.seed(replace(content, metainfo=replace(content.metainfo, piece_layers=false)))
    swarm.leechers.extend(swarm.process(f"leech{number}") for number in range(4))
    for process in swarm.leechers:
        process.know(process.magnet(content), liar)
    swarm.world.run(3.0)
    for process in swarm.leechers:
        process.know(process.core.torrents[1], *swarm.seeds, *swarm.leechers)
    swarm.run(60.0).check()
    for process in swarm.leechers:
        reasons = [event.reason for _, event in process.events if isinstance(event, PeerDropped) and event.offence]
        assert any(reason.startswith(Offence.BAD_HASHES.value) for reason in reasons), process.name
        assert process.core.torrents[1].peerbook.banned(liar.host.address.host, process.host.network.world.now)


@pytest.mark.parametrize("wrong", [1, 2])
def test_a_hybrid_that_contradicts_itself_stops_and_nobody_is_blamed(seed: int, wrong: int) -> None:
    """A seed that never checked serves it; who checks both hashes finds out at the torn piece, and asks no more."""
    swarm = Swarm(Random, seed, leechers=0, make=partial(files_v2, hybrid=True))
    made = swarm.contents[0]
    content = replace(made, metainfo=replace(torn(made.metainfo, 2, wrong=wrong), trackers=()))
    liar = swarm.process("unaware")
    liar.seed(content)
    leech = swarm.process("leech")
    torrent = leech.leech(content)
    leech.know(torrent, liar)
    swarm.world.run(30.0)
    assert [event for _, event in leech.events if isinstance(event, Contradicted)] == [Contradicted(1, 2)]
    assert torrent.state is TorrentState.PAUSED
    assert torrent.download is not None
    assert 2 not in torrent.download.have
    assert not any(isinstance(event, PeerDropped) and event.offence for _, event in leech.events)
    assert not torrent.peerbook.banned(liar.host.address.host, swarm.world.now)
    assert torrent.downloaded < 2 * len(content.data)


@pytest.mark.parametrize("upgrade", [False, True])
def test_a_hybrid_is_one_torrent_for_both_of_its_swarms(seed: int, *, upgrade: bool) -> None:
    """A seed of the hybrid serves who calls it by either hash; two that know both go on in version 2."""
    swarm = Swarm(Random, seed, leechers=0, make=partial(files_v2, hybrid=True))
    content, (server,) = swarm.contents[0], swarm.seeds
    info = content.info
    assert info.info_hash_v1 is not None
    assert info.info_hash_v2 is not None
    leechers = [swarm.process(name) for name in ("one", "two")]
    if upgrade:
        leechers[0].leech(content)
    else:
        leechers[0].magnet(content, info.info_hash_v1)
    leechers[1].magnet(content, info.info_hash_v2.truncated())
    for process in leechers:
        process.know(process.core.torrents[1], server)
    swarm.leechers.extend(leechers)
    swarm.world.run(0.5)
    names = [peer.info_hash for peer in server.core.torrents[1].peers.values()]
    by_v1 = info.info_hash_v2.truncated() if upgrade else info.info_hash_v1
    assert len(names) == 2
    assert set(names) == {by_v1, info.info_hash_v2.truncated()}
    swarm.run(60.0).check()
