"""Many lines of IPv6 at a time say what each says alone."""

from ipaddress import AddressValueError, IPv6Address, IPv6Network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bittern.codec.ip_lines6 import networks_of
from bittern.codec.ip_list import IpListReader

_ADDRESSES = st.integers(1 << 112, 2**128 - 1) | st.sampled_from([0x20010DB8 << 96, 1 << 112, 2**128 - 1])


@st.composite
def lines(draw: st.DrawFn) -> tuple[str, IPv6Network]:
    """A line, and what it says."""
    address = IPv6Address(draw(_ADDRESSES) >> draw(st.integers(0, 15)) << draw(st.integers(0, 110)) & 2**128 - 1)
    bits = draw(st.none() | st.integers(0, 128))
    text = draw(st.sampled_from([str(address), address.exploded, str(address).upper()]))
    network = IPv6Network((address, 128 if bits is None else bits), strict=False)
    length = "" if bits is None else draw(st.sampled_from([f"/{bits}", f"/{bits:03}"]))
    return draw(st.sampled_from(["", " ", "\t"])) + text + length + draw(
        st.sampled_from(["", " ", " # x", "\r"])
    ), network


@given(st.lists(lines(), min_size=1, max_size=20))
@settings(max_examples=100)
def test_each_line_is_the_network_that_it_names(cases: list[tuple[str, IPv6Network]]) -> None:
    found = networks_of("".join(f"{text}\n" for text, _ in cases).encode(), len(cases))
    if found is None:  # one may be an address of IPv4
        assert any(b"\0" * 10 in network.network_address.packed for _, network in cases)
        return
    starts, lengths = found
    assert [starts[at : at + 16] for at in range(0, len(starts), 16)] == [
        net.network_address.packed for _, net in cases
    ]
    assert list(lengths) == [network.prefixlen for _, network in cases]


@given(
    st.text("0123:fF", max_size=12) | st.lists(st.sampled_from(["1", "ffff", "12345", ""]), max_size=10).map(":".join)
)
@settings(max_examples=300)
def test_what_is_no_address_is_none_here(text: str) -> None:
    try:
        address = IPv6Address(text)
    except AddressValueError:
        assert networks_of(f"2001:db8::1\n{text}\n".encode(), 2) is None
    else:
        found = networks_of(f"2001:db8::1\n{text}\n".encode(), 2)
        if found is None:  # it looks as one of IPv4 does that is written as one of IPv6
            assert bytes(10) + b"\xff\xff" in address.packed
            return
        assert found[0][16:] == address.packed


@pytest.mark.parametrize(
    "line",
    [
        "2001:db8::/129",
        "2001:db8::/",
        "10.0.0.1",
        "::ffff:a00:1",
        "2001:db8::1-2001:db8::5",
        "x:2001:db8::1",
        "# a",
        "",
    ],
)
def test_other_lines_are_left_to_somebody_else(line: str) -> None:
    assert networks_of(f"2001:db8::1\n{line}\n".encode(), 2) is None


def test_no_lines_say_nothing() -> None:
    assert networks_of(b"", 0) == (b"", b"")


def test_lines_of_ipv6_take_few_steps_of_python_each() -> None:
    """A list that is read this way has what it has when it is read line by line."""
    many = "".join(f"2001:db8:{number:x}:{number % 7:x}::/{60 + number % 9}\n" for number in range(3000))
    fast, slow = IpListReader(), IpListReader()
    fast.read("list", [many.encode()])
    slow.read("list", [many.encode() + b"::ffff:10.0.0.1\n"])  # of a kind that is read alone
    (found, other) = fast.result(), slow.result()
    assert (found.entries, other.entries) == (3000, 3001)
    assert list(found.ranges) == [each for each in other.ranges if ":" in each[0]]
