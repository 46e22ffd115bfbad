"""Datagrams over real sockets of this machine."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator

import pytest

from bittern.base.address import Address
from bittern.engine.effects import SendDatagram
from bittern.io.route import DIRECT, Route
from bittern.io.turn import Turn
from bittern.io.udp import bind
from bittern.io.udp_ports import Ports, UdpPorts
from bittern.wire.proxy.aliases import Aliases
from tests.io.conftest import Until

ANSWER = b"\0\0\0\3what a tracker says"
MANY = 100


class Engine:
    """The part of a core that hears of datagrams."""

    def __init__(self) -> None:
        self.heard: list[tuple[bytes, Address]] = []
        self.refused: list[tuple[Address, str]] = []

    def datagram(self, data: bytes, source: Address, now: float) -> None:
        self.heard.append((data, source))

    def datagram_refused(self, address: Address, reason: str, now: float) -> None:
        self.refused.append((address, reason))


def bound(host: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.bind((host, 0))
    sock.settimeout(5)
    return sock


@pytest.fixture
def partner() -> Iterator[socket.socket]:
    with bound("127.0.0.1") as sock:
        yield sock


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
async def ports(engine: Engine, turn: Turn) -> AsyncIterator[UdpPorts]:
    one = UdpPorts(asyncio.get_running_loop(), turn, engine, Ports(DIRECT))
    yield one
    one.close()


def of(sock: socket.socket) -> Address:
    return Address(*sock.getsockname()[:2])


async def test_what_is_sent_arrives_and_the_answer_comes_back(
    ports: UdpPorts, engine: Engine, partner: socket.socket, until: Until
) -> None:
    ports.send(SendDatagram(of(partner), b"hello"))
    data, name = partner.recvfrom(100)
    assert data == b"hello"
    partner.sendto(ANSWER, name)
    partner.sendto(b"", name)
    partner.sendto(b"d1:y1:qe", name)
    partner.sendto(ANSWER, name)
    await until(lambda: len(engine.heard) == 2)
    assert engine.heard == [(ANSWER, of(partner))] * 2


async def test_all_of_a_family_go_out_by_one_socket(ports: UdpPorts, partner: socket.socket) -> None:
    with bound("127.0.0.1") as other:
        for there in (partner, other, partner):
            ports.send(SendDatagram(of(there), b"x"))
        assert len({there.recvfrom(10)[1] for there in (partner, other, partner)}) == 1


async def test_by_ipv6_addresses_are_in_their_short_form(ports: UdpPorts, engine: Engine, until: Until) -> None:
    try:
        partner = bound("::1")
    except OSError:
        pytest.skip("no IPv6 on this machine")
    with partner:
        ports.send(SendDatagram(of(partner), b"hello"))
        _, name = partner.recvfrom(100)
        partner.sendto(ANSWER, name)
        await until(lambda: bool(engine.heard))
        assert engine.heard == [(ANSWER, Address("::1", of(partner).port))]


async def test_many_at_once_all_come(ports: UdpPorts, engine: Engine, partner: socket.socket, until: Until) -> None:
    ports.send(SendDatagram(of(partner), b"x"))
    _, name = partner.recvfrom(10)
    for number in range(MANY):
        partner.sendto(b"\0\0\0%d" % number, name)
    await until(lambda: len(engine.heard) == MANY)


async def test_where_the_system_can_not_send_it_says_so_later(ports: UdpPorts, engine: Engine, until: Until) -> None:
    nowhere = Address("127.0.0.1", 9)
    ports.send(SendDatagram(nowhere, bytes(70_000)))
    assert engine.refused == []
    await until(lambda: bool(engine.refused))
    [(address, reason)] = engine.refused
    assert address == nowhere
    assert str(nowhere) in reason


async def test_an_address_that_stands_for_a_name_is_not_told_to_people(
    ports: UdpPorts, engine: Engine, until: Until
) -> None:
    alias = Address(Aliases().alias("tracker.example"), 6969)
    ports.send(SendDatagram(alias, bytes(70_000)))
    await until(lambda: bool(engine.refused))
    [(address, reason)] = engine.refused
    assert address == alias
    assert reason
    assert alias.host not in reason


async def test_a_source_of_the_other_family_sends_nothing(engine: Engine, turn: Turn, until: Until) -> None:
    ports = UdpPorts(asyncio.get_running_loop(), turn, engine, Ports(Route("127.0.0.1")))
    ports.send(SendDatagram(Address("::1", 9), b"x"))
    await until(lambda: bool(engine.refused))
    ports.close()


async def test_nothing_listening_there_is_no_failure_of_ours(
    ports: UdpPorts, engine: Engine, partner: socket.socket, until: Until
) -> None:
    ports.send(SendDatagram(Address("127.0.0.1", 1), b"x"))
    ports.send(SendDatagram(of(partner), b"x"))
    _, name = partner.recvfrom(10)
    partner.sendto(ANSWER, name)
    await until(lambda: bool(engine.heard))
    assert engine.refused == []


async def test_what_others_know_is_used_where_it_leads_and_else_one_port_of_each_family(
    engine: Engine, turn: Turn, partner: socket.socket
) -> None:
    one, other = bind("127.0.0.1", 0), bind("::1", 0)
    known = UdpPorts(asyncio.get_running_loop(), turn, engine, Ports(DIRECT, (other, one)))
    assert known.towards(of(partner)) is one
    assert known.towards(Address("::1", 9)) is other
    spare = known.towards(Address("192.0.2.1", 9))
    assert spare not in known.ports
    assert known.towards(Address("192.0.2.2", 9)) is spare
    known.send(SendDatagram(of(partner), b"x"))
    assert partner.recvfrom(10)[1] == one.address
    known.close()
    known.close()
