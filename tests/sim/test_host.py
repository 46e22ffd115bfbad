"""A host's turns, and how its bandwidth is shared."""

from math import inf
from random import Random

import pytest

from bittern.sim.host import Cut
from bittern.sim.network import Network
from bittern.sim.world import World
from bittern.wire.stream import LossKind
from tests.sim.toys import Dial, Listener, Toy

MEGABYTE = 1_000_000


def test_all_that_happens_to_a_host_in_one_instant_ends_in_one_turn() -> None:
    world, turns = World(Random), list[float]()
    ann = Network(world).host("ann")
    ann.end_turn = turns.append
    for due in (1.0, 1.0, 1.0, 2.0):
        world.at(due, ann.touch)
    world.run(3.0)
    assert turns == [1.0, 2.0]


def test_a_host_without_power_has_no_turns() -> None:
    world, turns = World(Random), list[float]()
    ann = Network(world).host("ann")
    ann.end_turn = turns.append
    world.at(1.0, ann.touch)
    ann.network.power_off(ann)
    world.run(3.0)
    assert turns == []


def test_cuts_take_all_or_one_or_some_of_the_bytes() -> None:
    rng = Random(4)
    assert Cut.WHOLE.size(9, rng) == 9
    assert Cut.BYTES.size(9, rng) == 1
    assert {Cut.RANDOM.size(3, rng) for _ in range(100)} == {1, 2, 3}


@pytest.mark.parametrize(("up", "down"), [(MEGABYTE, inf), (inf, MEGABYTE), (MEGABYTE, 5 * MEGABYTE)])
def test_the_slower_of_uplink_and_downlink_sets_the_pace(up: float, down: float) -> None:
    world = World(Random)
    network = Network(world)
    ann, bob, sink = network.host("ann", up=up), network.host("bob", down=down), Toy()
    bob.acceptor = Listener(sink)
    Dial(ann, bob, Toy(bytes(3 * MEGABYTE)))
    world.run(20.0)
    assert sink.last_at == pytest.approx(3.0, rel=0.1)
    assert ann.uplink.total == bob.downlink.total == 3 * MEGABYTE


def test_connections_share_an_uplink_fairly() -> None:
    world = World(Random)
    network = Network(world)
    ann = network.host("ann", up=MEGABYTE)
    sinks = [Toy() for _ in range(4)]
    for number, sink in enumerate(sinks):
        host = network.host(f"leech {number}")
        host.latency = 0.01 * (number + 1)
        host.acceptor = Listener(sink)
        Dial(ann, host, Toy(bytes(MEGABYTE)))
    world.run(1.0)
    before = [len(sink.got) for sink in sinks]
    world.run(2.0)
    gains = [len(sink.got) - count for sink, count in zip(sinks, before, strict=True)]
    assert max(gains) - min(gains) <= 16384
    assert sum(gains) == pytest.approx(2 * MEGABYTE, rel=0.02)


def test_a_host_that_naps_handles_together_what_happens_meanwhile() -> None:
    world, turns = World(Random), list[float]()
    ann = Network(world).host("ann")
    ann.end_turn, ann.nap = turns.append, 0.5
    for due in (1.0, 1.1, 1.2, 2.0):
        world.at(due, ann.touch)
    world.run(3.0)
    assert turns == [1.0, 1.5, 2.0]


def test_small_things_for_many_leave_an_uplink_together_and_large_ones_one_by_one() -> None:
    world = World(Random)
    network = Network(world)
    ann = network.host("ann", up=10_000.0)
    sinks = [Toy() for _ in range(4)]
    for number, (sink, size) in enumerate(zip(sinks, (1000, 10, 90, 9900), strict=True)):
        host = network.host(f"sink{number}")
        host.acceptor = Listener(sink)
        Dial(ann, host, Toy(bytes(size)))
    world.run(2.0)
    first = sinks[0].last_at
    assert sinks[1].last_at == sinks[2].last_at == pytest.approx(first + 0.01)
    assert sinks[3].last_at == pytest.approx(first + 1.0)


def test_a_call_to_a_socket_that_fails_ends_the_connection_on_both_sides() -> None:
    world = World(Random)
    network = Network(world)
    ann, bob, sink = network.host("ann"), network.host("bob"), Toy()
    bob.acceptor = Listener(sink)
    ann.call_fails_at = 2  # the first makes the connection
    dial = Dial(ann, bob, Toy(b"hello"))
    world.run(5.0)
    assert dial.connected_at > 0
    assert dial.toy.loss is not None
    assert dial.toy.loss.kind is LossKind.RESET
    assert sink.loss is not None
    assert sink.got == b""


def test_a_connection_that_cannot_even_be_tried_fails_at_once() -> None:
    world = World(Random)
    network = Network(world)
    ann, bob = network.host("ann"), network.host("bob")
    bob.acceptor = Listener(Toy())
    ann.call_fails_at = 1
    dial = Dial(ann, bob, Toy())
    world.run(0.0)
    assert dial.failure is not None
    assert dial.failure.kind is LossKind.UNREACHABLE
