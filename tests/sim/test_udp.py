"""Datagrams and names of the simulated world."""

from random import Random

from bittern.base.address import Address
from bittern.engine.effects import Resolve, SendDatagram
from bittern.sim.host import Host
from bittern.sim.http import ROUND_TRIP_SECONDS
from bittern.sim.network import Network
from bittern.sim.udp import Services, SimUdp
from bittern.sim.world import World

THERE = Address("198.51.100.7", 9)


class Client:
    """A host, and what it heard."""

    def __init__(self) -> None:
        self.world = World(Random)
        self.services = Services()
        self.host = Network(self.world).host("client")
        self.udp = SimUdp(self.services, self.host, self)
        self.heard: list[tuple[object, ...]] = []
        self.services.at[THERE] = self.echo

    def echo(self, host: Host, data: bytes) -> bytes | None:
        return data[::-1] if data != b"hush" else None

    def resolved(self, ticket: int, hosts: tuple[str, ...], now: float) -> None:
        self.heard.append((ticket, hosts))

    def datagram(self, data: bytes, source: Address, now: float) -> None:
        self.heard.append((data, source, now))


def test_an_answer_comes_after_a_round_trip() -> None:
    client = Client()
    for data in (b"abc", b"hush"):
        client.udp.send(SendDatagram(THERE, data))
    client.udp.send(SendDatagram(Address("198.51.100.8", 9), b"abc"))
    client.world.run(10.0)
    assert client.heard == [(b"cba", THERE, ROUND_TRIP_SECONDS)]


def test_names_have_the_addresses_that_they_were_given_and_numbers_their_own() -> None:
    client = Client()
    client.services.names["both"] = ("198.51.100.7", "2001:db8::7")
    for ticket, (host, ipv6) in enumerate(
        [("both", False), ("both", True), ("10.0.0.1", False), ("10.0.0.1", True), ("527.0.0.1", False)]
    ):
        client.udp.resolve(Resolve(ticket, host, ipv6=ipv6))
    client.world.run(1.0)
    assert client.heard == [(0, ("198.51.100.7",)), (1, ("2001:db8::7",)), (2, ("10.0.0.1",)), (3, ()), (4, ())]


def test_as_many_are_lost_as_was_said() -> None:
    client = Client()
    client.services.loss = 0.5
    for _ in range(1000):
        client.udp.send(SendDatagram(THERE, b"x"))
    client.world.run(10.0)
    assert 180 < len(client.heard) < 320


def test_a_host_without_power_hears_nothing() -> None:
    client = Client()
    client.udp.send(SendDatagram(THERE, b"x"))
    client.udp.resolve(Resolve(1, "10.0.0.1", ipv6=False))
    client.world.run(ROUND_TRIP_SECONDS * 0.6)
    client.host.alive = False
    client.world.run(10.0)
    assert client.heard == []
