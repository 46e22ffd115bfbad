"""What is on its way and not acknowledged yet, and which of it is lost (BEP 29, RFC 6675).

Packets are kept in runs of equal size, and what is known of them in bits of one number, the oldest packet's the
lowest: an acknowledgement costs a few operations, however many packets it is about. HOT: bench/transfer.py
"""

from collections import deque
from typing import NamedTuple

from .packet import MASK

BEYOND = 3
"""Packets that arrived after one that did not: then it is lost."""
_BEHIND = 4096
"""Acknowledgements that are so much older than what is known are late; others were never of this connection."""


class Run:
    """Packets with consecutive numbers that were sent at once.

    Attributes:
        kind: of the packets.
        first: number of the first; numbers of this module do not wrap.
        count: packets.
        data: their payload.
        size: bytes of each payload; the last may be shorter.
        sent_at: when.
    """

    __slots__ = ("count", "data", "first", "kind", "sent_at", "size")

    def __init__(self, kind: int, first: int, data: memoryview, size: int, now: float) -> None:
        self.kind = kind
        self.first = first
        self.data = data
        self.size = size
        self.count = max(1, -(-len(data) // size)) if size else 1
        self.sent_at = now

    def part(self, low: int, high: int) -> memoryview:
        """The payload of packets `low` to `high`, without that, of the run."""
        return self.data[low * self.size : high * self.size]


class Progress(NamedTuple):
    """What an acknowledgement brought.

    Attributes:
        delivered: bytes that are known to have arrived only now.
        packets: that the other side has in order now, and had not before.
        round_trip: seconds that the newest of them took; None when no packet tells.
        overtaken: packets by which one was overtaken that had been held to be lost, and was not: it was acknowledged
            sooner than its repetition can have been answered.
    """

    delivered: int
    packets: int
    round_trip: float | None
    overtaken: int = 0


NOTHING = Progress(0, 0, None)


class Flight:
    """The packets on their way.

    Args:
        first: the number of the first packet, 0..65535.

    Attributes:
        oldest: number of the oldest that is not acknowledged.
        next: number of the next to be sent.
        bytes: payload that is on its way: neither arrived nor lost.
        arrived: bit n: packet `oldest + n` came, though some before it did not.
        lost: bit n: packet `oldest + n` is to be sent again.
        soonest: seconds in which nothing can be answered.
        watched: whether `largest` is kept up to date.
        largest: bytes of payload of the largest packet that arrived of late, and had left but once.
    """

    __slots__ = (
        "_repeated", "_repeats", "_runs", "arrived", "bytes", "largest", "lost", "next", "oldest", "soonest", "watched",
    )  # fmt: skip

    def __init__(self, first: int) -> None:
        self.oldest = self.next = first
        self.bytes = 0
        self.arrived = 0
        self.lost = 0
        self._runs: deque[Run] = deque()
        self._repeated = 0  # bit n: sent more than once; its round trip says nothing
        # next number at that time, first number, bits of it, when
        self._repeats: deque[tuple[int, int, int, float]] = deque()
        self.soonest = 0.0
        self.watched = False
        self.largest = 0

    @property
    def packets(self) -> int:
        """How many are not acknowledged in order."""
        return self.next - self.oldest

    def send(self, kind: int, data: memoryview, size: int, now: float) -> Run:
        """Packets of `size` bytes leave; the run of them."""
        run = Run(kind, self.next, data, size, now)
        self._runs.append(run)
        self.next += run.count
        self.bytes += len(data)
        return run

    def plausible(self, ack: int, behind: int = _BEHIND) -> bool:
        """Whether the other side may say that `ack`, of 16 bits, is the last that came in order."""
        age = (self.next - 1 - ack) & MASK
        return age <= self.next - self.oldest + behind

    def acknowledge(self, ack: int, selective: int, now: float) -> Progress:
        """All up to `ack` came, and those of `selective` (see Packet); what is implausible must not get here."""
        fresh = (ack - self.oldest + 1) & MASK
        if fresh > self.next - self.oldest:
            return NOTHING  # late: newer ones came before it
        if not fresh and not selective:
            return NOTHING
        if self.watched:
            self.largest = max(self.largest, self.largest_once((1 << fresh) - 1 | selective << fresh + 1))
        overtaken = self._overtaken((1 << fresh) - 1 | selective << fresh + 1, now) if self._repeats else 0
        delivered, round_trip = self._in_order(fresh, now) if fresh else (0, None)
        if selective:
            bits = selective << 1 & ((1 << (self.next - self.oldest)) - 1) & ~self.arrived
            if bits:
                size = self._size(bits)
                self.bytes -= size - self._size(bits & self.lost)
                self.arrived |= bits
                self.lost &= ~bits
                delivered += size
                if round_trip is None:
                    round_trip = self._round_trip(bits.bit_length() - 1, now)
        return Progress(delivered, fresh, round_trip, overtaken)

    def find_lost(self, beyond: int = BEYOND) -> int:
        """Give up packets after which others arrived; how many bytes.

        Args:
            beyond: so many others; when it is more than usual, how far others were ahead.
        """
        arrived = self.arrived
        if beyond > BEYOND:
            edge = arrived.bit_length() - beyond
        else:
            for _ in range(BEYOND - 1):
                arrived ^= 1 << arrived.bit_length() >> 1
            edge = arrived.bit_length() - 1
        if edge < 0:
            return 0
        while self._repeats and self._repeats[0][0] <= self.oldest + edge:
            self._repeats.popleft()
        return self.lose_first(edge)

    def lose_first(self, count: int) -> int:
        """Of the oldest `count` packets, give up those that did not come and are not on their way anew; their bytes."""
        missing = ~(self.arrived | self.lost) & ((1 << min(count, self.packets)) - 1)
        for _, first, bits, _ in self._repeats:
            missing &= ~self._moved(bits, first)
        return self._lose(missing)

    def suspect_oldest(self) -> int:
        """The other side said again and again that it misses the oldest: give it up; how many bytes."""
        if self.oldest == self.next or (self._repeated | self.lost) & 1:
            return 0
        return self._lose(1)

    def lose_all(self) -> None:
        """Nothing came for long: give up all that is not known to have arrived."""
        self.lost = ((1 << (self.next - self.oldest)) - 1) & ~self.arrived
        self.bytes = 0
        self._repeats.clear()

    def give_up(self, number: int) -> None:
        """Packet `number`, on its way, is lost."""
        if number >= self.oldest:
            self._lose(1 << (number - self.oldest) & ~(self.arrived | self.lost))

    def largest_once(self, bits: int) -> int:
        """The bytes of payload of the largest packet of `bits` that has left but once, and is not known to be there."""
        bits &= ~(self._repeated | self.arrived)
        largest = 0
        for run in self._runs if bits else ():
            inside = self._moved_to(bits, run.first) & ((1 << run.count) - 1)
            if inside:
                start = (inside & -inside).bit_length() - 1
                largest = max(largest, len(run.part(start, start + 1)))
        return largest

    @property
    def lost_size(self) -> int:
        """Bytes of payload of the oldest that is to be sent again, which there must be."""
        return self._run_of(self.oldest + (self.lost & -self.lost).bit_length() - 1).size

    def number_lost(self, number: int) -> bool:
        """Whether packet `number` is given up."""
        return number >= self.oldest and bool(self.lost >> (number - self.oldest) & 1)

    def repeat(self, most: int, now: float) -> Run | None:
        """Send the oldest lost packets again, neighbours at once, at most so many; a run of them."""
        lost = self.lost
        if not lost:
            return None
        low = (lost & -lost).bit_length() - 1
        run = self._run_of(self.oldest + low)
        start = self.oldest + low - run.first
        count = ((lost >> low) + 1 & -((lost >> low) + 1)).bit_length() - 1  # ones in a row
        count = min(count, run.count - start, most)
        bits = ((1 << count) - 1) << low
        self.lost ^= bits
        self._repeated |= bits
        self._repeats.append((self.next, self.oldest, bits, now))
        again = Run(run.kind, self.oldest + low, run.part(start, start + count), run.size, now)
        self.bytes += len(again.data)
        return again

    def _overtaken(self, acknowledged: int, now: float) -> int:
        """See Progress; `acknowledged` has bit n for packet `oldest + n`."""
        early = 0
        for _, first, bits, at in self._repeats:
            if now - at < self.soonest:
                early |= self._moved(bits, first)
        early &= acknowledged & ~self.arrived
        if not early:
            return 0
        return max(self.arrived, acknowledged).bit_length() - (early & -early).bit_length()

    def _in_order(self, fresh: int, now: float) -> tuple[int, float | None]:
        """The first `fresh` packets came; bytes delivered, and their round trip."""
        low = (1 << fresh) - 1
        round_trip = self._round_trip(fresh - 1, now)
        gone = self._size_of_first(fresh)
        delivered = gone
        if self.arrived | self.lost:
            before = self._size(self.arrived & low)
            delivered -= before
            gone -= before + self._size(self.lost & low)
            self.arrived >>= fresh
            self.lost >>= fresh
        self.bytes -= gone
        self._repeated >>= fresh
        self.oldest += fresh
        while self._runs and self._runs[0].first + self._runs[0].count <= self.oldest:
            self._runs.popleft()
        while self._repeats and not self._moved(self._repeats[0][2], self._repeats[0][1]):
            self._repeats.popleft()
        return delivered, round_trip

    def _size_of_first(self, count: int) -> int:
        size = 0
        for run in self._runs:
            start = max(0, self.oldest - run.first)
            have = min(run.count - start, count)
            size += len(run.data) - start * run.size if start + have == run.count else have * run.size
            count -= have
            if not count:
                break
        return size

    def _size(self, bits: int) -> int:
        """Bytes of the packets whose bits are set."""
        size = 0
        for run in self._runs if bits else ():
            inside = self._moved_to(bits, run.first) & ((1 << run.count) - 1)
            if inside:
                size += inside.bit_count() * run.size
                if inside >> (run.count - 1):
                    size -= run.count * run.size - len(run.data)
        return size

    def _round_trip(self, index: int, now: float) -> float | None:
        if self._repeated:
            return None  # this one was acknowledged when it could be in order, or when its word was not lost: late
        return now - self._run_of(self.oldest + index).sent_at

    def _run_of(self, number: int) -> Run:
        return next(run for run in self._runs if number < run.first + run.count)

    def _lose(self, bits: int) -> int:
        size = self._size(bits)
        self.lost |= bits
        self.bytes -= size
        return size

    def _moved(self, bits: int, first: int) -> int:
        """`bits` that count from `first`, counted from the oldest."""
        return bits >> (self.oldest - first)

    def _moved_to(self, bits: int, first: int) -> int:
        """`bits` that count from the oldest, counted from `first`."""
        return bits << (self.oldest - first) if first <= self.oldest else bits >> (first - self.oldest)
