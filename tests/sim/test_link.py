"""Bytes between two hosts: every one arrives, in order, no matter how reads and writes are cut."""

from math import inf
from random import Random

import pytest

from bittern.sim.host import Cut, Host
from bittern.sim.link import RECEIVE_BUFFER, SEND_BUFFER
from bittern.sim.network import GIVE_UP_SECONDS, Network
from bittern.sim.world import World
from bittern.wire.stream import LossKind
from tests.sim.toys import Dial, Echo, Listener, Toy

BULK = Random(5).randbytes(1_500_000)


def two_hosts(seed: int = 0, rate: float = inf) -> tuple[World, Host, Host]:
    world = World(Random, seed)
    network = Network(world)
    return world, network.host("ann", rate, rate), network.host("bob", rate, rate)


@pytest.mark.parametrize("cut", Cut)
@pytest.mark.parametrize("rate", [inf, 1_000_000.0])
def test_a_bulk_transfer_arrives_byte_for_byte(cut: Cut, rate: float) -> None:
    world, ann, bob = two_hosts(rate=rate)
    ann.cut = bob.cut = cut
    data = BULK if cut is Cut.WHOLE else BULK[:20_000]
    sink = Toy()
    bob.acceptor = Listener(sink)
    Dial(ann, bob, Toy(data))
    world.run(60.0)
    assert sink.got == data
    if cut is Cut.BYTES:
        assert set(sink.counts) == {1}


def test_an_echo_comes_back_after_three_ways() -> None:
    world, ann, bob = two_hosts()
    bob.acceptor = Listener(Echo())
    caller = Toy(b"hello")
    dial = Dial(ann, bob, caller)
    world.run(1.0)
    assert caller.got == b"hello"
    assert dial.connected_at == pytest.approx(2 * 0.04)
    assert caller.last_at == pytest.approx(4 * 0.04)


def test_a_stream_that_does_not_read_stops_the_sender_within_bounded_buffers() -> None:
    world, ann, bob = two_hosts()
    sink, source = Toy(), Toy(BULK)
    sink.reading = False
    bob.acceptor = Listener(sink)
    Dial(ann, bob, source)
    world.run(10.0)
    assert sink.got == b""
    assert len(BULK) - len(source.to_send) == RECEIVE_BUFFER + SEND_BUFFER

    sink.reading = True
    assert sink.link is not None
    sink.link.wake_receiver()
    world.run(10.0)
    assert sink.got == BULK


def test_what_was_offered_before_a_close_still_arrives_and_then_the_end() -> None:
    world, ann, bob = two_hosts(rate=1_000_000.0)
    sink, source = Toy(), Toy(BULK[:200_000])
    bob.acceptor = Listener(sink)
    Dial(ann, bob, source)
    world.run(0.0801)
    assert source.link is not None
    source.link.close()
    source.link.close()
    world.run(5.0)
    assert sink.got == BULK[:200_000]
    assert sink.loss is not None
    assert sink.loss.kind is LossKind.CLOSED
    assert source.loss is None
    assert not ann.links
    assert not bob.links


def test_the_end_is_seen_only_after_the_last_byte_was_read() -> None:
    world, ann, bob = two_hosts()
    sink, source = Toy(), Toy(b"goodbye")
    sink.reading = False
    bob.acceptor = Listener(sink)
    Dial(ann, bob, source)
    world.run(0.09)
    assert source.link is not None
    source.link.close()
    world.run(5.0)
    assert sink.loss is None
    sink.reading = True
    assert sink.link is not None
    sink.link.wake_receiver()
    world.run(1.0)
    assert sink.got == b"goodbye"
    assert sink.loss is not None


def test_writing_to_a_side_that_closed_is_answered_by_a_reset() -> None:
    world, ann, bob = two_hosts()
    source = Toy()
    source.reading = False  # it will not read the end of the connection either
    far = Toy(b"unread")
    bob.acceptor = Listener(far)
    Dial(ann, bob, source)
    world.run(0.2)
    assert far.link is not None
    far.link.close()
    world.run(0.2)
    assert source.loss is None
    source.to_send += b"more"
    assert source.link is not None
    source.link.wake_sender()
    world.run(1.0)
    assert source.loss is not None
    assert source.loss.kind is LossKind.RESET


def test_a_stopped_process_resets_its_connections_and_refuses_new_ones() -> None:
    world, ann, bob = two_hosts()
    source = Toy()
    bob.acceptor = Listener(Toy())
    Dial(ann, bob, source)
    world.run(1.0)
    bob.network.stop(bob)
    late = Dial(ann, bob, Toy())
    world.run(1.0)
    assert source.loss is not None
    assert source.loss.kind is LossKind.RESET
    assert late.failure is not None
    assert late.failure.kind is LossKind.REFUSED


def test_a_host_without_power_leaves_half_open_links_until_the_sender_gives_up() -> None:
    world, ann, bob = two_hosts()
    talker, listener, far = Toy(), Toy(), (Toy(), Toy())
    bob.acceptor = Listener(*far)
    Dial(ann, bob, talker)
    Dial(ann, bob, listener)
    world.run(1.0)
    bob.network.power_off(bob)
    talker.to_send += b"are you there"
    assert talker.link is not None
    talker.link.wake_sender()
    world.run(GIVE_UP_SECONDS + 1)
    assert talker.loss is not None
    assert talker.loss.kind is LossKind.TIMED_OUT
    assert listener.loss is None
    assert far[0].loss is None


def test_bytes_held_by_a_split_network_arrive_in_order_once_it_is_healed() -> None:
    world, ann, bob = two_hosts(rate=1_000_000.0)
    sink = Toy()
    bob.acceptor = Listener(sink)
    Dial(ann, bob, Toy(BULK))
    world.run(0.5)
    ann.network.split([ann], [bob])
    before = len(sink.got)
    world.run(60.0)
    assert len(sink.got) - before <= 16384
    ann.network.split()
    world.run(10.0)
    assert sink.got == BULK


def test_a_split_that_lasts_ends_the_connection_for_the_sender() -> None:
    world, ann, bob = two_hosts(rate=1_000_000.0)
    source = Toy(BULK)
    bob.acceptor = Listener(Toy())
    Dial(ann, bob, source)
    world.run(0.5)
    ann.network.split([ann], [bob])
    world.run(GIVE_UP_SECONDS + 1)
    assert source.loss is not None
    assert source.loss.kind is LossKind.TIMED_OUT
