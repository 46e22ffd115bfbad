"""The nodes that one node knows: many near itself, few far away (BEP 5), not many of one owner.

Bucket i holds nodes whose ids share exactly i leading bits with ours; the last one holds all that share more, and
is split when it is full. Only who has answered us gets in.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from bittern.wire.krpc import ID_BYTES, Contact

from .bound_ids import is_bound
from .places import is_near, network_of, owner_of

BUCKET: Final = 8
"""Nodes in a bucket; BEP 5's K."""
SPARES: Final = 8
"""Nodes that are remembered for each full bucket, for when one of its nodes goes."""
FRESH_SECONDS: Final = 15 * 60.0
"""A node that was not heard of for so long is questionable."""
MAX_FAILURES: Final = 2
"""So many questions in a row that a node did not answer: it is gone."""
PER_NETWORK: Final = 8
"""Nodes of one /24 (IPv6: /64) in the whole table; in a bucket there is one."""

_BITS: Final = ID_BYTES * 8


class Entry:
    """A node in the table.

    Attributes:
        contact: its id and address.
        number: its id as a number.
        bound: whether its id belongs to its address (BEP 42).
        heard_at: when anything came from it.
        failures: questions in a row without an answer.
    """

    __slots__ = ("bound", "compact", "contact", "failures", "heard_at", "network", "number", "owner")

    def __init__(self, contact: Contact, now: float) -> None:
        host = contact.address.host
        self.contact = contact
        self.number = int.from_bytes(contact.id)
        self.compact = contact.id + contact.address.compact()
        self.bound = is_bound(contact.id, host)
        self.owner = owner_of(contact.address)
        self.network = self.owner if is_near(host) else network_of(host)
        self.heard_at = now
        self.failures = 0


class _Bucket:
    __slots__ = ("changed_at", "entries", "spares")

    def __init__(self, now: float) -> None:
        self.entries: list[Entry] = []
        self.spares: list[Entry] = []
        self.changed_at = now


class Table:
    """The routing table of one node in one address family.

    Args:
        own_id: the node's id.
        now: seconds.
    """

    def __init__(self, own_id: bytes, now: float) -> None:
        self._own = int.from_bytes(own_id)
        self._buckets = [_Bucket(now)]
        self._by_id: dict[bytes, Entry] = {}
        self._by_owner: dict[str, Entry] = {}
        self._networks: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Entry]:
        for bucket in self._buckets:
            yield from bucket.entries

    @property
    def buckets(self) -> int:
        """How many buckets there are."""
        return len(self._buckets)

    # ------------------------------------------------------------------ what was seen

    def asked_us(self, contact: Contact, now: float) -> bool:
        """A query came from `contact`; True when it is worth a question whether it is really there."""
        entry = self._by_id.get(contact.id)
        if entry is not None:
            if entry.contact.address == contact.address:
                entry.heard_at = now
            return False
        return self._has_place(contact)

    def answered(self, contact: Contact, now: float) -> None:
        """`contact` answered a question; it comes into the table if there is a place for it."""
        entry = self._by_id.get(contact.id)
        if entry is not None and entry.contact.address == contact.address:
            entry.heard_at = now
            entry.failures = 0
            self._buckets[self._index(entry.number)].changed_at = now
            return
        if entry is not None and not entry.failures:
            return  # two nodes with one id: the first one is known to be there
        if entry is not None:
            self._remove(entry)
        same = self._by_owner.get(owner_of(contact.address))
        if same is not None and same.contact.address == contact.address:
            self._remove(same)  # it has another id now
        elif same is not None and not same.failures:
            return
        elif same is not None:
            self._remove(same)
        if int.from_bytes(contact.id) != self._own:
            self._insert(Entry(contact, now), now)

    def refused(self, contact: Contact, now: float) -> None:
        """`contact` answered a question with an error: it is there, whatever it knows."""
        entry = self.find(contact)
        if entry is not None:
            entry.heard_at = now
            entry.failures = 0

    def failed(self, contact: Contact, now: float) -> None:
        """`contact` did not answer."""
        entry = self.find(contact)
        if entry is None:
            return
        entry.failures += 1
        bucket = self._buckets[self._index(entry.number)]
        if entry.failures >= MAX_FAILURES:
            self._remove(entry)
            while bucket.spares and len(bucket.entries) < BUCKET:
                self._try_place(bucket.spares.pop(), bucket, now)

    # ------------------------------------------------------------------ what is asked

    def find(self, contact: Contact) -> Entry | None:
        """The entry of the node with this id at this address."""
        entry = self._by_id.get(contact.id)
        return entry if entry is not None and entry.contact.address == contact.address else None

    def closest(self, target: bytes, count: int) -> list[Entry]:
        """Up to `count` nodes closest to `target`, closest first; those that just failed to answer are left out."""
        number = int.from_bytes(target)
        at = self._index(number)
        found = self._ranked(self._buckets[at].entries, number)
        if len(found) < count:  # all deeper buckets are at the same distance range, closer than any before
            deeper = [entry for bucket in self._buckets[at + 1 :] for entry in bucket.entries]
            found += self._ranked(deeper, number)
        while len(found) < count and at > 0:
            at -= 1
            found += self._ranked(self._buckets[at].entries, number)
        return found[:count]

    def stalest(self) -> Entry | None:
        """The node to ask next whether it is there: one that failed to answer, else the one not heard of longest."""
        oldest = None
        for bucket in self._buckets:
            for entry in bucket.entries:
                if entry.failures:
                    return entry
                if oldest is None or entry.heard_at < oldest.heard_at:
                    oldest = entry
        return oldest

    def idle_bucket(self, now: float) -> int | None:
        """The bucket in which nothing changed for 15 minutes, the longest; None when there is none."""
        at = min(range(len(self._buckets)), key=lambda index: self._buckets[index].changed_at)
        return at if now - self._buckets[at].changed_at >= FRESH_SECONDS else None

    def target_in(self, index: int, random: bytes, now: float) -> bytes:
        """An id of bucket `index` made from 20 random bytes, to look up; the bucket counts as changed."""
        self._buckets[index].changed_at = now
        keep = _BITS - index  # bits that are free, the highest of which must differ from ours
        number = self._own >> keep << keep | int.from_bytes(random) & (1 << keep) - 1
        if index + 1 < len(self._buckets):
            flip = 1 << keep - 1
            number = number & ~flip | ~self._own & flip
        return number.to_bytes(ID_BYTES)

    def check_invariants(self) -> None:
        """Everything is in its place and counted; for tests."""
        entries = list(self)
        assert {entry.contact.id for entry in entries} == self._by_id.keys()
        assert {entry.owner for entry in entries} == self._by_owner.keys()
        assert len(entries) == len(self._by_id) == len(self._by_owner)
        networks: dict[str, int] = {}
        for index, bucket in enumerate(self._buckets):
            assert len(bucket.entries) <= BUCKET
            assert len(bucket.spares) <= SPARES
            assert len({entry.network for entry in bucket.entries}) == len(bucket.entries)
            for entry in bucket.entries:
                assert self._index(entry.number) == index
                networks[entry.network] = networks.get(entry.network, 0) + 1
        assert networks == self._networks
        assert all(count <= PER_NETWORK for count in networks.values())

    # ------------------------------------------------------------------ places

    def _index(self, number: int) -> int:
        return min(_BITS - (number ^ self._own).bit_length(), len(self._buckets) - 1)

    def _ranked(self, entries: Iterable[Entry], target: int) -> list[Entry]:
        return sorted((entry for entry in entries if not entry.failures), key=lambda entry: entry.number ^ target)

    def _has_place(self, contact: Contact) -> bool:
        if owner_of(contact.address) in self._by_owner:
            return False
        index = self._index(int.from_bytes(contact.id))
        bucket = self._buckets[index]
        if len(bucket.entries) < BUCKET or index == len(self._buckets) - 1:
            return True
        return any(entry.failures for entry in bucket.entries) or len(bucket.spares) < SPARES

    def _insert(self, entry: Entry, now: float) -> None:
        while True:
            index = self._index(entry.number)
            bucket = self._buckets[index]
            if self._try_place(entry, bucket, now):
                return
            if len(bucket.entries) < BUCKET:
                return  # there is room, but not for another one of its network
            if index < len(self._buckets) - 1 or index == _BITS - 1:
                break
            self._split(now)
        for worse in (
            *(e for e in bucket.entries if e.failures),
            *(e for e in bucket.entries if entry.bound > e.bound),
        ):
            if self._fits(entry, bucket, instead=worse):
                self._remove(worse)
                self._try_place(entry, bucket, now)
                return
        bucket.spares = [spare for spare in bucket.spares if spare.owner != entry.owner][1 - SPARES :]
        bucket.spares.append(entry)

    def _fits(self, entry: Entry, bucket: _Bucket, instead: Entry | None = None) -> bool:
        others = [other for other in bucket.entries if other is not instead]
        in_all = self._networks.get(entry.network, 0) - (instead is not None and instead.network == entry.network)
        return len(others) < BUCKET and in_all < PER_NETWORK and all(other.network != entry.network for other in others)

    def _try_place(self, entry: Entry, bucket: _Bucket, now: float) -> bool:
        if entry.contact.id in self._by_id or entry.owner in self._by_owner or not self._fits(entry, bucket):
            return False
        bucket.entries.append(entry)
        bucket.changed_at = now
        self._by_id[entry.contact.id] = self._by_owner[entry.owner] = entry
        self._networks[entry.network] = self._networks.get(entry.network, 0) + 1
        return True

    def _remove(self, entry: Entry) -> None:
        self._buckets[self._index(entry.number)].entries.remove(entry)
        del self._by_id[entry.contact.id], self._by_owner[entry.owner]
        left = self._networks[entry.network] - 1
        if left:
            self._networks[entry.network] = left
        else:
            del self._networks[entry.network]

    def _split(self, now: float) -> None:
        last, deeper = self._buckets[-1], _Bucket(now)
        self._buckets.append(deeper)
        last.entries, deeper.entries = self._parted(last.entries)
        last.spares, deeper.spares = self._parted(last.spares)

    def _parted(self, entries: list[Entry]) -> tuple[list[Entry], list[Entry]]:
        """Those that stay in the last bucket but one, and those that go into the last."""
        last = len(self._buckets) - 1
        stay = [entry for entry in entries if self._index(entry.number) < last]
        return stay, [entry for entry in entries if self._index(entry.number) == last]
