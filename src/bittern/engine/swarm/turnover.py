"""Whom to part with when there is no room for others."""

from collections.abc import Iterable

from .peer import Peer

SETTLED_SECONDS = 60.0
"""A peer has so long to show that it is of use."""


def useless(peers: Iterable[Peer], now: float) -> list[Peer]:
    """Peers of which we want nothing and that want nothing of us, those first that have been here longest."""
    idle = [
        peer
        for peer in peers
        if not (peer.am_interested or peer.peer_interested) and now - peer.joined_at >= SETTLED_SECONDS
    ]
    return sorted(idle, key=lambda peer: (peer.joined_at, peer.number))
