"""The peers that others announced to us, for a while (BEP 5, 33, 51)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bittern.base.address import Address

from .bloom import Filter
from .places import owner_of

if TYPE_CHECKING:
    from random import Random

KEEP_SECONDS: Final = 45 * 60.0
"""How long a peer is told of after it announced itself; clients repeat it every 15 to 30 minutes."""
MAX_TORRENTS: Final = 2000
MAX_PEERS: Final = 500
"""Of one torrent."""
MAX_OF_ONE: Final = 500
"""Torrents that one address may announce here."""
SAMPLES: Final = 20
"""Info hashes in a sample."""
SAMPLE_SECONDS: Final = 3600.0
"""How long a sample stays the same (BEP 51)."""


@dataclass(slots=True)
class _Peer:
    host: str
    compact: bytes
    seed: bool
    until: float


class PeerStore:
    """Torrents and who shares them. Each address is there once per torrent, whatever ports it told.

    When there are too many torrents, those farthest from our own id go: others look for them elsewhere.

    Args:
        own_id: the node's id.
        rng: picks the peers that are told, and the samples.
    """

    def __init__(self, own_id: bytes, rng: "Random") -> None:
        self._own = int.from_bytes(own_id)
        self._rng = rng
        self._torrents: dict[bytes, dict[str, _Peer]] = {}
        self._by_owner: dict[str, int] = {}
        self._sample = b""
        self._sample_due: float | None = None

    def __len__(self) -> int:
        return len(self._torrents)

    def move(self, own_id: bytes) -> None:
        """The node has another id."""
        self._own = int.from_bytes(own_id)

    def add(self, info_hash: bytes, address: Address, now: float, *, seed: bool) -> bool:
        """`address` shares a torrent; False when there is no room for it."""
        owner = owner_of(address)
        peers = self._torrents.get(info_hash)
        known = peers is not None and owner in peers
        if not known:
            if self._by_owner.get(owner, 0) >= MAX_OF_ONE or (peers is not None and len(peers) >= MAX_PEERS):
                return False
            if peers is None:
                if not self._make_room(info_hash):
                    return False
                peers = self._torrents[info_hash] = {}
            self._by_owner[owner] = self._by_owner.get(owner, 0) + 1
        assert peers is not None
        peers.pop(owner, None)  # in the order in which they expire
        peers[owner] = _Peer(address.host, address.compact(), seed, now + KEEP_SECONDS)
        return True

    def has_room(self, info_hash: bytes, address: Address) -> bool:
        """Whether `address` would be taken as a peer of the torrent: else it needs no token for it (BEP 33)."""
        peers = self._torrents.get(info_hash, {})
        return len(peers) < MAX_PEERS or owner_of(address) in peers

    def some(self, info_hash: bytes, count: int, now: float, *, no_seeds: bool = False) -> list[bytes]:
        """Up to `count` peers in compact form, by chance; with `no_seeds` seeds only where others are too few."""
        peers = self._living(info_hash, now)
        if no_seeds:
            others = [peer for peer in peers if not peer.seed]
            if len(others) < count:
                return [
                    peer.compact for peer in (*others, *self._pick([p for p in peers if p.seed], count - len(others)))
                ]
            peers = others
        return [peer.compact for peer in self._pick(peers, count)]

    def filters(self, info_hash: bytes, now: float) -> tuple[Filter, Filter] | None:
        """The seeds and the others of a torrent, or None when nobody is known (BEP 33)."""
        peers = self._living(info_hash, now)
        if not peers:
            return None
        return Filter(p.host for p in peers if p.seed), Filter(p.host for p in peers if not p.seed)

    def sample(self, now: float) -> tuple[bytes, float]:
        """Some info hashes, joined, and for how many seconds they stay the same (BEP 51)."""
        whole = len(self._sample) == 20 * SAMPLES
        if self._sample_due is None or now >= self._sample_due or not whole:
            if self._sample_due is None or now >= self._sample_due:
                self._sample_due = now + SAMPLE_SECONDS
            known = list(self._torrents)
            self._sample = b"".join(self._rng.sample(known, min(SAMPLES, len(known))))
        return self._sample, self._sample_due - now

    def expire(self, now: float) -> None:
        """Forget who did not announce for 45 minutes."""
        for info_hash in list(self._torrents):
            self._living(info_hash, now)

    def _living(self, info_hash: bytes, now: float) -> Sequence[_Peer]:
        peers = self._torrents.get(info_hash)
        if peers is None:
            return ()
        old = []
        for owner, peer in peers.items():
            if peer.until > now:
                break
            old.append(owner)
        for owner in old:
            del peers[owner]
            self._forget(owner)
        if not peers:
            del self._torrents[info_hash]
        return list(peers.values())

    def _pick(self, peers: Sequence[_Peer], count: int) -> Sequence[_Peer]:
        return peers if len(peers) <= count else self._rng.sample(peers, count)

    def _make_room(self, info_hash: bytes) -> bool:
        if len(self._torrents) < MAX_TORRENTS:
            return True
        farthest = max(self._torrents, key=self._distance)
        if self._distance(farthest) <= self._distance(info_hash):
            return False
        for owner in self._torrents.pop(farthest):
            self._forget(owner)
        return True

    def _distance(self, info_hash: bytes) -> int:
        return int.from_bytes(info_hash) ^ self._own

    def _forget(self, owner: str) -> None:
        left = self._by_owner[owner] - 1
        if left:
            self._by_owner[owner] = left
        else:
            del self._by_owner[owner]
