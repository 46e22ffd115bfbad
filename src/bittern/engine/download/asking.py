"""Keeping pipelines full: what to ask of a peer now, and whom to race at the end."""

from collections.abc import Iterable, Sequence
from math import inf

from bittern.base.bitfield import Bitfield
from bittern.base.geometry import BLOCK
from bittern.engine.swarm.peer import Peer
from bittern.wire.blocks import Run

from .download import Download
from .relief import call_off, relieve, rescue
from .urgent import ready_in


def update_interest(peer: Peer, download: Download) -> None:
    """Tell a peer when it begins or ceases to have something for us (BEP 3)."""
    if peer.pieces is not None:
        interested = download.interesting(peer.pieces)
        if interested != peer.am_interested:
            peer.am_interested = interested
            peer.wire.send_interest(interested=interested)


def top_up(peer: Peer, peers: Iterable[Peer], download: Download, now: float) -> float:
    """Ask `peer` for more, if it may give and has room.

    Returns:
        When to try again because of the limit; infinity when the limit is not in the way.
    """
    pipeline = peer.pipeline
    if peer.refusing or not peer.am_interested or pipeline is None or peer.pieces is None:
        return inf
    pieces = peer.pieces
    if peer.peer_choking:
        if not pipeline.allowed or download.have.count:
            return inf
        pieces = _first_allowed(pipeline.allowed, pieces, download)
    if download.congested or not (pipeline.room or pipeline.snubbed):
        return inf
    limit = peer.lanes.down
    most = limit.available(now) / BLOCK
    if most <= 0:
        return limit.ready_at(now)
    if peer.peer_choking:
        most = min(most, download.geometry.blocks_per_piece - download.assembly.asked)
        if most < 1:
            return inf
    runs = _hurry(peer, peers, download, now) if download.urgent.due and not peer.peer_choking else []
    runs += download.ask(pipeline, pieces, pipeline.room if most == inf else max(1, int(most)), now)
    if not runs and not pipeline.outstanding and not peer.peer_choking:
        runs = _race(peer, peers, download, now) if download.endgame else relieve(peer, peers, download, now)
        if not runs:
            update_interest(peer, download)
    for run in runs:
        limit.take(run.count * BLOCK)
        peer.wire.send_requests(run)
    return inf


def cancel(asker: object, peers: Iterable[Peer], download: Download, piece: int, block: int) -> Peer | None:
    """A block that was asked of two came from the other: tell the one that owed it. Returns that peer."""
    for peer in peers:
        if peer.pipeline is asker:
            call_off(peer, [(piece, block)], download)
            return peer
    return None


def stop_asking(peer: Peer, *, cancel: bool) -> None:
    """Wait for nothing more from `peer`; what comes late all the same is welcome."""
    pipeline = peer.pipeline
    if pipeline is None:
        return
    peer.wire.divert()
    if cancel:
        for piece, block, length in pipeline.blocks_owed():
            peer.wire.send_cancel(piece, block * BLOCK, length)
    if not (cancel and peer.fast):  # else each reject gives back its own
        peer.lanes.down.give_back(pipeline.outstanding * BLOCK)
    pipeline.give_up(forgive=True)


def reprioritize(peers: Iterable[Peer], download: Download, priorities: Sequence[int]) -> None:
    """Each piece is wanted as much as `priorities` say from now on; who was asked for what is not, is not any more."""
    for peer in peers:
        pipeline = peer.pipeline
        if pipeline is None:
            continue
        owed = [piece for piece, _, _ in pipeline.blocks_owed()]
        if pipeline.arriving is not None:
            owed.append(pipeline.arriving[0])
        if not all(priorities[piece] for piece in owed):
            stop_asking(peer, cancel=True)
    download.prioritize(priorities)
    for peer in peers:
        update_interest(peer, download)


def _first_allowed(allowed: Iterable[int], pieces: Bitfield, download: Download) -> Bitfield:
    """What to ask of a peer that chokes us (BEP 6): one piece to trade with, and no more.

    All of a network are allowed the same pieces: a crowd that asked for each of them would have the seed send
    those again and again, instead of what nobody has yet.
    """
    begun = download.assembly
    chosen = [piece for piece in allowed if piece in pieces and (piece in begun or not begun.asked)]
    return Bitfield(pieces.size, chosen)


def _hurry(peer: Peer, peers: Iterable[Peer], download: Download, now: float) -> list[Run]:
    """Blocks that come too late for a deadline from who owes them, and that this peer may bring sooner."""
    pipeline = peer.pipeline
    if pipeline is None or peer.pieces is None or pipeline.snubbed or pipeline.paroled:
        return []
    runs: list[Run] = []
    mine = ready_in(pipeline, now)
    for piece in download.urgent.in_order():
        if piece not in peer.pieces or piece not in download.assembly:
            continue
        only = Bitfield(peer.pieces.size, [piece])
        for rival in peers:
            if rival is peer or rival.pipeline is None or len(runs) >= pipeline.room:
                continue
            theirs = ready_in(rival.pipeline, now)
            if theirs <= mine or now + theirs <= download.urgent.due[piece]:
                continue
            # As in the endgame: neither may write in place.
            rival.wire.divert()
            peer.wire.divert()
            runs += download.ask_too(pipeline, rival.pipeline, only, pipeline.room - len(runs), now)
    return runs


def _race(peer: Peer, peers: Iterable[Peer], download: Download, now: float) -> list[Run]:
    """Endgame: nothing is free and this peer is idle, so let it race the slowest of the others (BEP 3)."""
    pipeline = peer.pipeline
    if pipeline is None or peer.pieces is None or pipeline.snubbed or pipeline.paroled:
        return []
    rivals = [other for other in peers if other is not peer and other.pipeline and other.pipeline.waiting]
    for rival in sorted(rivals, key=lambda other: (other.down.rate(now), other.number)):
        assert rival.pipeline is not None
        # From now on neither may write in place: both are to land aside, and the first one wins.
        rival.wire.divert()
        peer.wire.divert()
        runs = download.ask_too(pipeline, rival.pipeline, peer.pieces, pipeline.room, now)
        if runs:
            return runs
    return rescue(peer, rivals, download, now)
