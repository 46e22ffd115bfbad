import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.address import Address
from bittern.engine.swarm import priority as module
from bittern.engine.swarm.priority import Ourselves, crc32c, priority

US = Address("123.213.32.10", 51413)


def test_the_checksum_is_castagnolis() -> None:
    # RFC 3720, B.4
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E


@pytest.mark.parametrize(("host", "expected"), [("98.76.54.32", 0xEC2D7224), ("123.213.32.234", 0x99568189)])
def test_the_examples_of_bep_40(host: str, expected: int) -> None:
    assert priority(US, Address(host, 1)) == priority(Address(host, 1), US) == expected


def test_what_counts_of_an_address_grows_with_nearness() -> None:
    far, near = "98.76.54.32", "123.213.99.32"
    assert priority(US, Address(far, 1)) == priority(US, Address("98.76.182.160", 1)), "bits that the mask leaves out"
    assert priority(US, Address(near, 1)) != priority(US, Address("123.213.97.32", 1))
    assert priority(US, Address(US.host, 1)) == crc32c((1).to_bytes(2) + US.port.to_bytes(2))
    six = Address("2001:db8:1::1", 1)
    assert priority(six, Address("2001:db8:2::1", 1)) == priority(six, Address("2001:db8:2::a1", 1))
    assert priority(six, Address("2001:db8:1:ff00::1", 1)) != priority(six, Address("2001:db8:1:fd00::1", 1))
    with pytest.raises(ValueError, match="families"):
        priority(US, six)


hosts = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))
addresses = st.builds(lambda host, port: Address.of(str(host), port), hosts, st.integers(1, 65535))


@given(addresses, addresses)
def test_both_sides_rank_a_connection_alike(one: Address, other: Address) -> None:
    if one.is_ipv6 == other.is_ipv6:
        assert priority(one, other) == priority(other, one)
        assert 0 <= priority(one, other) < 1 << 32


def test_our_address_is_what_most_networks_say() -> None:
    ourselves = Ourselves(51413)
    assert ourselves.rank(Address("98.76.54.32", 1)) is None
    for number in range(3):
        ourselves.told(US.host, f"10.0.{number}.1")
    for port in range(9):
        ourselves.told("6.6.6.6", f"2001:db8::{port + 1}")  # one network, one vote
    assert list(ourselves.known) == [US]
    assert ourselves.rank(Address("98.76.54.32", 1)) == 0xEC2D7224 / 0xFFFFFFFF
    assert ourselves.rank(Address("2001:db8::1", 1)) is None
    ourselves.told("2001:db8:9::9", "10.9.9.9")
    assert list(ourselves.known) == [US, Address("2001:db8:9::9", 51413)]


def test_votes_are_bounded_and_the_newest_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_VOTERS", 4)
    ourselves = Ourselves(1)
    for number in range(20):
        ourselves.told("1.1.1.1" if number < 15 else "2.2.2.2", f"10.0.{number}.1")
    assert ourselves.known == (Address("2.2.2.2", 1),)


def test_who_moves_is_where_others_reach_it_from_then_on() -> None:
    ourselves = Ourselves(51413, 51413)
    ourselves.told(US.host, "10.0.0.1")
    assert not ourselves.move(51413, 51413)
    assert ourselves.move(4000, 4001)
    assert (ourselves.port, ourselves.node_port, ourselves.known) == (4000, 4001, (Address(US.host, 4000),))
    ourselves.told("2001:db8:9::9", "10.0.0.2")
    assert {address.port for address in ourselves.known} == {4000}


def test_neighbours_do_not_outvote_the_rest_of_the_world() -> None:
    ourselves = Ourselves(1)
    for number in range(5):
        ourselves.told("192.168.1.5", f"192.168.1.{number + 10}")
    assert ourselves.known == (Address("192.168.1.5", 1),)
    ourselves.told("9.9.9.9", "93.184.216.34")
    assert ourselves.known == (Address("9.9.9.9", 1),)
