import select
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bittern.base.errors import NetworkError
from bittern.io.tracker.listening import Places, announce_urls, bound
from bittern.tracker.colleagues import home_of
from tests.tracker.asking import CONNECT, announce_datagram, scrape_datagram

WORKERS = 3
HERE = Places(("127.0.0.1",), 0, 0)

shared = pytest.mark.skipif(sys.platform != "linux", reason="only Linux shares ports out as we need it")


@contextmanager
def clients(places: Places) -> Iterator[tuple[list[list[socket.socket]], socket.socket]]:
    """Sockets of some workers, and a UDP client of theirs."""
    with bound(places, WORKERS) as sockets:
        ((udp, *_),) = [[sock for sock in sockets[0] if sock.type == socket.SOCK_DGRAM]]
        with socket.socket(udp.family, socket.SOCK_DGRAM) as client:
            client.connect(udp.getsockname())
            yield sockets, client


def received(sockets: list[list[socket.socket]]) -> list[list[bytes]]:
    """What has come to each worker by UDP."""
    found = []
    for each in sockets:
        (udp,) = (sock for sock in each if sock.type == socket.SOCK_DGRAM)
        came = []
        while select.select([udp], [], [], 0)[0]:
            came.append(udp.recv(2000))
        found.append(came)
    return found


@shared
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_the_kernel_brings_announces_and_scrapes_home(host: str) -> None:
    try:
        socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError:
        pytest.skip("no IPv6 here")
    with clients(Places((host,), None, 0)) as (sockets, client):
        expected: list[list[bytes]] = [[] for _ in range(WORKERS)]
        for number in range(40):
            info_hash = (number * 0x9E3779B97F4A7C15 % 2**64).to_bytes(8) + bytes(12)
            for data in (
                announce_datagram(bytes(8), info_hash=info_hash),
                announce_datagram(bytes(8), info_hash=info_hash, options=b"\x02\x04/a/b"),
                scrape_datagram(bytes(8), info_hash, bytes(20)),
            ):
                client.send(data)
                expected[home_of(info_hash, WORKERS)].append(data)
        assert all(expected)
        assert received(sockets) == expected


@shared
def test_anybody_gets_what_names_no_swarm() -> None:
    with clients(Places(("127.0.0.1",), None, 0)) as (sockets, client):
        for _ in range(60):
            client.send(CONNECT)
        client.send(b"")
        came = received(sockets)
        assert all(CONNECT in each for each in came)
        assert sum(map(len, came)) == 61


@shared
def test_the_share_of_a_worker_stays_the_same_while_it_is_away() -> None:
    """Its socket is kept open by who made it, and a copy of it was closed."""
    with clients(Places(("127.0.0.1",), None, 0)) as (sockets, client):
        sockets[0][0].dup().close()
        client.send(announce_datagram(bytes(8), info_hash=bytes((0, 0, 0, 2)) * 5))
        assert [len(each) for each in received(sockets)] == [0, 0, 1]


@shared
def test_workers_share_every_address_and_port() -> None:
    with bound(Places(("127.0.0.1", "127.0.0.2"), 0, 0), WORKERS) as sockets:
        assert len({tuple(announce_urls(each)) for each in sockets}) == 1
        assert len(announce_urls(sockets[0])) == 4


@shared
@pytest.mark.parametrize("workers", [1, WORKERS])
def test_a_port_that_another_tracker_has_is_taken_even_when_it_would_share(workers: int) -> None:
    with bound(HERE, WORKERS) as theirs:
        ports = {sock.type: sock.getsockname()[1] for sock in theirs[0]}
        udp = Places(HERE.hosts, None, ports[socket.SOCK_DGRAM])
        with pytest.raises(NetworkError, match=r"UDP 127.0.0.1:.*in use"), bound(udp, workers):
            pass
        for each in theirs:
            each[0].listen()
        http = Places(HERE.hosts, ports[socket.SOCK_STREAM], None)
        with pytest.raises(NetworkError, match=r"TCP 127.0.0.1:.*in use"), bound(http, workers):
            pass


def test_nothing_stays_open_when_an_address_can_not_be_had() -> None:
    with bound(HERE) as (theirs,):
        port = theirs[1].getsockname()[1]
        with pytest.raises(NetworkError, match=f"UDP 127.0.0.1:{port}"), bound(Places(HERE.hosts, 0, port)):
            pass
    # ResourceWarning is an error here


def test_urls_name_http_before_udp() -> None:
    with bound(Places(("127.0.0.1", "127.0.0.2"), 0, 0)) as (sockets,):
        assert [url.rpartition(":")[0] for url in announce_urls(sockets)] == [
            "http://127.0.0.1",
            "http://127.0.0.2",
            "udp://127.0.0.1",
            "udp://127.0.0.2",
        ]
