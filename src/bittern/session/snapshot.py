"""The status of a torrent that is awake, and of its peers, put together from its parts."""

from bittern.base.transport import Transport
from bittern.engine.swarm.peer import Peer

from .life import Life
from .status import PeerStatus, Status


def status_of(life: Life, name: str, now: float) -> Status:
    """How a torrent is at `now`, monotonic seconds.

    Args:
        life: of the torrent.
        name: what it is called.
        now: the time.
    """
    swarm, counters, pace = life.swarm, life.journal.counters, life.inspection.pace
    total = life.content.total_bytes if life.content is not None else life.chosen_bytes
    if swarm is None:
        return Status(
            state=life.state,
            name=name,
            done_bytes=life.done_bytes,
            total_bytes=total,
            downloaded=counters.downloaded,
            uploaded=counters.uploaded,
            check=life.inspection.progress,
            check_paused=pace is not None and pace.paused,
            move=life.mover.progress,
            error=life.error,
        )
    rate, up_rate = swarm.rates(now)
    left = total - life.done_bytes
    return Status(
        state=life.state,
        name=name,
        done_bytes=life.done_bytes,
        total_bytes=total,
        down_rate=rate,
        up_rate=up_rate,
        peers=len(swarm.peers),
        seeds=sum(peer.is_seed for peer in swarm.peers.values()),
        utp_peers=sum(peer.transport is Transport.UTP for peer in swarm.peers.values()),
        encrypted_peers=sum(peer.encrypted for peer in swarm.peers.values()),
        known_peers=len(swarm.peerbook),
        blocked=swarm.peerbook.blocked,
        web_seeds=swarm.web.connected_seeds,
        eta_seconds=left / rate if rate >= 1 and total else None,
        downloaded=counters.downloaded + swarm.downloaded,
        uploaded=counters.uploaded + swarm.uploaded,
        corrupt_bytes=swarm.download.corrupt if swarm.download is not None else 0,
        metadata=swarm.metadata_progress,
        check=life.inspection.progress,
        check_paused=pace is not None and pace.paused,
        move=life.mover.progress,
        complete=life.complete,
        error=life.error,
    )


def status_of_peer(peer: Peer, now: float) -> PeerStatus:
    """How a peer is at `now`, monotonic seconds."""
    return PeerStatus(
        host=peer.address.host,
        port=peer.address.port,
        client=peer.says.client,
        incoming=peer.incoming,
        transport=peer.transport,
        encrypted=peer.encrypted,
        seed=peer.is_seed,
        down_rate=peer.down.rate(now),
        up_rate=peer.up.rate(now),
        downloaded=peer.pipeline.arrived if peer.pipeline is not None else 0,
        uploaded=peer.uploads.sent,
        down_limit=peer.lanes.down.limit,
        up_limit=peer.lanes.up.limit,
        peer_class=peer.peer_class.name if peer.peer_class is not None else None,
    )
