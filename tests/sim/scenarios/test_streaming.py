"""A file is played while it comes: pieces have deadlines at the rate of the player, and one peer is slow."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from random import Random

import pytest

from bittern.base.geometry import BLOCK
from bittern.engine.download.assembly import Assembly
from bittern.engine.download.races import Asker
from bittern.engine.events import PieceStored
from bittern.engine.settings import EngineSettings
from bittern.engine.torrent import Torrent
from bittern.sim.content import MIB
from bittern.sim.host import Host
from bittern.sim.process import SimProcess
from bittern.sim.swarm import Lines, Swarm
from bittern.wire.blocks import Run

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
@pytest.mark.parametrize("silent", [False, True])
def test_no_deadline_is_missed_beside_a_slow_peer(
    seed: int, piece_size: int, figure: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, *, silent: bool
) -> None:
    """Also when a fast one is lost without a word in between."""

    def prepare(host: Host) -> None:
        if host.name == "seed0":
            host.uplink.rate = SLOW

    share, doubled = Assembly.share, Counter[tuple[int, int]]()

    def spy(assembly: Assembly, piece: int, block: int, first: Asker, second: Asker) -> Run:
        doubled[piece, block] += 1
        return share(assembly, piece, block, first, second)

    monkeypatch.setattr(Assembly, "share", spy)
    lines = Lines(up=DOWN / 2, down=DOWN, latency=0.03)
    swarm = Swarm(
        Random, seed, seeds=5 if silent else 4, leechers=0, size=24 * MIB, piece_size=piece_size, lines=lines,
        prepare=prepare, strict=True,
    )  # fmt: skip
    player = swarm.process("player", EngineSettings())
    torrent = player.leech(swarm.contents[0])
    if silent:
        swarm.world.at(12.0, partial(swarm.network.power_off, swarm.seeds[1].host))
    played = play(swarm, player, torrent)
    late = [(piece, came - due) for piece, due, came in played if came > due]
    blocks = len(swarm.contents[0].data) // BLOCK
    twice = (torrent.downloaded - len(swarm.contents[0].data)) // BLOCK
    margin = min(due - came for _, due, came in played)
    figure(
        f"played at 2/3 of the line beside a peer of 8 KiB/s, pieces of {piece_size >> 10} KiB, "
        f"{'a fast one falls silent, ' if silent else ''}seed {seed}: {len(late)} of {len(played)} deadlines missed, "
        f"the nearest by {margin:.1f} s; of {blocks} blocks {len(doubled)} were late and doubled, {twice} came twice"
    )
    assert not late, late
    assert twice <= blocks // 50
    assert bytes(player.disk.content(torrent.number)) == swarm.contents[0].data
