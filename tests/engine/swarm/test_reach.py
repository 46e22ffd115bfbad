"""Row by row: which addresses are dialed, and who may name those of this machine."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.address import Address
from bittern.engine.swarm.reach import believed, is_unicast, may_be_dialed, scope_of, sees

FAR = Address("93.184.216.34", 6881)
HERE = [Address("127.0.0.1", 22), Address("127.8.9.10", 80), Address("::1", 443)]


@pytest.mark.parametrize(
    ("host", "port", "expected"),
    [
        ("93.184.216.34", 1, True),
        ("2001:db8::1", 65535, True),
        ("127.0.0.1", 6000, True),
        ("93.184.216.34", 0, False),
        ("0.0.0.0", 80, False),
        ("0.1.2.3", 80, False),
        ("::", 80, False),
        ("224.0.0.251", 80, False),
        ("239.192.152.143", 80, False),
        ("ff15::efc0:988f", 80, False),
        ("240.0.0.1", 80, False),
        ("255.255.255.255", 80, False),
        ("fe80::1", 80, True),
    ],
)
def test_only_single_hosts_and_real_ports_are_dialed(host: str, port: int, expected: bool) -> None:  # noqa: FBT001 - a parameter
    assert is_unicast(Address(host, port)) is expected


@pytest.mark.parametrize("teller", ["127.0.0.1", "127.1.2.3", "::1", "localhost", "LOCALHOST"])
def test_who_is_on_this_machine_may_name_its_services(teller: str) -> None:
    assert believed([FAR, *HERE], teller) == (FAR, *HERE)


@pytest.mark.parametrize("teller", ["93.184.216.34", "10.0.0.1", "tracker.example", "localhost.example", "", None])
def test_nobody_else_may(teller: str | None) -> None:
    assert believed([FAR, *HERE], teller) == (FAR,)


@given(st.text())
def test_any_host_is_judged_without_failing(teller: str) -> None:
    assert FAR in believed([FAR, *HERE], teller)


@pytest.mark.parametrize(
    ("host", "scope"),
    [
        *(
            ("93.184.216.34", 0),
            ("2001:db8::1", 0),
            ("192.168.1.1", 1),
            ("10.0.0.1", 1),
            ("fe80::1", 1),
            ("fd00::1", 1),
            ("100.64.0.1", 1),
            ("100.128.0.1", 0),
        ),
        *(("127.0.0.1", 2), ("127.9.9.9", 2), ("::1", 2)),
    ],
)
def test_addresses_are_reached_from_everywhere_from_their_network_or_from_their_machine(host: str, scope: int) -> None:
    assert scope_of(host) == scope


@pytest.mark.parametrize("near", ["127.0.0.1", "192.168.1.1", "93.184.216.34"])
def test_who_is_near_sees_what_is_near_and_what_is_far(near: str) -> None:
    hosts = ["93.184.216.34", "192.168.1.1", "127.0.0.1"]
    seen = [host for host in hosts if sees(near, Address(host, 1))]
    assert seen == hosts[: scope_of(near) + 1]


@pytest.mark.parametrize("link", ["fe80::1", "febf::1", "169.254.7.7"])
@pytest.mark.parametrize("host", ["fe80::2", "10.0.0.1", "fd00::1", "93.184.216.34"])
def test_nobody_is_told_of_an_address_of_one_link(host: str, link: str) -> None:
    assert not sees(host, Address(link, 80))


def test_an_ipv6_address_of_one_link_is_no_candidate() -> None:
    assert not may_be_dialed(Address("fe80::1", 80))
    assert not may_be_dialed(Address("0.0.0.0", 80))
    assert may_be_dialed(Address("169.254.7.7", 80))
    assert may_be_dialed(Address("fec0::1", 80))
