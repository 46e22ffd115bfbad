"""Once a second: how fast each peer is, and whether it keeps us waiting for too long."""

from bittern.engine.swarm.company import Company

from .asking import stop_asking
from .download import Download
from .suspects import PAROLE_SECONDS, TRIAL_SECONDS

HURRIED_SECONDS = 5.0
"""Who is silent for so long is snubbed while there is no memory for more blocks."""


def watch(company: Company, download: Download | None, patience: float, now: float, *, congested: bool) -> None:
    """Measure all peers, and ask nothing more of those who are silent.

    Args:
        company: the peers.
        download: what is asked of them; None while the metadata is unknown.
        patience: seconds until a peer that owes something and is silent is snubbed.
        now: the time.
        congested: whether it is we who do not listen.
    """
    if download is not None:
        download.crowd = len(company.peers)
    if download is not None and download.assembly.slabs.exhausted:
        patience = min(patience, HURRIED_SECONDS)  # its blocks hold memory that others could fill
        download.assembly.slabs.reclaim()
    for peer in list(company.peers.values()):
        peer.wire.keep_up(now)
        pipeline = peer.pipeline
        peer.measure(now)
        if peer.refusing:
            peer.refusing = False
            company.touch(peer)
        if peer.number not in company.peers or pipeline is None:
            continue
        if download is not None:
            patience_alone = PAROLE_SECONDS if pipeline.paroled else TRIAL_SECONDS
            download.assembly.disown(pipeline.number, now - patience_alone)
        if not pipeline.waiting:
            if peer.am_interested and not peer.peer_choking:
                company.touch(peer)  # what others owe may have become worth taking from them
            continue
        pipeline.steer(peer.down.rate(now))
        if now - pipeline.heard_at >= pipeline.patience(patience) and not congested:
            pipeline.snubbed = True
            stop_asking(peer, cancel=False)
            company.touch_all()
