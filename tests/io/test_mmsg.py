import socket

import pytest

from bittern.base.address import Address
from bittern.io.mmsg import NAME, address_of, name_of


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "::1"])
def test_an_address_has_a_name_that_leads_back_to_it(host: str) -> None:
    address = Address(host, 51413)
    name = name_of(address)
    assert len(name) == (NAME if address.is_ipv6 else 16)
    assert address_of(name) == address_of(name.ljust(NAME, b"\0")) == address


def test_an_ipv4_address_in_ipv6_is_one() -> None:
    mapped = name_of(Address("::1", 7))[:8] + socket.inet_pton(socket.AF_INET6, "::ffff:192.0.2.1") + bytes(4)
    assert address_of(mapped) == Address("192.0.2.1", 7)
