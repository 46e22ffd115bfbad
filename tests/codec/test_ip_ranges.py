"""Sets of addresses as ranges."""

from ipaddress import IPv6Address, ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bittern.codec.ip_ranges import NO_RANGES, IpRanges, RangeBuilder

_V4 = st.integers(0, 2**32 - 1) | st.integers(0, 300) | st.integers(2**32 - 300, 2**32 - 1)
_V6 = st.integers(2**32, 2**33) | st.integers(2**128 - 300, 2**128 - 1)


def _host(value: int, *, ipv6: bool) -> str:
    return str(IPv6Address(value)) if ipv6 else str(ip_address(value))


@given(st.sampled_from([4, 6]), st.data())
@settings(max_examples=150)
def test_a_set_has_what_a_list_of_ranges_has(family: int, data: st.DataObject) -> None:
    """Against the naive model: any range that was added covers the address."""
    ipv6 = family == 6
    numbers = _V6 if ipv6 else _V4
    pairs = data.draw(st.lists(st.tuples(numbers, numbers).map(sorted), max_size=30))
    builder = RangeBuilder()
    for first, last in pairs:
        builder.add(_host(first, ipv6=ipv6), _host(last, ipv6=ipv6))
    ranges = builder.build()
    edges = [edge + step for pair in pairs for edge in pair for step in (-1, 0, 1)]
    most = 2**128 if ipv6 else 2**32
    for value in [edge for edge in edges if 0 <= edge < most]:
        if ipv6 and value >> 32 == 0xFFFF:
            continue
        assert (_host(value, ipv6=ipv6) in ranges) == any(first <= value <= last for first, last in pairs)


@given(st.lists(st.tuples(_V4, _V4).map(sorted), max_size=30))
@settings(max_examples=100)
def test_the_order_and_overlaps_do_not_matter(pairs: list[list[int]]) -> None:
    def built(chosen: list[list[int]]) -> IpRanges:
        builder = RangeBuilder()
        for first, last in chosen:
            builder.add(_host(first, ipv6=False), _host(last, ipv6=False))
        return builder.build()

    once, again = built(pairs), built([*reversed(pairs), *pairs])
    assert len(once) == len(again) <= len(pairs)
    assert once.size_bytes == again.size_bytes == 8 * len(once)


@given(
    st.lists(st.tuples(_V6, _V6).map(sorted), max_size=20),
    st.lists(st.tuples(_V6, st.integers(90, 128)), max_size=200),
)
@settings(max_examples=100)
def test_networks_and_ranges_of_ipv6_are_one_set(pairs: list[list[int]], networks: list[tuple[int, int]]) -> None:
    """However many there are, and wherever they lie: they are sorted in shares."""
    builder = RangeBuilder()
    for first, last in pairs:
        builder.add6(first, last)
    nets = [(value >> 128 - bits << 128 - bits, bits) for value, bits in networks]
    builder.extend6(b"".join(start.to_bytes(16) for start, _ in nets), bytes(bits for _, bits in nets))
    covered = sorted([*map(tuple, pairs), *[(start, start | (1 << 128 - bits) - 1) for start, bits in nets]])
    expected: list[tuple[int, int]] = []
    for first, last in covered:
        if expected and first <= expected[-1][1] + 1:
            expected[-1] = (expected[-1][0], max(last, expected[-1][1]))
        else:
            expected.append((first, last))
    found = builder.build()
    assert list(found) == [(str(IPv6Address(first)), str(IPv6Address(last))) for first, last in expected]
    assert len(builder.build()) == 0


def test_ranges_that_touch_are_one() -> None:
    assert len(IpRanges.of(["10.0.0.0/25", "10.0.0.128/25", "9.255.255.255", "10.0.1.1"])) == 2
    assert len(IpRanges.of(["2001:db8::/33", "2001:db8:8000::/33", "2001:db9::/32"])) == 1


def test_networks_addresses_and_ranges_may_be_written() -> None:
    ranges = IpRanges.of(["10.0.0.0/8", "192.0.2.7", "198.51.100.1 - 198.51.100.9", "2001:db8::/32", "::1"])
    for host in ("10.255.255.255", "192.0.2.7", "198.51.100.5", "2001:db8:ffff::1", "::1"):
        assert host in ranges
    for host in ("11.0.0.0", "192.0.2.8", "198.51.100.10", "2001:db9::", "::2"):
        assert host not in ranges


def test_an_ipv4_address_written_as_ipv6_is_the_ipv4_address() -> None:
    ranges = IpRanges.of(["10.0.0.0/8"])
    assert "::ffff:10.1.2.3" in ranges
    assert "::ffff:11.1.2.3" not in ranges
    builder = RangeBuilder()
    builder.add("::ffff:10.0.0.1", "::ffff:10.0.0.9")
    mapped = builder.build()
    assert "10.0.0.5" in mapped
    assert "10.0.0.10" not in mapped


def test_all_addresses_of_ipv6_are_none_of_ipv4() -> None:
    everywhere = IpRanges.of(["::/0"])
    assert "2001:db8::1" in everywhere
    assert "10.0.0.1" not in everywhere


@pytest.mark.parametrize(
    "text", ["", "10.0.0", "10.0.0.0/33", "10.0.0.9-10.0.0.1", "10.0.0.1-::1", "::9-::1", "host", "10.0.0.0-"]
)
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        IpRanges.of([text])


def test_the_empty_set_has_nothing() -> None:
    assert not NO_RANGES
    assert "10.0.0.1" not in NO_RANGES
    assert "::1" not in NO_RANGES


def test_a_range_takes_eight_bytes_and_one_of_ipv6_thirty_two() -> None:
    """A million ranges are 8 MB: the guard of what `bench/ip_filter.py` measures."""
    assert IpRanges.of([f"10.{n}.0.1" for n in range(200)]).size_bytes == 1600
    assert IpRanges.of([f"2001:db8:{n:x}::1" for n in range(200)]).size_bytes == 6400
