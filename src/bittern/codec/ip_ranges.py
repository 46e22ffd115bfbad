"""Sets of IP addresses as ranges: a million of them in a few megabytes, looked up in microseconds."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from struct import Struct

_V4_MOST = 0xFFFF_FFFF
_MAPPED = 0xFFFF << 32
"""Where IPv4 lies in IPv6 (RFC 4291, 2.5.5.2); such addresses are IPv4 everywhere here."""
_HALF = 0xFFFF_FFFF_FFFF_FFFF
_PAIR, _NETWORK = Struct(">QQQQ"), Struct(">QQB")
_PART = 1 << 12  # records that are shared out at a time
_SAMPLE = 64  # one record in so many tells how to share them out
_TOP = [_HALF >> min(bits, 64) for bits in range(129)]
_BOTTOM = [_HALF >> max(bits - 64, 0) for bits in range(129)]
"""The upper and lower bits that tell hosts of a network apart, by the length of its prefix."""
_SHARES = 256  # what is sorted at a time: all at once would take five times the memory


class IpRanges:
    """Ranges that neither overlap nor touch, in order. They do not change.

    Args:
        starts, ends: of the IPv4 ranges, `array("I")`, both ends included.
        wide: of the IPv6 ranges, `array("Q")`: upper and lower halves of the starts, then of the ends.
    """

    __slots__ = ("_ends", "_starts", "_wide")

    def __init__(self, starts: "array[int]", ends: "array[int]", wide: "tuple[array[int], ...]") -> None:
        self._starts = starts
        self._ends = ends
        self._wide = wide

    @classmethod
    def of(cls, texts: Iterable[str]) -> "IpRanges":
        """The set of these addresses and networks: `10.0.0.0/8`, `2001:db8::/32`, `192.0.2.7`, `192.0.2.1-192.0.2.9`.

        Raises:
            ValueError: one is none of these.
        """
        building = RangeBuilder()
        for text in texts:
            first, dash, last = text.partition("-")
            if dash:
                building.add(first.strip(), last.strip())
            else:
                network = ip_network(text.strip(), strict=False)
                building.add(str(network[0]), str(network[-1]))
        return building.build()

    def __len__(self) -> int:
        return len(self._starts) + len(self._wide[0])

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """The first and the last address of each range, IPv4 before IPv6."""
        for start, end in zip(self._starts, self._ends, strict=True):
            yield str(IPv4Address(start)), str(IPv4Address(end))
        for high, low, high_end, low_end in zip(*self._wide, strict=True):
            yield str(IPv6Address(high << 64 | low)), str(IPv6Address(high_end << 64 | low_end))

    def __contains__(self, host: str) -> bool:
        """Whether a numeric address lies in one of the ranges.

        Raises:
            ValueError: it is no address.
        """
        if ":" in host:
            value = int(IPv6Address(host))
            if value >> 32 == _MAPPED >> 32:
                return self._has4(value & _V4_MOST)
            return self._has6(value)
        if not self._starts:
            return False
        a, b, c, d = host.split(".")
        return self._has4(int(a) << 24 | int(b) << 16 | int(c) << 8 | int(d))

    @property
    def size_bytes(self) -> int:
        """Memory that the ranges take."""
        return 8 * len(self._starts) + 32 * len(self._wide[0])

    def _has4(self, value: int) -> bool:
        at = bisect_right(self._starts, value)
        return at > 0 and value <= self._ends[at - 1]

    def _has6(self, value: int) -> bool:
        high, low, high_end, low_end = self._wide
        top, bottom = value >> 64, value & _HALF
        at = bisect_right(high, top)
        if at and high[at - 1] == top:  # those with this upper half are in the order of the lower ones
            at = bisect_right(low, bottom, bisect_left(high, top, 0, at), at)
        return at > 0 and (top, bottom) <= (high_end[at - 1], low_end[at - 1])


def _no_wide() -> "tuple[array[int], ...]":
    return array("Q"), array("Q"), array("Q"), array("Q")


NO_RANGES = IpRanges(array("I"), array("I"), _no_wide())
"""The empty set."""


class RangeBuilder:
    """Ranges as they come, in any order."""

    def __init__(self) -> None:
        self._starts = array("I")
        self._ends = array("I")
        self._wide = bytearray()  # start and end, 16 bytes each
        self._networks = bytearray()  # start, 16 bytes, and the length of the prefix

    def add(self, first: str, last: str) -> None:
        """Add a range, both ends included.

        Raises:
            ValueError: these are no addresses of one family, or the last one comes before the first.
        """
        start, end = ip_address(first), ip_address(last)
        if start.version != end.version:
            raise ValueError(f"{first} and {last} are of different families")
        if int(start) > int(end):
            raise ValueError(f"{last} comes before {first}")
        if start.version == 6:
            self.add6(int(start), int(end))
        else:
            self._starts.append(int(start))
            self._ends.append(int(end))

    def extend(self, starts: "array[int]", ends: "array[int]") -> None:
        """Add ranges of IPv4, none of which ends before it starts."""
        self._starts.extend(starts)
        self._ends.extend(ends)

    def add6(self, start: int, end: int) -> None:
        """Add a range of IPv6 that does not end before it starts; it may be one of IPv4 that is written as such."""
        if start >> 32 == _MAPPED >> 32 == end >> 32:
            self._starts.append(start & _V4_MOST)
            self._ends.append(end & _V4_MOST)
        else:
            self._wide += (start << 128 | end).to_bytes(_PAIR.size)

    def extend6(self, starts: bytes, lengths: bytes) -> None:
        """Add networks of IPv6, none of which may be one of IPv4 that is written as such.

        Args:
            starts: their first addresses, 16 bytes each.
            lengths: of their prefixes, a byte each.
        """
        records = bytearray(_NETWORK.size * len(lengths))
        for byte in range(16):
            records[byte :: _NETWORK.size] = starts[byte::16]
        records[16 :: _NETWORK.size] = lengths
        self._networks += records

    def build(self) -> IpRanges:
        """The ranges, merged; the builder is empty afterwards."""
        starts, self._starts = self._starts, array("I")
        ends, self._ends = self._ends, array("I")
        wide, self._wide = self._wide, bytearray()
        networks, self._networks = self._networks, bytearray()
        shares = [array("Q") for _ in range(_SHARES)]
        for start, end in zip(starts, ends, strict=True):
            shares[start >> 24].append(start << 32 | end)
        del starts, ends
        return IpRanges(*_merged(shares), _merged6(wide, networks))


def _merged(shares: "list[array[int]]") -> "tuple[array[int], array[int]]":
    """Starts and ends of the ranges in all shares, which are in order among each other, and emptied."""
    starts, ends = array("I"), array("I")
    begun, last = -1, -2  # nothing touches this
    for at, share in enumerate(shares):
        shares[at] = array("Q")
        for key in sorted(share):
            end = key & _V4_MOST
            if key >> 32 > last + 1:
                if begun >= 0:
                    starts.append(begun)
                    ends.append(last)
                begun, last = key >> 32, end
            elif end > last:
                last = end
    if begun >= 0:
        starts.append(begun)
        ends.append(last)
    return starts, ends


def _merged6(wide: bytearray, networks: bytearray) -> "tuple[array[int], ...]":
    """As `_merged`, for ranges and networks of IPv6 in any order, which are gone afterwards.

    Nothing is sorted but one share at a time, and nothing is there twice: what was added leaves for its share, and that
    for what is returned. All shares are about as large, however the addresses lie.
    """
    sample = sorted(
        bytes(each[at : at + 16])
        for each, size in ((wide, _PAIR.size), (networks, _NETWORK.size))
        for at in range(0, len(each), size * _SAMPLE)
    )
    pivots = sample[:: max(1, len(sample) // _SHARES)]
    high, low, high_end, low_end = found = _no_wide()
    last = -2
    for pairs, nets in zip(_shared_out(wide, _PAIR, pivots), _shared_out(networks, _NETWORK, pivots), strict=True):
        ranges = {*_PAIR.iter_unpack(pairs)}
        ranges.update(
            [
                (top, bottom, top | _TOP[bits], bottom | _BOTTOM[bits])
                for top, bottom, bits in _NETWORK.iter_unpack(nets)
            ]
        )
        pairs.clear()
        nets.clear()
        for top, bottom, top_end, bottom_end in sorted(ranges):
            end = top_end << 64 | bottom_end
            if top << 64 | bottom > last + 1:
                high.append(top)
                low.append(bottom)
                high_end.append(top_end)
                low_end.append(bottom_end)
                last = end
            elif end > last:
                high_end[-1], low_end[-1] = top_end, bottom_end
                last = end
    return found


def _shared_out(packed: bytearray, record: Struct, pivots: list[bytes]) -> list[bytearray]:
    """The records between each two pivots, which begin with the address that is compared; `packed` is empty then."""
    shares = [bytearray() for _ in range(len(pivots) + 1)]
    whole, size = Struct(f"{record.size}s"), record.size * _PART
    while packed:
        part = bytes(packed[-size:])
        del packed[-size:]
        for (each,) in whole.iter_unpack(part):
            shares[bisect_right(pivots, each)] += each
    return shares
