"""A file is played while it comes: pieces have deadlines at the rate of the player, and one peer is slow."""

from collections.abc import Callable
from random import Random

import pytest

from bittern.base.geometry import BLOCK
from bittern.engine.events import PieceStored
from bittern.engine.settings import EngineSettings
from bittern.engine.torrent import Torrent
from bittern.sim.content import MIB
from bittern.sim.host import Host
from bittern.sim.process import SimProcess
from bittern.sim.swarm import Lines, Swarm

DOWN = 1.0 * MIB
PLAY = DOWN * 2 / 3
BUFFER_SECONDS = 5.0
WINDOW_SECONDS = 10.0
"""What is to be played in so long has deadlines."""
SLOW = 8192.0


def play(swarm: Swarm, player: SimProcess, torrent: Torrent) -> list[tuple[int, float, float]]:
    """Let the player go through the file: (piece, when it was due, when it came) of all."""
    world, size = swarm.world, swarm.contents[0].info.piece_size
    count = swarm.contents[0].info.geometry.piece_count
    due = [world.now + BUFFER_SECONDS + piece * size / PLAY for piece in range(count)]
    told = 0
    while not player.completed and world.now < 300.0:
        while told < count and due[told] < world.now + WINDOW_SECONDS:
            torrent.set_deadline(told, due[told])
            told += 1
        player.host.touch()
        world.run(0.5)
    came = {event.piece: when for when, event in player.events if isinstance(event, PieceStored)}
    return [(piece, due[piece], came[piece]) for piece in range(count)]


@pytest.mark.parametrize("piece_size", [65536, 524288])
def test_no_deadline_is_missed_beside_a_slow_peer(seed: int, piece_size: int, figure: Callable[[str], None]) -> None:
    def prepare(host: Host) -> None:
        if host.name == "seed0":
            host.uplink.rate = SLOW

    lines = Lines(up=DOWN / 2, down=DOWN, latency=0.03)
    swarm = Swarm(
        Random,
        seed,
        seeds=4,
        leechers=0,
        size=24 * MIB,
        piece_size=piece_size,
        lines=lines,
        prepare=prepare,
        strict=True,
    )
    player = swarm.process("player", EngineSettings())
    torrent = player.leech(swarm.contents[0])
    played = play(swarm, player, torrent)
    late = [(piece, came - due) for piece, due, came in played if came > due]
    twice = (torrent.downloaded - len(swarm.contents[0].data)) // BLOCK
    margin = min(due - came for _, due, came in played)
    slow_sent = swarm.seeds[0].host.uplink.total
    figure(
        f"played at 2/3 of the line, pieces of {piece_size >> 10} KiB, a peer of 8 KiB/s among four, seed {seed}: "
        f"{len(late)} of {len(played)} deadlines missed, the nearest by {margin:.1f} s; {twice} of "
        f"{len(swarm.contents[0].data) // BLOCK} blocks came twice; the slow peer sent {slow_sent >> 10} KiB"
    )
    assert not late, late
    assert twice <= len(swarm.contents[0].data) // BLOCK // 50
    assert bytes(player.disk.content(torrent.number)) == swarm.contents[0].data
