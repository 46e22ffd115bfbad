"""Who is served, seen from the swarm: everybody gets a turn, and who gives nothing waits longest."""

from random import Random

import pytest

from bittern.base.geometry import BLOCK
from bittern.engine.settings import EngineSettings
from bittern.engine.upload.allowed_fast import ALLOWED_PIECES
from bittern.engine.upload.choker import SeedChoker
from bittern.engine.upload.slots import SlotCount
from bittern.sim.content import MIB
from bittern.sim.host import Host
from bittern.sim.network import PORT
from bittern.sim.process import SimProcess
from bittern.sim.swarm import Lines, Swarm
from bittern.testing.playbook import Playbook
from bittern.wire.messages import AllowedFast, Piece, Reject, Request, Unchoke


def got(process: SimProcess) -> int:
    return sum(torrent.downloaded for torrent in process.core.torrents.values())


def strangers(host: Host) -> None:
    """Leechers can reach the seed and not each other."""
    host.natted = host.name.startswith("leech")


@pytest.mark.parametrize("choker", list(SeedChoker))
def test_a_seed_lets_nobody_starve(seed: int, choker: SeedChoker) -> None:
    settings = EngineSettings(listen_port=PORT, upload_slots=2, seed_choker=choker)
    lines = Lines(up=MIB / 4, down=MIB)
    swarm = Swarm(
        Random, seed, leechers=8, size=2 * MIB, piece_size=16384, lines=lines, settings=settings, prepare=strangers
    )
    # A full turn is 320 KiB, at 128 KiB/s: at the next rounds the next ones come.
    swarm.world.run(240.0)
    assert min(map(got, swarm.leechers)) > 0, list(map(got, swarm.leechers))
    swarm.run(600.0).check()


def test_in_a_round_robin_all_are_served_alike(seed: int) -> None:
    settings = EngineSettings(listen_port=PORT, upload_slots=2)
    lines = Lines(up=MIB / 4, down=MIB)
    swarm = Swarm(
        Random, seed, leechers=8, size=8 * MIB, piece_size=16384, lines=lines, settings=settings, prepare=strangers
    )
    swarm.world.run(200.0)
    amounts = sorted(map(got, swarm.leechers))
    assert amounts[-1] < 2 * amounts[0], amounts


def test_free_riders_get_less(seed: int) -> None:
    """What they get comes from the seed, and from each leecher's turn by chance."""
    settings = EngineSettings(listen_port=PORT, upload_slots=4)

    def prepare(host: Host) -> None:
        if host.name.startswith("seed"):
            host.uplink.rate = MIB / 4

    lines = Lines(up=MIB / 16, down=2 * MIB)
    swarm = Swarm(
        Random,
        seed,
        leechers=16,
        size=6 * MIB,
        piece_size=32768,
        lines=lines,
        stagger=0.0,
        settings=settings,
        prepare=prepare,
    )
    hosts = [swarm.process(f"rider{number}").host for number in range(3)]
    riders = [SimProcess(host, swarm.web, EngineSettings(listen_port=PORT, upload_slots=0)) for host in hosts]
    for rider in riders:
        rider.leech(swarm.contents[0])
    while not any(process.completed for process in swarm.leechers):
        swarm.world.run(5.0)
    givers = sum(map(got, swarm.leechers)) / len(swarm.leechers)
    takers = sum(map(got, riders)) / len(riders)
    assert givers > 1.25 * takers, (givers, takers)
    swarm.run(400.0, [*swarm.leechers, *riders]).check()


def test_automatic_slots_fill_the_line_of_a_seed(seed: int) -> None:
    """Each leecher takes a sixteenth of the seed's line: with one slot most of it would lie idle."""

    def run(kind: SlotCount) -> float:
        settings = EngineSettings(listen_port=PORT, upload_slots=1, slot_count=kind)
        lines = Lines(up=MIB, down=MIB / 16)

        def prepare(host: Host) -> None:
            strangers(host)
            if host.name.startswith("seed"):
                host.downlink.rate = MIB

        swarm = Swarm(
            Random, seed, leechers=12, size=2 * MIB, piece_size=65536, lines=lines, settings=settings, prepare=prepare
        )
        report = swarm.run(900.0)
        report.check()
        return report.seconds

    assert run(SlotCount.AUTOMATIC) < 0.5 * run(SlotCount.FIXED)


def test_who_waits_for_a_slot_gets_the_pieces_that_it_is_allowed(seed: int) -> None:
    settings = EngineSettings(listen_port=PORT, upload_slots=1)
    with Playbook(pieces=640, have="all", settings=settings, seed=seed) as play:
        play.joins("ann").is_interested("ann").expect("ann", Unchoke())
        play.joins("bob").is_interested("bob")
        allowed = [message.piece for message in play.heard("bob") if isinstance(message, AllowedFast)]
        assert len(set(allowed)) == ALLOWED_PIECES
        other = next(piece for piece in range(640) if piece not in allowed)
        asked = [Request(piece, 0, BLOCK) for piece in (*allowed, other)]
        play.says("bob", *asked)
        heard = play.heard("bob")
        assert Reject(other, 0, BLOCK) in heard
        assert {message.piece for message in heard if isinstance(message, Piece)} == set(allowed)
