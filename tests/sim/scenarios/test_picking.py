"""Who is asked for what: a slow peer holds nobody up, and is not asked in vain."""

from collections.abc import Callable
from random import Random

import pytest

from bittern.base.bitfield import Bitfield
from bittern.base.geometry import BLOCK
from bittern.engine.download.download import Download
from bittern.engine.events import PieceStored
from bittern.engine.settings import EngineSettings
from bittern.sim.content import MIB
from bittern.sim.host import Host
from bittern.sim.swarm import Lines, Swarm


def test_a_fast_peer_takes_over_what_a_slow_one_is_far_from_sending(seed: int, figure: Callable[[str], None]) -> None:
    """Fast has the first half, Slow everything, and Medium the second half, so that it is not the endgame yet."""
    settings = EngineSettings()
    lines = Lines(up=MIB, down=4 * MIB)
    swarm = Swarm(Random, seed, seeds=0, leechers=0, size=8 * MIB, piece_size=262144, lines=lines, strict=True)
    content, count = swarm.contents[0], 32
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


def test_fast_peers_bring_whole_pieces_and_little_is_begun_at_a_time(
    seed: int, figure: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def prepare(host: Host) -> None:
        if host.name in {"seed3", "seed4", "seed5"}:
            host.uplink.rate = MIB / 64

    lines = Lines(up=MIB / 2, down=8 * MIB)
    swarm = Swarm(
        Random, seed, seeds=6, leechers=1, size=32 * MIB, piece_size=262144, lines=lines, prepare=prepare, strict=True
    )
    [leech] = swarm.leechers
    piece_checked, senders = Download.piece_checked, list[tuple[int, ...]]()

    def spy(download: Download, piece: int, *, good: bool, leaves: bytes = b"") -> tuple[int, ...] | None:
        by = piece_checked(download, piece, good=good, leaves=leaves)
        senders.append(by or ())
        return by

    monkeypatch.setattr(Download, "piece_checked", spy)
    partial = 0
    while not leech.completed and swarm.world.now < 60.0:
        swarm.world.run(0.25)
        for torrent in leech.core.torrents.values():
            assert torrent.download is not None
            partial = max(partial, len(torrent.download.assembly.askable))
    swarm.run(1.0).check()
    whole = sum(len(by) == 1 for by in senders)
    figure(
        f"3 peers of 512 and 3 of 16 KiB/s, seed {seed}: {whole} of {len(senders)} pieces came from one peer, "
        f"at most {partial} were begun and not all asked for; {swarm.world.now:.1f} s"
    )
    assert whole > 0.7 * len(senders)
    assert partial <= 9
