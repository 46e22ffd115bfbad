from math import inf

from bittern.engine.swarm.lanes import Lanes


def test_what_passes_a_place_passes_all_above_it_in_its_direction_alone() -> None:
    whole = Lanes()
    one, other = Lanes(whole), Lanes(whole)
    whole.set_limits(1000.0, None)
    one.up.take(5000)
    one.down.take(5000)
    assert other.down.available(0.0) == 0
    assert other.up.available(0.0) == inf


def test_a_place_that_moves_is_free_of_what_was_above_it() -> None:
    slow, free = Lanes(), Lanes()
    slow.set_limits(0.0, 0.0)
    lanes = Lanes(slow)
    assert lanes.down.available(0.0) == lanes.up.available(0.0) == 0
    lanes.move(free)
    assert lanes.down.available(0.0) == lanes.up.available(0.0) == inf
    assert lanes.above is free
