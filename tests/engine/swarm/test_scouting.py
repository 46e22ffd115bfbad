from random import Random

from bittern.engine.swarm.scouting import REUNION_REST_SECONDS, REUNION_SECONDS, SCOUT_SECONDS, Scouting


def test_somebody_is_tried_now_and_then_while_something_is_wanted_and_nobody_is_there() -> None:
    scouting = Scouting(Random(1))
    assert scouting.due is None
    scouting.hungry = True
    assert scouting.due == 0.0
    scouting.goes(5.0)
    assert scouting.due == 5.0 + SCOUT_SECONDS
    scouting.reunited(6.0)
    assert scouting.due is None
    scouting.deserted(7.0)
    assert scouting.due == 7.0 + SCOUT_SECONDS


def test_those_that_were_missed_are_tried_soon_and_not_again_and_again() -> None:
    scouting = Scouting(Random(1))
    assert not scouting.reunited(0.0), "nothing was wanted of them"
    scouting.hungry = True
    scouting.deserted(1.0)
    assert scouting.reunited(2.0)
    assert not scouting.reunited(3.0), "somebody was there"
    assert (scouting.was_cut_off(1.9), scouting.was_cut_off(2.0)) == (True, False)
    scouting.deserted(4.0)
    assert not scouting.reunited(5.0)
    scouting.deserted(6.0)
    assert scouting.reunited(2.0 + REUNION_REST_SECONDS)
    assert all(9.0 <= scouting.soon(9.0) <= 9.0 + REUNION_SECONDS for _ in range(50))
