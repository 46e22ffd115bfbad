import socket

import pytest

from bittern.base.address import Address
from bittern.base.errors import NetworkError
from bittern.io.route import DIRECT, Route
from bittern.io.udp import UdpPort
from bittern.session.listening import close_all, draw_port, listening, listening_sockets
from bittern.session.settings import Settings


def ports(sockets: list[socket.socket]) -> list[int]:
    found = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return found


def test_drawn_ports_keep_clear_of_the_blocked_and_the_lent_ones() -> None:
    drawn = [draw_port() for _ in range(1000)]
    assert 10240 <= min(drawn) <= max(drawn) < 32768
    assert len(set(drawn)) > 500


def test_every_address_of_the_machine_has_the_same_port() -> None:
    assert len(set(ports(listening_sockets(DIRECT, (), 0, fallback=False)))) == 1


def test_a_taken_port_is_an_error_when_the_user_chose_it() -> None:
    (taken,) = listening_sockets(DIRECT, ("127.0.0.1",), 0, fallback=False)
    with taken:
        port = taken.getsockname()[1]
        with pytest.raises(NetworkError, match=f"127.0.0.1 port {port}"):
            listening_sockets(DIRECT, ("127.0.0.1",), port, fallback=False)


def test_a_taken_port_is_replaced_when_we_chose_it() -> None:
    (taken,) = listening_sockets(DIRECT, ("127.0.0.1",), 0, fallback=False)
    with taken:
        port = taken.getsockname()[1]
        (other,) = ports(listening_sockets(DIRECT, ("127.0.0.1",), port, fallback=True))
        assert other not in (0, port)


def test_an_address_that_is_not_ours_is_an_error() -> None:
    with pytest.raises(NetworkError, match=r"192\.0\.2\.1"):
        listening_sockets(DIRECT, ("127.0.0.1", "192.0.2.1"), 0, fallback=True)


class OnlyFour(Route):
    """The way of a machine without IPv6."""

    def open(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(97, "Address family not supported by protocol")
        return super().open(family, kind, protocol)


def test_a_machine_without_ipv6_listens_on_ipv4() -> None:
    assert len(ports(listening_sockets(OnlyFour(), (), 0, fallback=False))) == 1


def numbers(found: tuple[list[socket.socket], list[UdpPort]]) -> tuple[list[int], list[Address]]:
    sockets, udp = found
    close_all((), udp)
    return ports(sockets), [port.address for port in udp]


async def test_datagrams_have_the_number_of_tcp_at_each_address() -> None:
    hosts = ("127.0.0.1", "127.0.0.2", "::1")
    tcp, udp = numbers(listening(DIRECT, Settings(listen=hosts), 0))
    assert udp == [Address(host, tcp[0]) for host in hosts]


async def test_where_that_is_taken_both_have_another_one_unless_the_user_chose_it() -> None:
    port, _ = ports(listening_sockets(DIRECT, ("127.0.0.1", "::1"), 0, fallback=False))  # nobody else's over TCP
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", port))
        (tcp, other), udp = numbers(listening(DIRECT, Settings(listen=("127.0.0.1", "::1")), port))
        assert {each.port for each in udp} == {tcp} == {other} != {port}
        (tcp, other), udp = numbers(listening(DIRECT, Settings(listen=("127.0.0.1", "::1"), port=port), port))
        assert tcp == other == port
        assert len({each.port for each in udp} | {port}) == 2


async def test_datagrams_are_sent_from_where_connections_are_made_from() -> None:
    _, (udp,) = numbers(listening(Route("127.0.0.2"), Settings(listen=("127.0.0.1",)), 0))
    assert udp.host == "127.0.0.2"


async def test_who_needs_no_datagrams_has_no_port_for_them() -> None:
    assert numbers(listening(DIRECT, Settings(listen=("127.0.0.1",), use_trackers=False, utp=False), 0))[1] == []


async def test_a_machine_without_ipv6_has_the_same_number_all_the_same() -> None:
    (tcp,), udp = numbers(listening(OnlyFour(), Settings(), 0))
    assert udp == [Address("0.0.0.0", tcp)]


async def test_without_tcp_nobody_can_connect_and_nobody_else_has_the_number() -> None:
    (sock,), (udp,) = listening(DIRECT, Settings(listen=("127.0.0.1",), tcp=False), 0)
    try:
        assert sock.getsockname() == udp.address
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(udp.address)
    finally:
        close_all([sock], [udp])


async def test_without_tcp_a_number_that_is_taken_is_an_error_where_the_user_chose_it() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(NetworkError, match=f"UDP port {port}"):
            listening(DIRECT, Settings(listen=("127.0.0.1",), port=port, tcp=False), port)
        (other,), (udp,) = numbers(listening(DIRECT, Settings(listen=("127.0.0.1",), tcp=False), port))
        assert other == udp.port != port
