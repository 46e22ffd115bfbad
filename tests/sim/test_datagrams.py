from random import Random

from bittern.base.address import Address
from bittern.sim.datagrams import Datagrams
from bittern.sim.world import World

ONE, OTHER = Address("5.6.7.8", 1), Address("5.6.7.9", 1)


def test_datagrams_come_late_out_of_order_and_with_their_source() -> None:
    world = World(Random, 1)
    net, got = Datagrams(world, latency=(0.1, 0.2)), list[tuple[bytes, Address, float]]()
    net.attach(OTHER, lambda datagram, source: got.append((datagram, source, world.now)))
    for number in range(50):
        net.send(b"%d" % number, ONE, OTHER)
    world.run(1.0)
    assert sorted(int(datagram) for datagram, *_ in got) == list(range(50))
    assert [int(datagram) for datagram, *_ in got] != list(range(50))
    assert all(source == ONE and 0.1 <= at <= 0.2 for _, source, at in got)


def test_so_many_are_lost_and_those_to_nobody() -> None:
    world = World(Random, 1)
    net, got = Datagrams(world, loss=0.1), list[bytes]()
    net.attach(OTHER, lambda datagram, _: got.append(datagram))
    for _ in range(1000):
        net.send(b"x", ONE, OTHER)
    world.run(1.0)
    assert 50 <= net.lost == 1000 - len(got) <= 150
    net.detach(OTHER)
    net.send(b"x", ONE, OTHER)
    world.run(1.0)
    assert net.sent == 1001 == net.bytes_sent
    assert net.sent == net.lost + len(got)
