import socket
import sys
from collections.abc import Callable, Iterator

import pytest

from bittern.io.tracker.datagrams import (
    BATCH,
    SLOT,
    BatchExchange,
    Exchange,
    SingleExchange,
    best_exchange,
)

KINDS = [SingleExchange, *([BatchExchange] if sys.platform == "linux" else [])]
HOSTS = {"127.0.0.1": bytes([127, 0, 0, 1]), "::1": bytes(15) + b"\x01"}


@pytest.fixture(params=HOSTS)
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A client, and the tracker's socket that it is connected to."""
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as client, socket.socket(family, socket.SOCK_DGRAM) as ours:
        try:
            ours.bind((request.param, 0))
        except OSError:
            pytest.skip("no IPv6 here")
        ours.setblocking(False)
        client.settimeout(10)
        client.connect(ours.getsockname())
        yield client, ours


@pytest.mark.parametrize("kind", KINDS)
def test_each_datagram_gets_its_own_answer(kind: type, pair: tuple[socket.socket, socket.socket]) -> None:
    client, ours = pair
    exchange: Exchange = kind(ipv6=ours.family == socket.AF_INET6)
    hosts = []

    def answer(data: bytes, host: bytes, _now: float) -> bytes | None:
        hosts.append(host)
        return None if data == b"quiet" else data * 3

    assert exchange.turn(ours, answer, 1.0) == 0
    sent = [b"%d" % number if number % 5 else b"quiet" for number in range(BATCH + 20)]
    for data in sent:
        client.send(data)
    assert sum(exchange.turn(ours, answer, 1.0) for _ in range(3)) == len(sent)
    assert set(hosts) == {HOSTS[ours.getsockname()[0]]}
    expected = [data * 3 for data in sent if data != b"quiet"]
    assert [client.recv(100) for _ in expected] == expected


@pytest.mark.parametrize("kind", KINDS)
def test_sizes_from_nothing_to_everything_pass(kind: type, pair: tuple[socket.socket, socket.socket]) -> None:
    client, ours = pair
    exchange: Exchange = kind(ipv6=ours.family == socket.AF_INET6)
    came = []

    def answer(data: bytes, _host: bytes, _now: float) -> bytes:
        came.append(len(data))
        return data[:SLOT]

    for size in (0, 1, SLOT, SLOT + 500, 3):
        client.send(bytes(size))
    assert exchange.turn(ours, answer, 1.0) == 5
    assert came == [0, 1, SLOT, SLOT, 3]
    assert [len(client.recv(3000)) for _ in came] == came


@pytest.mark.parametrize("kind", KINDS)
def test_who_can_not_be_reached_is_no_trouble_for_others(kind: type, pair: tuple[socket.socket, socket.socket]) -> None:
    client, ours = pair
    exchange: Exchange = kind(ipv6=ours.family == socket.AF_INET6)
    with socket.socket(ours.family, socket.SOCK_DGRAM) as gone:
        gone.sendto(b"gone", ours.getsockname())
    client.send(b"here")
    assert exchange.turn(ours, lambda data, *_: data, 1.0) == 2
    client.send(b"again")
    assert sum(exchange.turn(ours, lambda data, *_: data, 1.0) for _ in range(2)) == 1
    assert [client.recv(100), client.recv(100)] == [b"here", b"again"]


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_that_takes_time_goes_to_who_asked(kind: type, pair: tuple[socket.socket, socket.socket]) -> None:
    client, ours = pair
    exchange: Exchange = kind(ipv6=ours.family == socket.AF_INET6)
    owed: list[Callable[[bytes | None], None]] = []

    def answer(data: bytes, _host: bytes, _now: float) -> bytes | Callable[[Callable[[bytes | None], None]], None]:
        return owed.append if data == b"later" else data

    with socket.socket(ours.family, socket.SOCK_DGRAM) as other:
        other.connect(ours.getsockname())
        other.settimeout(10)
        for asker in (client, other):
            asker.send(b"later")
            asker.send(b"now")
        assert exchange.turn(ours, answer, 1.0) == 4
        owed[1](b"second")
        owed[0](None)
        assert [other.recv(100), other.recv(100), client.recv(100)] == [b"now", b"second", b"now"]
    ours.close()
    owed[0](b"too late")


def test_linux_gets_the_batches() -> None:
    kind = BatchExchange if sys.platform == "linux" else SingleExchange
    assert isinstance(best_exchange(ipv6=False), kind)
