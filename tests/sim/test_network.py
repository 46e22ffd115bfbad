"""Who reaches whom, and how long it takes."""

from random import Random

from bittern.base.address import Address
from bittern.sim.network import CONNECT_SECONDS, Network
from bittern.sim.world import World
from bittern.wire.stream import LinkLost, LossKind
from tests.sim.toys import Dial, Listener, Toy

MEGABYTE = 1_000_000


def test_nobody_connects_to_a_host_behind_nat_but_it_connects_to_others() -> None:
    world = World(Random)
    network = Network(world)
    ann, bob = network.host("ann"), network.host("bob")
    bob.natted = True
    bob.acceptor, ann.acceptor = Listener(Toy()), Listener(Toy())
    inward, outward = Dial(ann, bob, Toy()), Dial(bob, ann, Toy())
    world.run(CONNECT_SECONDS + 1)
    assert inward.failure is not None
    assert inward.failure.kind is LossKind.TIMED_OUT
    assert outward.connected_at > 0


def test_a_connection_to_nowhere_times_out() -> None:
    world = World(Random)
    network = Network(world)
    lost: list[LinkLost] = []
    network.connect(network.host("ann"), Address("192.0.2.1", 80), lambda _: Toy(), lost.append)
    world.run(CONNECT_SECONDS - 0.1)
    assert not lost
    world.run(0.2)
    assert [reason.kind for reason in lost] == [LossKind.TIMED_OUT]


def test_a_host_that_nobody_listens_on_refuses_after_a_round_trip() -> None:
    world = World(Random)
    network = Network(world)
    dial = Dial(network.host("ann"), network.host("bob"), Toy())
    world.run(0.079)
    assert dial.failure is None
    world.run(0.002)
    assert dial.failure is not None
    assert dial.failure.kind is LossKind.REFUSED


def test_the_far_side_sees_the_host_but_not_the_listening_port() -> None:
    world = World(Random)
    network = Network(world)
    ann, bob, far = network.host("ann"), network.host("bob"), Toy()
    bob.acceptor = Listener(far)
    near = Toy()
    Dial(ann, bob, near)
    world.run(1.0)
    assert near.link is not None
    assert near.link.address == bob.address
    assert far.link is not None
    assert far.link.address.host == ann.address.host
    assert far.link.address.port != ann.address.port


def test_jitter_reorders_nothing_and_follows_the_seed() -> None:
    def run(seed: int) -> tuple[str, bytes]:
        world = World(Random, seed)
        network = Network(world)
        network.jitter = 0.2
        ann, bob, sink = network.host("ann", up=MEGABYTE), network.host("bob"), Toy()
        bob.acceptor = Listener(sink)
        Dial(ann, bob, Toy(data))
        world.run(20.0)
        return world.trace.digest, bytes(sink.got)

    data = Random(3).randbytes(300_000)
    assert run(1) == run(1)
    assert run(1)[0] != run(2)[0]
    assert run(2)[1] == data


def test_a_connection_reset_while_it_was_being_made_fails() -> None:
    world = World(Random)
    network = Network(world)
    ann, bob = network.host("ann"), network.host("bob")
    bob.acceptor = Listener(Toy())
    dial = Dial(ann, bob, Toy())
    world.run(0.0401)
    bob.latency = 0.0  # the reset overtakes the answer
    network.stop(bob)
    world.run(1.0)
    assert dial.connected_at < 0
    assert dial.failure is not None
    assert dial.failure.kind is LossKind.RESET


def test_hosts_are_in_networks_of_their_own_unless_told_otherwise() -> None:
    network = Network(World(Random, 1))
    apart = [network.host(name).address.host.rpartition(".")[0] for name in "abc"]
    network.together = True
    near = [network.host(name).address.host.rpartition(".")[0] for name in "def"]
    assert (len(set(apart)), len(set(near))) == (3, 1)


def test_what_is_said_to_the_local_network_is_heard_by_all_others_in_it() -> None:
    world = World(Random)
    network = Network(world)
    heard: list[tuple[str, bytes, str]] = []
    hosts = [network.host(name) for name in ("ann", "bob", "cat", "dan")]
    for host in hosts:
        host.hear = lambda datagram, sender, name=host.name: heard.append((name, datagram, sender))
    network.shout(hosts[0], b"there is no local network")
    network.lan = True
    network.split(hosts[:3], hosts[3:])
    hosts[2].hear = None
    network.shout(hosts[0], b"hello")
    world.run(1.0)
    assert heard == [("bob", b"hello", hosts[0].address.host)]
