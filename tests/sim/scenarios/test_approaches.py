"""Whom one transport, or one beginning, does not reach, another one does, soon; and both share a line."""

from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest

from bittern.base.transport import Transport
from bittern.engine import mixing
from bittern.engine.events import PeerJoined
from bittern.engine.settings import EngineSettings
from bittern.engine.swarm.approach import STAGGER_SECONDS
from bittern.sim.process import SimProcess
from bittern.sim.swarm import Lines, Swarm
from bittern.wire.mse.policy import Encryption

KIB = 1 << 10
BOTH = EngineSettings(utp=True, encryption_in=Encryption.PREFER, encryption_out=Encryption.PREFER)
PLAIN = replace(BOTH, encryption_in=Encryption.OFF, encryption_out=Encryption.OFF)
CLOSED = replace(BOTH, encryption_in=Encryption.REQUIRE, encryption_out=Encryption.REQUIRE)
NO_UTP, NO_TCP = replace(PLAIN, utp=False), replace(PLAIN, tcp=False)
ROUND_TRIP = 0.1
"""More than that of any two hosts, queues included."""


def meeting(process: SimProcess) -> tuple[float, Transport, bool]:
    """When its first peer joined, and how that is connected."""
    return next((at, event.transport, event.encrypted) for at, event in process.events if isinstance(event, PeerJoined))


def ways_of_one(process: SimProcess) -> tuple[int, int]:
    """Of connections: those made or being made, and the places that count them."""
    places = process.core._shared.places
    return len(process.core.torrents[1].peers), places.taken


@pytest.mark.parametrize(
    ("settings", "listens", "filtered", "soonest", "latest", "transport", "encrypted"),
    [
        (BOTH, True, False, 0.0, 4 * ROUND_TRIP, Transport.TCP, True),
        (NO_UTP, True, False, 0.0, 5 * ROUND_TRIP, Transport.TCP, False),
        (PLAIN, True, False, 0.0, 5 * ROUND_TRIP, Transport.TCP, False),
        (CLOSED, True, False, 0.0, 4 * ROUND_TRIP, Transport.TCP, True),
        (NO_TCP, False, False, 0.0, 6 * ROUND_TRIP, Transport.UTP, False),  # TCP is refused: uTP begins at once
        (NO_TCP, True, True, STAGGER_SECONDS, STAGGER_SECONDS + 5 * ROUND_TRIP, Transport.UTP, False),
        (BOTH, True, True, STAGGER_SECONDS, STAGGER_SECONDS + 4 * ROUND_TRIP, Transport.UTP, True),
    ],
)
def test_whoever_can_be_reached_at_all_is_within_a_second_and_some_round_trips(
    seed: int,
    settings: EngineSettings,
    transport: Transport,
    *,
    listens: bool,
    filtered: bool,
    soonest: float,
    latest: float,
    encrypted: bool,
) -> None:
    """`filtered`: a router on the way drops TCP without a word."""
    swarm = Swarm(Random, seed, seeds=0, leechers=0, size=256 * KIB, settings=BOTH)
    there, here = swarm.process("there", settings), swarm.process("here")
    there.host.natted = filtered
    if not listens:
        there.host.acceptor = None
    there.seed(swarm.contents[0])
    torrent = here.leech(swarm.contents[0])
    torrent.trackers.stop()
    here.know(torrent, there)
    assert swarm.world.run(60.0, until=lambda: bool(here.completed))
    at, *how = meeting(here)
    assert how == [transport, encrypted]
    assert soonest <= at <= latest
    past = torrent.peerbook.past(there.host.address)
    assert past is not None
    assert (past.first, past.plain) == (transport, not encrypted)
    swarm.world.run(30.0)
    assert ways_of_one(here) == (len(torrent.peers), len(torrent.peers))


def test_what_worked_is_what_the_next_dial_begins_with(seed: int) -> None:
    swarm = Swarm(Random, seed, seeds=0, leechers=0, size=256 * KIB, settings=BOTH)
    there, here = swarm.process("there", NO_TCP), swarm.process("here")
    there.host.natted = True
    there.seed(swarm.contents[0])
    torrent = here.leech(swarm.contents[0])
    torrent.trackers.stop()
    here.know(torrent, there)
    assert swarm.world.run(60.0, until=lambda: bool(torrent.peers))
    torrent.pause(swarm.world.now)
    here.host.touch()
    swarm.world.run(30.0)
    began = swarm.world.now
    torrent.resume(began)
    here.host.touch()
    assert swarm.world.run(60.0, until=lambda: bool(torrent.peers))
    assert swarm.world.now - began <= 4 * ROUND_TRIP


LINE = 400 * KIB
"""Bytes a second of the seed, whose router has four tenths of a second of buffer."""


def shares(seed: int, seconds: float, *, balanced: bool) -> tuple[float, float]:
    """What four leechers by TCP and four by uTP get of a seed's line in the last third of so many seconds."""
    settings = EngineSettings(utp=True, upload_slots=8, use_pex=False)
    lines = Lines(up=LINE, down=8.0 * LINE)
    swarm = Swarm(
        Random, seed, leechers=0, size=int(LINE * seconds), piece_size=256 * KIB, lines=lines, settings=settings
    )
    [giver] = swarm.seeds
    giver.host.uplink.fill, giver.host.uplink.buffer = int(0.4 * LINE), int(1.6 * LINE)
    if not balanced:
        giver.core.limits.mixing = None
    takers = []
    for number in range(8):
        taker = swarm.process(f"taker{number}", replace(settings, tcp=number < 4, utp=number >= 4))
        taker.host.uplink.rate = LINE / 32  # they have next to nothing to give each other
        taker.host.acceptor = None
        taker.leech(swarm.contents[0])
        takers.append(taker.core.torrents[1])
    swarm.world.run(2 * seconds / 3)
    before = [torrent.downloaded for torrent in takers]
    swarm.world.run(seconds / 3)
    got = [torrent.downloaded - count for torrent, count in zip(takers, before, strict=True)]
    return sum(got[:4]) / (LINE * seconds / 3), sum(got[4:]) / (LINE * seconds / 3)


def test_our_tcp_leaves_our_utp_its_part_of_the_line(
    seed: int, figure: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mixing, "is_local", lambda _: False)
    (tcp, utp), (tcp_alone, utp_alone) = (shares(seed, 75.0, balanced=balanced) for balanced in (True, False))
    figure(f"4 by TCP and 4 by uTP: uTP has {utp:.0%} of the line, {utp_alone:.0%} where TCP is not held (seed {seed})")
    assert utp >= 0.28
    assert utp >= 1.5 * utp_alone
    assert tcp + utp >= 0.9 * (tcp_alone + utp_alone)
