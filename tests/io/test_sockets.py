"""Sockets of one family: bound, or on their way, and read in batches."""

import socket

import pytest

from bittern.base.address import Address
from bittern.io import capabilities
from bittern.io.sockets import bound_to, datagrams, family_of, reaching

HOSTS = [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)]
STREAM, DATAGRAM = socket.SOCK_STREAM, socket.SOCK_DGRAM


@pytest.mark.parametrize(("host", "family"), HOSTS)
@pytest.mark.parametrize("kind", [STREAM, DATAGRAM])
def test_a_socket_speaks_the_family_of_its_host_alone_and_does_not_block(
    host: str, family: socket.AddressFamily, kind: socket.SocketKind
) -> None:
    with bound_to(host, 0, kind) as sock, reaching(host, kind, host) as other, reaching(host, kind, None) as free:
        assert family_of(host) == sock.family == other.family == free.family == family
        assert not any(each.getblocking() for each in (sock, other, free))
        assert sock.getsockname()[0] == other.getsockname()[0] == host
        if family == socket.AF_INET6:
            assert sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1


@pytest.mark.parametrize("kind", [STREAM, DATAGRAM])
def test_a_port_is_shared_with_those_that_say_so_alone(kind: socket.SocketKind) -> None:
    with bound_to("127.0.0.1", 0, kind) as sock:
        if kind == STREAM:
            sock.listen()
        with pytest.raises(OSError, match="in use"):
            bound_to("127.0.0.1", sock.getsockname()[1], kind, shared=capabilities.REUSE_PORT)
    if capabilities.REUSE_PORT:
        with bound_to("127.0.0.1", 0, kind, shared=True) as sock:
            bound_to("127.0.0.1", sock.getsockname()[1], kind, shared=True).close()


def test_what_is_not_this_machines_is_refused_and_nothing_stays_open() -> None:
    with pytest.raises(OSError, match="assign"):
        bound_to("192.0.2.1", 0, DATAGRAM)
    with pytest.raises(OSError, match="assign"):
        reaching("127.0.0.1", STREAM, "192.0.2.1")
    with pytest.raises(OSError, match=r"."):
        reaching("127.0.0.1", STREAM, "::1")  # of the other family


def test_the_system_keeps_as_much_as_it_is_asked_to() -> None:
    with bound_to("127.0.0.1", 0, DATAGRAM) as plain, bound_to("127.0.0.1", 0, DATAGRAM, receive_bytes=4096) as small:
        plenty, little = (sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) for sock in (plain, small))
    assert little < plenty


@pytest.mark.parametrize("host", [host for host, _ in HOSTS])
def test_datagrams_come_with_their_senders_as_many_as_are_wanted_and_not_longer(host: str) -> None:
    with bound_to(host, 0, DATAGRAM) as here, bound_to(host, 0, DATAGRAM) as there:
        for number in range(5):
            there.sendto(bytes([number]) * (number + 1), here.getsockname())
        sender = Address(host, there.getsockname()[1])
        first = list(datagrams(here, 2))
        assert first == [(b"\0", sender), (b"\1\1", sender)]
        assert [data for data, _ in datagrams(here, 9, longest=3)] == [b"\2" * 3, b"\3" * 3, b"\4" * 3]
        assert list(datagrams(here, 9)) == []


def test_news_of_a_datagram_that_came_back_are_no_datagram() -> None:
    with bound_to("127.0.0.1", 0, DATAGRAM) as gone:
        nobody = gone.getsockname()
    with bound_to("127.0.0.1", 0, DATAGRAM) as here:
        here.connect(nobody)
        here.send(b"is anybody there")
        assert list(datagrams(here, 3)) == []
