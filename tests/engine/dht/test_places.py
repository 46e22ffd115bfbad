import pytest

from bittern.base.address import Address
from bittern.engine.dht.places import is_near, is_plausible, network_of, owner_of

FAR, NEAR = Address("5.6.7.8", 1), Address("192.168.1.5", 1)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (Address("5.6.7.8", 1), Address("5.6.7.8", 2), True),
        (Address("5.6.7.8", 1), Address("5.6.7.9", 1), False),
        (Address("127.0.0.1", 1), Address("127.0.0.1", 2), False),
        (Address("2001:db8::1", 1), Address("2001:db8::2", 1), True),
        (Address("2001:db8::1", 1), Address("2001:db8:0:1::1", 1), False),
    ],
)
def test_one_ip_is_one_owner_but_for_our_own_network(one: Address, other: Address, *, same: bool) -> None:
    assert (owner_of(one) == owner_of(other)) is same


def test_networks_are_of_24_and_64_bits() -> None:
    assert network_of("5.6.7.8") == network_of("5.6.7.200") != network_of("5.6.8.8")
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:0:0:1") != network_of("2001:db8:1::1")


@pytest.mark.parametrize("host", ["0.1.2.3", "224.0.0.1", "255.255.255.255", "::", "ff02::1"])
def test_what_is_no_address_of_a_machine_is_not_believed(host: str) -> None:
    assert not is_plausible(Address(host, 1), FAR)
    assert not is_plausible(Address(host, 1), NEAR)


def test_strangers_do_not_name_machines_near_us() -> None:
    assert is_near(NEAR.host)
    assert not is_plausible(NEAR, FAR)
    assert is_plausible(NEAR, NEAR)
    assert is_plausible(FAR, NEAR)
    assert not is_plausible(Address("5.6.7.8", 0), FAR)
