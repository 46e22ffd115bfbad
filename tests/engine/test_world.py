from random import Random

from bittern.base.ids import PeerId
from bittern.base.tracing import silent
from bittern.engine.settings import EngineSettings
from bittern.engine.world import Shared
from bittern.sim.world import World


def test_no_ticket_is_given_twice() -> None:
    chance = World(Random, 1).chance("x")
    shared = Shared(EngineSettings(), PeerId(bytes(20)), chance, lambda *_: False, silent)
    assert len({shared.next_ticket() for _ in range(100)}) == 100
