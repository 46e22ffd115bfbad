"""Requests and answers, seen from the swarm: shares are fair, no request is lost, a slow disk is read once."""

from random import Random

import pytest

from bittern.base.geometry import BLOCK
from bittern.engine.settings import EngineSettings
from bittern.sim.content import MIB
from bittern.sim.host import Host
from bittern.sim.network import PORT
from bittern.sim.swarm import Lines, Swarm
from bittern.testing.playbook import Playbook
from bittern.wire.messages import Choke, Piece, Request, Unchoke

PIECES, BLOCKS = 40, 16


@pytest.mark.parametrize("rate", [65536.0, 1048576.0])
@pytest.mark.parametrize("count", [3, 7])
def test_under_a_limit_each_of_n_eager_peers_gets_its_share(seed: int, count: int, rate: float) -> None:
    """Some ask for neighbours, others for single blocks from all over, and one asks for all it may at once."""
    settings = EngineSettings(listen_port=PORT, up_bytes_per_second=rate, max_requests_queued=5000)
    names = [f"peer{number}" for number in range(count)]
    with Playbook(pieces=PIECES, blocks=BLOCKS, have="all", settings=settings, seed=seed) as play:
        every = [Request(piece, block * BLOCK, BLOCK) for piece in range(PIECES) for block in range(BLOCKS)]
        for number, name in enumerate(names):
            asked = every[number:] + every[:number]
            if number % 2:
                Random(number).shuffle(asked)
            play.joins(name).is_interested(name).says(name, *asked * 4)
        play.waits(1.0)
        for name in names:
            play.heard(name)
        seconds = count * 40 * BLOCK / rate + 20
        play.waits(seconds)
        served = [sum(isinstance(message, Piece) for message in play.heard(name)) for name in names]
        fair = sum(served) / count
        assert all(abs(one - fair) <= 0.1 * fair for one in served), served
        assert sum(served) * BLOCK == pytest.approx(rate * seconds, rel=0.05)


def test_a_client_without_the_fast_extension_that_asks_too_much_loses_nothing_and_does_not_wait() -> None:
    """It cannot be told no; were it choked instead, it would ask as much again, and get nothing for ever."""
    settings = EngineSettings(listen_port=PORT, max_requests_queued=100)
    with Playbook(pieces=PIECES, blocks=BLOCKS, have="all", settings=settings) as play:
        lacking = {(piece, block * BLOCK): None for piece in range(PIECES) for block in range(BLOCKS)}
        play.joins("ann", fast=False).is_interested("ann")
        allowed = Unchoke() in play.heard("ann")
        silence = 0.0
        while lacking:
            if allowed:
                play.says("ann", *[Request(piece, begin, BLOCK) for piece, begin in list(lacking)[:150]])
            heard = play.heard("ann")
            for message in heard:
                if isinstance(message, Piece):
                    lacking.pop((message.piece, message.begin), None)
                elif isinstance(message, (Choke, Unchoke)):
                    allowed = isinstance(message, Unchoke)
            silence = 0.0 if heard else silence + 1.0
            assert silence <= 2.0, "it waits for nothing"
            assert play.torrent.peers, "it was parted with"
            play.waits(1.0)
        assert play.world.now < 10.0


def test_a_crowd_before_a_slow_disk_reads_each_piece_about_once(seed: int) -> None:
    def prepare(host: Host) -> None:
        host.natted = host.name.startswith("leech")  # nobody else has anything to give

    lines = Lines(up=8 * MIB, down=MIB)
    settings = EngineSettings(listen_port=PORT, sequential=True)
    swarm = Swarm(
        Random,
        seed,
        leechers=8,
        size=8 * MIB,
        piece_size=MIB,
        lines=lines,
        stagger=0.0,
        settings=settings,
        prepare=prepare,
    )
    disk = swarm.seeds[0].disk
    disk.cached, disk.latency = False, 0.01
    report = swarm.run(120.0)
    report.check()
    chunks = 8 * MIB // (256 << 10)
    assert disk.counts.reads <= 1.5 * chunks, f"{disk.counts.reads} reads of {chunks} chunks\n{report}"


def test_torrents_that_share_little_memory_for_uploads_all_complete(seed: int) -> None:
    """Two slabs for nine leechers of three torrents, from a disk that has to be waited for: each has its turn."""
    budget = 2 * (256 << 10)
    lines = Lines(up=4 * MIB, down=4 * MIB)
    settings = EngineSettings(listen_port=PORT, upload_buffer_bytes=budget)
    swarm = Swarm(
        Random,
        seed,
        leechers=3,
        size=MIB,
        torrents=3,
        piece_size=256 << 10,
        lines=lines,
        settings=settings,
        stagger=0.0,
    )
    [process] = swarm.seeds
    process.disk.cached, process.disk.latency = False, 0.005
    memory, most = process.core._shared.upload_memory, 0
    for _ in range(600):
        swarm.world.run(0.05)
        most = max(most, memory.used)
    swarm.run(120.0).check()
    assert 0 < most <= budget


def test_who_asks_for_little_at_a_time_in_order_hardly_waits_for_a_slow_disk(seed: int) -> None:
    """16 MiB over a line that takes a second, in 64 reads of 10 ms: 1.33 s, and 1.86 s if nothing was read ahead."""
    lines = Lines(up=16 * MIB, down=16 * MIB, latency=0.001)
    settings = EngineSettings(listen_port=PORT, sequential=True, max_requests_outstanding=16)
    swarm = Swarm(Random, seed, leechers=1, size=16 * MIB, piece_size=MIB, lines=lines, stagger=0.0, settings=settings)
    disk = swarm.seeds[0].disk
    disk.cached, disk.latency = False, 0.01
    swarm.run(60.0).check()
    assert disk.counts.reads <= 66
    assert swarm.world.now < 1.5
