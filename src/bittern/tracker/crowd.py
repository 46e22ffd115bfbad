"""The peers of one swarm in one address family, kept so that a fair sample of them is a slice.

Seeds and leechers stand in a row each: packed addresses, one after the other. Both rows are in random order at any
time: who joins or announces again trades places with somebody drawn from its row. So those who stand after a random
place are a uniformly drawn sample, which one copy of bytes takes; and since everybody moves with each announce, no
two samples are alike for long. The price is 6 (18) bytes of address, one of time and one dictionary entry a peer.
"""

# HOT: bench/tracker.py
from collections.abc import Callable, Iterator
from typing import Final

LEFT: Final = -1
"""Where somebody stands who has left and is still remembered (see `registry`)."""


class _Row:
    """Some peers: their packed addresses, and a byte each that says when they announced."""

    __slots__ = ("addresses", "seen")

    def __init__(self) -> None:
        self.addresses = bytearray()
        self.seen = bytearray()


_NOBODY: Final = _Row()
"""Stands for the row of a crowd that has none yet, and is never changed: most swarms are small."""


class Crowd:
    """Seeds and leechers of one family.

    Args:
        info_hash: of their torrent.
        size: bytes of a packed address with its port, 6 (IPv4) or 18 (IPv6).

    Attributes:
        places: who is known, and where: twice the place in the row, and one more for a seed; or LEFT.
    """

    __slots__ = ("_leechers", "_seeds", "_size", "info_hash", "places")

    def __init__(self, info_hash: bytes, size: int) -> None:
        self.info_hash = info_hash
        self.places: dict[bytes, int] = {}
        self._size = size
        self._leechers = _NOBODY
        self._seeds = _NOBODY

    @property
    def leechers(self) -> int:
        """How many are not complete."""
        return len(self._leechers.seen)

    @property
    def seeds(self) -> int:
        """How many are complete."""
        return len(self._seeds.seen)

    def put(self, address: bytes, seed: bool, tick: int, random: Callable[[], float]) -> int:  # noqa: FBT001 - hot
        """`address` is here at `tick` (modulo 256): it joins, stays or changes rows.

        Returns:
            its place in its row, which is a random one.
        """
        places, size = self.places, self._size
        row = self._seeds if seed else self._leechers
        if row is _NOBODY:
            row = self._open_row(seed)
        addresses, seen = row.addresses, row.seen
        at = places.get(address, LEFT)
        if at >= 0 and at & 1 != seed:
            self._take_out(at)
            at = LEFT
        if at < 0:
            old = len(seen)
            addresses += address
            seen.append(tick)
        else:
            old = at >> 1
        new = int(random() * len(seen))
        if new != old:
            start, end = new * size, old * size
            other = bytes(addresses[start : start + size])
            addresses[end : end + size] = other
            addresses[start : start + size] = address
            seen[old] = seen[new]
            places[other] = old << 1 | seed
        seen[new] = tick
        places[address] = new << 1 | seed
        return new

    def pick(self, place: int, seed: bool, count: int, random: Callable[[], float]) -> bytes:  # noqa: FBT001 - hot
        """Up to `count` others for the peer that stands at `place` of its row, drawn with equal chances.

        A seed is told of leechers only. A leecher gets seeds and leechers in the proportion that there are.
        """
        size, leechers, seeds = self._size, self._leechers.addresses, self._seeds.addresses
        if seed:
            crowd = len(leechers) // size
            return _window(leechers, int(random() * crowd) * size, min(count, crowd) * size)
        others, complete = max(0, len(leechers) // size - 1), len(seeds) // size
        if count >= others + complete:
            return bytes(seeds) + _window(leechers, (place + 1) * size, others * size)
        # Rounded up as often as the fraction says: so nobody's chance is greater than another's.
        from_seeds = min(count, int(count * complete / (others + complete) + random())) if complete else 0
        chosen = _window(leechers, (place + 1) * size, (count - from_seeds) * size)
        return _window(seeds, int(random() * complete) * size, from_seeds * size) + chosen if from_seeds else chosen

    def leave(self, address: bytes) -> bool:
        """`address` is here no more, but remembered; whether it was here."""
        at = self.places.get(address, LEFT)
        if at < 0:
            return False
        self._take_out(at)
        self.places[address] = LEFT
        return True

    def forget(self, address: bytes) -> None:
        """`address` is neither here nor remembered any more."""
        at = self.places.pop(address)
        if at >= 0:
            self._take_out(at)

    def age(self, address: bytes, tick: int) -> int | None:
        """Ticks since `address` announced, below 256, or None when it has left."""
        at = self.places[address]
        if at < 0:
            return None
        return (tick - (self._seeds if at & 1 else self._leechers).seen[at >> 1]) & 255

    def rows(self, ages: bytes) -> tuple[tuple[bytes, bytes], tuple[bytes, bytes]]:
        """Leechers, then seeds: their packed addresses, and a byte each of ticks since they announced.

        Args:
            ages: for each of the 256 ticks that a peer may have announced at, how long that is ago.
        """
        return (
            (bytes(self._leechers.addresses), bytes(self._leechers.seen.translate(ages))),
            (bytes(self._seeds.addresses), bytes(self._seeds.seen.translate(ages))),
        )

    def check_invariants(self) -> None:
        """Rows and places say the same."""
        assert not _NOBODY.seen
        here = {address: at for address, at in self.places.items() if at >= 0}
        assert {address: at << 1 for at, address in self._standing(self._leechers)} | {
            address: at << 1 | 1 for at, address in self._standing(self._seeds)
        } == here
        assert self.leechers + self.seeds == len(here)

    def _standing(self, row: _Row) -> Iterator[tuple[int, bytes]]:
        size = self._size
        assert len(row.addresses) == len(row.seen) * size
        return ((at, bytes(row.addresses[at * size : (at + 1) * size])) for at in range(len(row.seen)))

    def _open_row(self, seed: bool) -> _Row:  # noqa: FBT001 - as put
        row = _Row()
        if seed:
            self._seeds = row
        else:
            self._leechers = row
        return row

    def _take_out(self, at: int) -> None:
        """Who stands last takes the place that `at` names."""
        row, size, place = self._seeds if at & 1 else self._leechers, self._size, at >> 1
        last = bytes(row.addresses[-size:])
        tick = row.seen.pop()
        del row.addresses[-size:]
        if place < len(row.seen):
            row.addresses[place * size : (place + 1) * size] = last
            row.seen[place] = tick
            self.places[last] = at


def _window(row: bytearray, start: int, length: int) -> bytes:
    """`length` bytes from `start` on, and on from the beginning where the row ends."""
    end = start + length
    if end <= len(row):
        return bytes(row[start:end])
    return bytes(row[start:] + row[: end - len(row)])
