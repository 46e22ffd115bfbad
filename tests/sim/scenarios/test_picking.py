"""Who is asked for what: a slow peer holds nobody up, and is not asked in vain."""

from collections.abc import Callable
from random import Random

from bittern.base.bitfield import Bitfield
from bittern.base.geometry import BLOCK
from bittern.engine.events import PieceStored
from bittern.engine.settings import EngineSettings
from bittern.sim.content import MIB
from bittern.sim.swarm import Lines, Swarm


def test_a_fast_peer_takes_over_what_a_slow_one_is_far_from_sending(seed: int, figure: Callable[[str], None]) -> None:
    """Fast has the first half, Slow everything, and Medium the second half, so that it is not the endgame yet."""
    settings = EngineSettings()
    lines = Lines(up=MIB, down=4 * MIB)
    swarm = Swarm(Random, seed, seeds=0, leechers=0, size=8 * MIB, piece_size=65536, lines=lines, strict=True)
    content, count = swarm.contents[0], 128
    slow, medium, fast, leech = (swarm.process(name, settings) for name in ("slow", "medium", "fast", "leech"))
    slow.host.uplink.rate, medium.host.uplink.rate = 8192.0, MIB / 16
    for process, has in ((slow, range(count)), (medium, range(count // 2, count)), (fast, range(count // 2))):
        process.core.limits.whole.set_limits(0.0, None)  # they give and take nothing themselves
        process.hold(content, Bitfield(count, has))
    torrent = leech.leech(content)
    swarm.run(300.0, [leech]).check()
    half = max(when for when, event in leech.events if isinstance(event, PieceStored) and event.piece < count // 2)
    twice = (torrent.downloaded - len(content.data)) // BLOCK
    figure(
        f"the half that a peer of 1 MiB/s has took {half:.1f} s beside one of 8 KiB/s, seed {seed}: 4 s alone; "
        f"{twice} of {len(content.data) // BLOCK} blocks came twice"
    )
    # Sixteen blocks are asked of Slow before its rate is known: 32 s.
    assert half < 12.0
    assert twice <= 24
