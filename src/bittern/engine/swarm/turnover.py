"""Whom to part with when there is no room for others."""

from collections.abc import Iterable

from .peer import Peer

SETTLED_SECONDS = 60.0
"""A peer has so long to show that it is of use."""


def is_sated(peer: Peer, *, complete: bool) -> bool:
    """Whether neither side will want anything of the other: both are seeds, or as good as that (BEP 21).

    Args:
        peer: the other side.
        complete: whether we have everything that we want.
    """
    return complete and (peer.is_seed or bool(peer.says.upload_only))


def useless(peers: Iterable[Peer], now: float) -> list[Peer]:
    """Peers of which we want nothing and that want nothing of us, those first that have been here longest."""
    idle = [
        peer
        for peer in peers
        if not (peer.am_interested or peer.peer_interested) and now - peer.joined_at >= SETTLED_SECONDS
    ]
    return sorted(idle, key=lambda peer: (peer.joined_at, peer.number))
