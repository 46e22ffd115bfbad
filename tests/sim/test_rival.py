"""The flow that stands for TCP: it fills a line and its buffer, and shares with its like."""

from random import Random

import pytest

from bittern.sim.network import Network
from bittern.sim.paths import Paths
from bittern.sim.rival import Rival
from bittern.sim.world import World

LINE = 1_000_000.0


def test_it_uses_the_whole_line_and_fills_the_buffer() -> None:
    world = World(Random, 1)
    network = Network(world)
    ann, bob = network.host("ann", up=LINE), network.host("bob")
    ann.uplink.buffer = 200_000
    paths = Paths(network)
    rival = Rival(paths, ann, bob)
    world.run(5.0)
    before = rival.delivered
    world.run(10.0)
    assert rival.delivered - before > 0.93 * 10 * LINE
    assert 0.15 < paths.counts(ann, bob).worst_delay <= 0.21
    assert ann.uplink.dropped > 0


def test_it_comes_back_after_a_silence() -> None:
    world = World(Random, 1)
    network = Network(world)
    ann, bob = network.host("ann", up=LINE), network.host("bob")
    rival = Rival(Paths(network), ann, bob)
    world.run(2.0)
    network.split([ann])
    world.run(5.0)
    assert rival.window == pytest.approx(2.0, abs=3.0)
    network.split()
    before = rival.delivered
    world.run(5.0)
    assert rival.delivered - before > 0.4 * 5 * LINE


def test_it_ends_when_it_is_stopped() -> None:
    world = World(Random, 1)
    network = Network(world)
    rival = Rival(Paths(network), network.host("ann", up=LINE), network.host("bob"))
    world.run(1.0)
    rival.stop()
    world.run(5.0)
    delivered = rival.delivered
    world.run(5.0)
    assert rival.delivered == delivered
