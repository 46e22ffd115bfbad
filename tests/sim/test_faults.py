from random import Random

from bittern.sim.content import MIB
from bittern.sim.faults import Chaos
from bittern.sim.swarm import Swarm


def test_the_plan_follows_from_the_seed_and_can_be_read_before_it_happens() -> None:
    def plan(seed: int) -> str:
        return str(Chaos(Swarm(Random, seed, leechers=8, size=MIB)))

    assert plan(1) == plan(1)
    assert plan(1) != plan(2)
    assert len(plan(1).splitlines()) == 8


def test_faults_happen_at_their_time_and_half_of_the_swarm_survives() -> None:
    swarm = Swarm(Random, 3, leechers=8, size=MIB)
    chaos = Chaos(swarm, faults=30, seconds=10.0)
    assert [fault.due for fault in chaos.plan] == sorted(fault.due for fault in chaos.plan)
    assert len(chaos.dead) <= 4
    assert len(chaos.survivors) >= 4
    swarm.world.run(10.0)
    for process in chaos.dead:
        assert not process.host.alive or process.host.acceptor is None
