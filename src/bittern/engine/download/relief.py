"""What a slow peer owes is taken from it and asked of a fast one that has nothing else to do.

Unlike in the endgame no block is asked of two: the slow peer is told that it is spared (BEP 3 cancel), and a reject is
its answer (BEP 6). What comes from it all the same was on its way already and is here twice, so the last of its queue
goes first, and nothing goes that it would bring nearly as soon.
"""

from collections.abc import Iterable
from math import inf

from bittern.base.geometry import BLOCK
from bittern.engine.swarm.peer import Peer
from bittern.wire.blocks import Run

from .download import Download
from .requests import Pipeline
from .urgent import ready_in

FASTER = 4.0
"""So many times sooner must a block come from another peer."""
AT_LEAST_SECONDS = 2.0
"""And so much sooner beyond that: what a socket holds can not be taken back."""
MEASURED_SECONDS = 6.0
"""Who was idle until so long ago is not known to be slow: its rate is that of a time when it was asked for nothing."""


def relieve(peer: Peer, others: Iterable[Peer], download: Download, now: float) -> list[Run]:
    """Blocks that `others` owe and an idle `peer` brings far sooner: cancelled there, they count as asked of it."""
    pipeline = peer.pipeline
    if pipeline is None or pipeline.rate <= 0 or pipeline.snubbed or pipeline.paroled or pipeline.alone:
        return []
    runs: list[Run] = []
    room = pipeline.room
    # The slowest first: what is left of its queue comes last of all.
    waits = {
        other: ready_in(other.pipeline, now)
        for other in others
        if other.pipeline is not None and other is not peer and now - other.pipeline.busy_since >= MEASURED_SECONDS
    }
    for other in sorted(waits, key=lambda other: (-waits[other], other.number)):
        if waits[other] < AT_LEAST_SECONDS or len(runs) >= room:
            break
        assert other.pipeline is not None
        chosen = _choose(peer, other.pipeline, download, waits[other], room - len(runs))
        if not chosen:
            continue
        other.wire.divert()
        runs += download.take_over(pipeline, other.pipeline, chosen, now)
        for piece, block in chosen:
            length = download.geometry.block_length(piece, block)
            other.wire.send_cancel(piece, block * BLOCK, length)
            if not other.fast:  # else its reject gives it back
                other.lanes.down.give_back(length)
    return runs


def rescue(peer: Peer, others: Iterable[Peer], download: Download, now: float) -> list[Run]:
    """Endgame: blocks that were asked of two already, and that an idle `peer` brings far sooner than any of those.

    Two slow peers could else keep everybody waiting: what they send may be answers to requests of long ago.
    """
    pipeline = peer.pipeline
    if pipeline is None or peer.pieces is None or pipeline.rate <= 0:
        return []
    owing = [other for other in others if other.pipeline is not None and other is not peer and other.pipeline.shared]
    quick, slow = set[tuple[int, int]](pipeline.shared), dict[tuple[int, int], Pipeline]()
    mine = pipeline.delay + BLOCK / pipeline.rate
    for other in owing:
        assert other.pipeline is not None
        if comes_far_sooner(ready_in(other.pipeline, now), mine):
            slow |= dict.fromkeys(other.pipeline.shared, other.pipeline)
        else:
            quick |= other.pipeline.shared.keys()
    chosen = [key for key in slow if key not in quick and key[0] in peer.pieces][: pipeline.room]
    runs = [download.assembly.share(*key, slow[key], pipeline) for key in chosen]
    if runs:
        peer.wire.divert()
    for run in runs:
        pipeline.asked(run, now)
    return runs


def comes_far_sooner(theirs: float, mine: float) -> bool:
    """Whether a block that one peer brings in `theirs` seconds is to be asked of one that needs `mine`."""
    return theirs >= FASTER * mine + AT_LEAST_SECONDS


def _choose(peer: Peer, other: Pipeline, download: Download, wait: float, most: int) -> list[tuple[int, int]]:
    """Blocks (piece, block) of what `other` owes, the last first."""
    pipeline, pieces = peer.pipeline, peer.pieces
    assert pipeline is not None
    assert pieces is not None
    chosen: list[tuple[int, int]] = []
    owed = other.blocks_owed()
    each = wait if wait == inf else BLOCK / other.rate
    for ahead in range(len(owed), 0, -1):
        mine = pipeline.delay + (pipeline.outstanding + len(chosen) + 1) * BLOCK / pipeline.rate
        if len(chosen) >= most or not comes_far_sooner(ahead * each, mine):
            break
        piece, block, _ = owed[ahead - 1]
        if piece in pieces and (piece, block) not in other.shared and download.assembly.owner(piece) is None:
            chosen.append((piece, block))
    return chosen
