"""Upload slots of their own: peers of some classes are served beside the others, not among them."""

from collections.abc import Iterable, Mapping

from bittern.engine.swarm.classes import PeerClass
from bittern.engine.swarm.peer import Peer

from .choker import Contender, Ranking, rechoke


def pool_of(peer: Peer) -> PeerClass | None:
    """The class whose slots a peer has a part in; None for those of all others."""
    own = peer.peer_class
    return own if own is not None and own.upload_slots is not None else None


def has_free_slot(peer: Peer, peers: Iterable[Peer], common: int) -> bool:
    """Whether there is a slot for one more like `peer`.

    Args:
        peer: who is not served.
        peers: all of the torrent.
        common: slots of those that share them.
    """
    pool = pool_of(peer)
    slots = common if pool is None or pool.upload_slots is None else pool.upload_slots
    taken = sum(not other.am_choking and other.peer_interested and pool_of(other) is pool for other in peers)
    return taken < slots


def split(contenders: Mapping[Peer, Contender], ranking: Ranking) -> tuple[list[Contender], frozenset[int]]:
    """Those that share the common slots, and the numbers of those that have one of others, the best of each class."""
    pools: dict[PeerClass | None, list[Contender]] = {None: []}
    for peer, contender in contenders.items():
        pools.setdefault(pool_of(peer), []).append(contender)
    common, apart = pools.pop(None), frozenset[int]()
    for pool, those in pools.items():
        if pool is not None and pool.upload_slots is not None:
            apart |= rechoke(those, pool.upload_slots, (), ranking)
    return common, apart
