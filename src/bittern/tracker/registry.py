"""Who is in which swarm. Nobody is looked for: each peer is looked at once in its time, at the end of it.

Time is counted in ticks, 128 of which are the time that a peer stays without an announce. A wheel of ticks holds
every known peer exactly once. When its tick comes, the peer is forgotten, or put where its latest announce says.
Who leaves stays known (but in no row) until then: so coming and going as often as one likes adds nothing.
"""

# HOT: bench/tracker.py
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from .crowd import Crowd

COMPLETED: Final = 1
STOPPED: Final = 3
"""Events of an announce that matter here, by their numbers on the wire (BEP 15)."""

LIFE: Final = 128
"""Ticks that a peer stays without another announce."""
REMEMBERED: Final = 1 << 20
"""Torrents of which completed downloads are remembered."""

_ALL: Final = 1 << 62


class Totals(NamedTuple):
    """Everybody who is known, for statistics.

    Attributes:
        swarms: torrents with at least one peer known, once for each family.
        known: peers, those that left and are not forgotten yet among them.
    """

    swarms: int
    known: int
    leechers: int
    seeds: int
    leechers6: int
    seeds6: int
    expired: int


class _Spoke:
    """Whom to look at when one tick comes: a crowd and an address each."""

    __slots__ = ("addresses", "crowds")

    def __init__(self) -> None:
        self.crowds: list[Crowd] = []
        self.addresses: list[bytes] = []


class Registry:
    """All swarms.

    Addresses are packed with their port: 6 bytes are IPv4, 18 are IPv6. The families never mix: who announces by one
    is told of peers of that one. Counts are of both.

    Args:
        now: monotonic seconds.
        life_seconds: a peer that is silent for so long is forgotten, up to 1/128 of it later.
        max_peers: peers that are known at a time; newcomers beyond are answered and not remembered.
        random: numbers from 0 below 1.
    """

    def __init__(self, now: float, life_seconds: float, max_peers: int, random: Callable[[], float]) -> None:
        self._ticks_per_second = LIFE / life_seconds
        self._tick = int(now * self._ticks_per_second)
        self._max_peers = max_peers
        self._random = random
        self._four: dict[bytes, Crowd] = {}
        self._six: dict[bytes, Crowd] = {}
        self._completed: dict[bytes, int] = {}
        self._wheel: dict[int, _Spoke] = {}
        self._newest = self._spoke(self._tick + LIFE + 1)
        self._overdue: list[_Spoke] = []
        self._known = 0
        self._expired = 0

    def announce(
        self,
        info_hash: bytes,
        address: bytes,
        seed: bool,  # noqa: FBT001 - hot
        event: int,
        count: int,
    ) -> tuple[int, int, bytes]:
        """A peer says that it is here, or (`STOPPED`) that it goes.

        Args:
            info_hash: 20 bytes.
            address: packed, see above.
            seed: whether it has everything.
            event: its number on the wire.
            count: peers that it wants, at least 0.

        Returns:
            seeds, leechers, and the packed addresses of up to `count` others; a seed is told of leechers only.
        """
        crowds, others = (self._four, self._six) if len(address) == 6 else (self._six, self._four)
        crowd, peers = crowds.get(info_hash), b""
        if event == STOPPED:
            if crowd is not None:
                crowd.leave(address)
        else:
            if crowd is None or address not in crowd.places:
                if self._known >= self._max_peers:
                    return (*self._counts(info_hash), self._for_stranger(crowd, seed, count))
                if crowd is None:
                    crowd = crowds[info_hash] = Crowd(info_hash, len(address))
                self._known += 1
                self._newest.crowds.append(crowd)
                self._newest.addresses.append(address)
            elif event == COMPLETED and seed and crowd.places[address] & 1 == 0:
                self._count_completed(info_hash)
            place = crowd.put(address, seed, self._tick & 255, self._random)
            if count:
                peers = crowd.pick(place, seed, count, self._random)
        if info_hash in others or crowd is None:
            return (*self._counts(info_hash), peers)
        return crowd.seeds, crowd.leechers, peers

    def scrape(self, info_hash: bytes) -> tuple[int, int, int]:
        """Seeds, downloads ever completed, leechers (BEP 48)."""
        seeds, leechers = self._counts(info_hash)
        return seeds, self._completed.get(info_hash, 0), leechers

    def advance(self, now: float, most: int = _ALL) -> None:
        """It is `now`: forget whose time is over. Announces until the next call count as of now.

        Args:
            now: monotonic seconds.
            most: peers to look at; the others' turn comes with the next calls.
        """
        target = int(now * self._ticks_per_second)
        while self._tick < target:
            self._tick += 1
            self._newest = self._spoke(self._tick + LIFE + 1)
            spoke = self._wheel.pop(self._tick, None)
            if spoke is not None:
                self._overdue.append(spoke)
            most = self._look_at_overdue(most)
        self._look_at_overdue(most)

    def totals(self) -> Totals:
        """Counts over all swarms; walks over them, so ask seldom."""
        four, six = self._four.values(), self._six.values()
        return Totals(
            swarms=len(four) + len(six),
            known=self._known,
            leechers=sum(crowd.leechers for crowd in four),
            seeds=sum(crowd.seeds for crowd in four),
            leechers6=sum(crowd.leechers for crowd in six),
            seeds6=sum(crowd.seeds for crowd in six),
            expired=self._expired,
        )

    @property
    def tick_seconds(self) -> float:
        """How long a tick is."""
        return 1 / self._ticks_per_second

    def rows(self) -> Iterator[tuple[bytes, bool, bytes, bytes]]:
        """Everybody, to be kept: info hash, whether they are seeds, packed addresses, a byte of age in ticks each."""
        since = bytes((self._tick - seen) & 255 for seen in range(256))
        for crowds in (self._four, self._six):
            for crowd in crowds.values():
                for seed, (addresses, ages) in enumerate(crowd.rows(since)):
                    if ages:
                        yield crowd.info_hash, bool(seed), addresses, ages

    def completed(self) -> dict[bytes, int]:
        """Downloads ever completed, by info hash."""
        return dict(self._completed)

    def restore(self, info_hash: bytes, address: bytes, age: int, *, seed: bool) -> None:
        """Take in a peer that was kept, and announced `age` ticks ago; not when it is known or too old."""
        crowds = self._four if len(address) == 6 else self._six
        crowd = crowds.get(info_hash)
        if age > LIFE or self._known >= self._max_peers or (crowd is not None and address in crowd.places):
            return
        if crowd is None:
            crowd = crowds[info_hash] = Crowd(info_hash, len(address))
        crowd.put(address, seed, (self._tick - age) & 255, self._random)
        self._known += 1
        self._due(crowd, address, self._tick - age + LIFE + 1)

    def restore_completed(self, info_hash: bytes, count: int) -> None:
        """Take in a number of completed downloads that was kept; of several, the largest."""
        self._completed[info_hash] = max(count, self._completed.get(info_hash, 0))

    def check_invariants(self) -> None:
        """What is counted is there, and everybody is on the wheel once."""
        crowds = [*self._four.values(), *self._six.values()]
        for crowd in crowds:
            crowd.check_invariants()
            assert crowd.places
        known = sorted((id(crowd), address) for crowd in crowds for address in crowd.places)
        wheel = [
            (id(crowd), address)
            for spoke in (*self._wheel.values(), *self._overdue)
            for crowd, address in zip(spoke.crowds, spoke.addresses, strict=True)
        ]
        assert sorted(wheel) == known
        assert len(known) == self._known <= self._max_peers
        assert all(self._tick < tick <= self._tick + LIFE + 1 for tick in self._wheel)

    def _counts(self, info_hash: bytes) -> tuple[int, int]:
        seeds = leechers = 0
        for crowds in (self._four, self._six):
            crowd = crowds.get(info_hash)
            if crowd is not None:
                seeds += crowd.seeds
                leechers += crowd.leechers
        return seeds, leechers

    def _for_stranger(self, crowd: Crowd | None, seed: bool, count: int) -> bytes:  # noqa: FBT001 - as announce
        """Peers for somebody who is not remembered; a leecher is not told of one leecher drawn by lot."""
        if crowd is None:
            return b""
        return crowd.pick(int(self._random() * crowd.leechers), seed, count, self._random)

    def _count_completed(self, info_hash: bytes) -> None:
        if info_hash not in self._completed and len(self._completed) >= REMEMBERED:
            kept = list(self._completed.items())[REMEMBERED // 2 :]
            self._completed = dict(kept)
        self._completed[info_hash] = self._completed.get(info_hash, 0) + 1

    def _look_at_overdue(self, most: int) -> int:
        """Look at `most` of those whose tick has come; how many more might be looked at."""
        while self._overdue and most > 0:
            spoke = self._overdue[-1]
            if spoke.crowds:
                self._look_at(spoke.crowds.pop(), spoke.addresses.pop())
                most -= 1
            else:
                self._overdue.pop()
        return most

    def _look_at(self, crowd: Crowd, address: bytes) -> None:
        age = crowd.age(address, self._tick)
        if age is not None and age <= LIFE:
            self._due(crowd, address, self._tick - age + LIFE + 1)
            return
        crowd.forget(address)
        self._known -= 1
        self._expired += age is not None
        if not crowd.places:
            del (self._four if len(address) == 6 else self._six)[crowd.info_hash]

    def _due(self, crowd: Crowd, address: bytes, tick: int) -> None:
        spoke = self._spoke(tick)
        spoke.crowds.append(crowd)
        spoke.addresses.append(address)

    def _spoke(self, tick: int) -> _Spoke:
        spoke = self._wheel.get(tick)
        if spoke is None:
            spoke = self._wheel[tick] = _Spoke()
        return spoke
