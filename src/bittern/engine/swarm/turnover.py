"""Whom to part with when there is no room for others."""

from collections.abc import Callable, Iterable

from bittern.base.address import Address

from .peer import Peer

SPEAK_SECONDS = 5.0
"""A newcomer takes the place of nobody who has had less time to say what it has, or that it wants something."""

PATIENT_ROUNDS = 3
"""Who was served for so many rounds of the choker, and asked for nothing, wants nothing, whatever it says."""

SETTLED_SECONDS = 60.0
"""A peer has so long to show that it is of use."""

TURNOVER_SECONDS = 300.0
"""So often the least useful peers make room, when there is none and others wait."""

TURNOVER_SHARE = 0.04
"""So many of all peers, at least one."""

Rank = Callable[[Address], float | None]
"""The canonical priority of a connection with an address, where it is known (BEP 40)."""


def is_sated(peer: Peer, *, complete: bool) -> bool:
    """Whether neither side will want anything of the other: both are seeds, or as good as that (BEP 21).

    Args:
        peer: the other side.
        complete: whether we have everything that we want.
    """
    return complete and (peer.is_seed or bool(peer.says.upload_only))


def useless(peers: Iterable[Peer], rank: Rank, now: float) -> list[Peer]:
    """Peers of which we want nothing and that want nothing of us: the lowest rank first, then who came first."""
    idle = [peer for peer in _settled(peers, now) if not (peer.am_interested or peer.peer_interested)]
    return sorted(idle, key=lambda peer: (rank(peer.address) or 0.0, peer.joined_at, peer.number))


def unheard(peers: Iterable[Peer], now: float) -> Peer | None:
    """The peer that gives way to any newcomer when there is no room, whatever their ranks; None when all are to stay.

    It is the one that came first of those of no use so far: neither side said that it wants anything, or it was let
    and did not ask; nothing went either way; and no metadata is to be had. So places are not held by words, or by none.

    Args:
        peers: in order of arrival.
        now: the time.
    """
    return next((peer for peer in peers if now - peer.joined_at >= SPEAK_SECONDS and not _of_use(peer)), None)


def least_useful(peers: Iterable[Peer], rank: Rank, now: float, *, seeding: bool) -> list[Peer]:
    """The share of peers that are to be replaced by others that may be better, the slowest first.

    Those count by what they give while we download, by what they take while we seed; what goes the other way decides
    between equals, then their rank, then who came last.
    """
    crowd = list(peers)

    def use(peer: Peer) -> tuple[float, float, float, int]:
        down, up = peer.down.rate(now), peer.up.rate(now)
        place = rank(peer.address) or 0.0
        return (up, down, place, -peer.number) if seeding else (down, up, place, -peer.number)

    return sorted(_settled(crowd, now), key=use)[: max(1, int(len(crowd) * TURNOVER_SHARE))]


def outranked(peers: Iterable[Peer], newcomer: Address, rank: Rank, now: float) -> Peer | None:
    """The peer that gives way to a newcomer when there is no room (BEP 40); None when the newcomer is to go.

    Nobody with whom data flows, and nobody who has just come: a crowd of newcomers must not push out who is of use.
    """
    wanted = rank(newcomer)
    if wanted is None:
        return None
    idle = [peer for peer in _settled(peers, now) if not (peer.down.rate(now) or peer.up.rate(now))]
    ranks = [(value, peer.number, peer) for peer in idle if (value := rank(peer.address)) is not None]
    lowest = min(ranks, default=None)
    return lowest[2] if lowest is not None and lowest[0] < wanted else None


def _of_use(peer: Peer) -> bool:
    asks = peer.uploads.queued > 0 or peer.uploads.stint.rounds < PATIENT_ROUNDS
    gives = peer.am_interested or (peer.pieces is None and peer.says.metadata_size is not None)
    return gives or (peer.peer_interested and asks) or peer.was_useful


def _settled(peers: Iterable[Peer], now: float) -> list[Peer]:
    return [peer for peer in peers if now - peer.joined_at >= SETTLED_SECONDS]
