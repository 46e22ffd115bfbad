import socket

import pytest

from bittern.io.sockets import family_of, place_of


def test_a_host_says_its_family() -> None:
    assert [family_of(host) for host in ("127.0.0.1", "::1", "::ffff:127.0.0.1")] == [
        socket.AF_INET,
        socket.AF_INET6,
        socket.AF_INET6,
    ]


def test_an_address_of_one_link_has_its_interface_as_a_number() -> None:
    assert place_of("::1", 5) == ("::1", 5)
    assert place_of("fe80::1%7", 5) == ("fe80::1", 5, 0, 7)
    assert place_of("fe80::1%lo", 5) == ("fe80::1", 5, 0, socket.if_nametoindex("lo"))
    with pytest.raises(OSError, match="no interface"):
        place_of("fe80::1%nowhere", 5)
