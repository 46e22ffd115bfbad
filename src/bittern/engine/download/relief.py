"""What a slow peer owes is taken from it and asked of a fast one that has nothing else to do.

Unlike in the endgame no block is asked of two: the slow peer is told that it is spared (BEP 3 cancel), and a reject is
its answer (BEP 6). What comes from it all the same was on its way already and is here twice, so the last of its queue
goes first, and nothing goes that it would bring nearly as soon.
"""

from collections.abc import Callable, Iterable
from math import inf
from typing import NamedTuple

from bittern.base.geometry import BLOCK
from bittern.engine.swarm.peer import Peer
from bittern.wire.blocks import Run

from .download import Download
from .requests import Pipeline
from .urgent import ready_in

FASTER = 4.0
"""So many times sooner must a block come from another peer."""
AT_LEAST_SECONDS = 2.0
"""And so much sooner beyond that: what a socket holds cannot be taken back."""
CONNECT_SECONDS = 0.5
"""For a web seed, until its first byte comes."""
MEASURED_SECONDS = 6.0
"""Who was idle until so long ago is not known to be slow: its rate is that of a time when it was asked for nothing."""


class _Taker(NamedTuple):
    """Who may bring blocks instead.

    Attributes:
        delay: seconds until the first byte comes.
        owed: blocks that it is to bring before.
        rate: bytes per second.
        has: whether it has a piece.
    """

    delay: float
    owed: int
    rate: float
    has: Callable[[int], bool]


def relieve(peer: Peer, others: Iterable[Peer], download: Download, now: float) -> list[Run]:
    """Blocks that `others` owe and an idle `peer` brings far sooner: cancelled there, they count as asked of it."""
    pipeline = peer.pipeline
    if pipeline is None or peer.pieces is None or pipeline.snubbed or pipeline.paroled or pipeline.alone:
        return []
    if pipeline.rate <= 0:
        return []
    runs: list[Run] = []
    room = pipeline.room
    for other, wait in _slowest_first(others, now):
        if other is peer:
            continue
        if wait < AT_LEAST_SECONDS or len(runs) >= room:
            break
        assert other.pipeline is not None
        owed = pipeline.outstanding  # with what was taken over from those before
        taker = _Taker(pipeline.delay, owed, pipeline.rate, peer.pieces.__contains__)
        chosen = _choose(taker, other.pipeline, download, wait, room - len(runs))
        if chosen:
            other.wire.divert()
            runs += download.take_over(pipeline, other.pipeline, chosen, now)
            call_off(other, chosen, download)
    return runs


def spare(
    others: Iterable[Peer], download: Download, rate: float, has: Callable[[int], bool], most: int, now: float
) -> int:
    """Let peers off what a web seed brings far sooner: how many blocks are free for it now.

    Args:
        others: the peers.
        download: what they bring is for.
        rate: of the web seed, bytes per second, above 0.
        has: whether it has a piece.
        most: blocks.
        now: the time.
    """
    count = 0
    for other, wait in _slowest_first(others, now):
        if wait < AT_LEAST_SECONDS or count >= most:
            break
        assert other.pipeline is not None
        taker = _Taker(CONNECT_SECONDS, count, rate, has)
        chosen = _choose(taker, other.pipeline, download, wait, most - count)
        if chosen:
            other.wire.divert()
            for piece, block in chosen:
                other.pipeline.withdraw(piece, block)
                download.assembly.let_go(piece, block, other.pipeline)
                download.assembly.give_to_all(piece)
            call_off(other, chosen, download)
            count += len(chosen)
    return count


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


def _slowest_first(peers: Iterable[Peer], now: float) -> list[tuple[Peer, float]]:
    """Those whose slowness was measured, with the seconds that each needs: what is left of its queue comes last."""
    waits = [
        (peer, ready_in(peer.pipeline, now))
        for peer in peers
        if peer.pipeline is not None and now - peer.pipeline.busy_since >= MEASURED_SECONDS
    ]
    return sorted(waits, key=lambda wait: (-wait[1], wait[0].number))


def _choose(taker: _Taker, other: Pipeline, download: Download, wait: float, most: int) -> list[tuple[int, int]]:
    """Blocks (piece, block) of what `other` owes, the last first."""
    chosen: list[tuple[int, int]] = []
    owed = other.blocks_owed()
    each = wait if wait == inf else BLOCK / other.rate
    for ahead in range(len(owed), 0, -1):
        mine = taker.delay + (taker.owed + len(chosen) + 1) * BLOCK / taker.rate
        if len(chosen) >= most or not comes_far_sooner(ahead * each, mine):
            break
        piece, block, _ = owed[ahead - 1]
        if taker.has(piece) and (piece, block) not in other.shared and download.assembly.owner(piece) is None:
            chosen.append((piece, block))
    return chosen


def call_off(peer: Peer, blocks: Iterable[tuple[int, int]], download: Download) -> None:
    """Blocks (piece, block) are not to come from `peer` any more: it is told, and its limit has them back."""
    for piece, block in blocks:
        length = download.geometry.block_length(piece, block)
        peer.wire.send_cancel(piece, block * BLOCK, length)
        if not peer.fast:  # else its reject gives it back
            peer.lanes.down.give_back(length)
