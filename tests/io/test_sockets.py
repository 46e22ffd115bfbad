import socket

from bittern.io.sockets import family_of


def test_a_host_says_its_family() -> None:
    assert [family_of(host) for host in ("127.0.0.1", "::1", "::ffff:127.0.0.1")] == [
        socket.AF_INET,
        socket.AF_INET6,
        socket.AF_INET6,
    ]
