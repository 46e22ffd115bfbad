from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.address import Address, compact, is_local, parse_compact

ports = st.integers(0, 65535)
v4 = st.builds(lambda ip, port: Address.of(str(ip), port), st.ip_addresses(v=4), ports)
v6 = st.builds(lambda ip, port: Address.of(str(ip), port), st.ip_addresses(v=6), ports).filter(lambda a: a.is_ipv6)


@given(v4 | v6)
def test_text_reads_back(address: Address) -> None:
    assert Address.parse(str(address)) == address


@given(st.lists(v4), st.lists(v6))
def test_compact_lists_read_back_by_family(four: list[Address], six: list[Address]) -> None:
    mixed = [address for pair in zip(six, four, strict=False) for address in pair]
    mixed += four[len(six) :] + six[len(four) :]
    packed4, packed6 = compact(mixed)
    assert parse_compact(packed4) == four
    assert parse_compact(packed6, ipv6=True) == six
    assert (len(packed4), len(packed6)) == (6 * len(four), 18 * len(six))


@given(st.binary(max_size=40))
def test_a_trailing_partial_entry_is_dropped(data: bytes) -> None:
    four = parse_compact(data)
    assert [(IPv4Address(a.host).packed + a.port.to_bytes(2)) for a in four] == [
        data[at : at + 6] for at in range(0, len(data) - 5, 6)
    ]
    assert len(parse_compact(data, ipv6=True)) == len(data) // 18


@given(st.ip_addresses(v=4), ports)
def test_ipv4_mapped_into_ipv6_is_plain_ipv4(ip: IPv4Address, port: int) -> None:
    mapped = IPv6Address(b"\x00" * 10 + b"\xff\xff" + ip.packed)
    assert Address.of(str(mapped), port) == Address(str(ip), port)
    assert not Address.of(f"::ffff:{ip}", port).is_ipv6


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("1.2.3.4:80", Address("1.2.3.4", 80)),
        (" [2001:DB8:0::1]:51413\n", Address("2001:db8::1", 51413)),
        ("[::ffff:1.2.3.4]:5", Address("1.2.3.4", 5)),
    ],
)
def test_spellings_are_made_canonical(text: str, address: Address) -> None:
    assert Address.parse(text) == address


@pytest.mark.parametrize(
    "text",
    [
        *("", "1.2.3.4", "1.2.3.4:", ":80", "1.2.3.4:65536", "1.2.3.4:-1", "1.2.3.4:+80", "1.2.3.4:1_0", "1.2.3.4:٨٠"),
        *("::1:80", "[::1]", "[::1:80", "host.example:80", "1.2.3:80", "01.2.3.4:80", "256.1.1.1:80", "1.2.3.4:080000"),
    ],
)
def test_other_text_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        Address.parse(text)


LOCAL = [
    ip_network(text)
    for text in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "127.0.0.0/8"),
        *("fc00::/7", "fe80::/10", "::1/128"),
    )
]


@given(
    st.sampled_from(LOCAL).flatmap(lambda network: st.ip_addresses(network=network))
    | st.sampled_from(LOCAL[:5]).flatmap(
        lambda network: st.integers(-3, 3).map(lambda by: ip_address(int(network.broadcast_address) + by))
    )
    | st.ip_addresses()
)
def test_what_is_local_is_what_the_rfcs_say(ip: IPv4Address | IPv6Address) -> None:
    assert is_local(str(ip)) == any(ip in network for network in LOCAL)
