from random import Random

from bittern.engine.dht.bound_ids import is_bound
from bittern.sim.dht import DhtSwarm

TARGET = b"\xaa" * 20


def test_nodes_come_find_each_other_and_go() -> None:
    swarm = DhtSwarm(Random, seed=1)
    swarm.join(30, seconds=30.0)
    swarm.world.run(60.0)
    assert min(len(node.node.table) for node in swarm.nodes) >= 10
    before = list(swarm.nodes)
    swarm.churn(1.0)
    swarm.world.run(3600.0)
    assert len(swarm.nodes) == 30
    assert 10 <= sum(node not in swarm.nodes for node in before) <= 28


def test_what_one_announces_another_finds() -> None:
    swarm = DhtSwarm(Random, seed=1)
    swarm.join(30, seconds=30.0)
    swarm.announce(swarm.nodes[3], TARGET)
    swarm.world.run(10.0)
    number = swarm.look_for(swarm.nodes[20], TARGET)
    swarm.world.run(10.0)
    assert swarm.nodes[20].peers_of(number) == {swarm.nodes[3].address}
    assert swarm.nodes[20].done(number) is not None


def test_the_same_seed_gives_the_same_run() -> None:
    def run(seed: int) -> tuple[int, int, int]:
        swarm = DhtSwarm(Random, seed=seed, loss=0.1)
        swarm.join(20, seconds=20.0)
        swarm.churn(10.0)
        swarm.world.run(100.0)
        return swarm.net.sent, swarm.net.bytes_sent, swarm.net.lost

    assert run(1) == run(1) != run(2)


def test_sybils_stand_round_their_target_with_the_ids_they_may_have() -> None:
    swarm = DhtSwarm(Random, seed=1)
    swarm.join(20, seconds=20.0)
    loose = swarm.besiege(TARGET, 10, bound=False)
    assert all(sybil.contact.id[:16] == TARGET[:16] for sybil in loose)
    bound = swarm.besiege(TARGET, 10, bound=True)
    assert all(is_bound(sybil.contact.id, sybil.contact.address.host) for sybil in bound)
    invented = swarm.invent(TARGET)
    assert is_bound(invented.id, invented.address.host)
    swarm.world.run(60.0)
    known = {entry.contact.id for node in swarm.nodes for entry in node.node.table}
    assert known & {sybil.contact.id for sybil in (*loose, *bound)}
