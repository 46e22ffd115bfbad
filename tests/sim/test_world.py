from random import Random

import pytest

from bittern.sim.world import EndlessInstantError, World


def test_events_of_one_instant_happen_in_the_order_of_planning() -> None:
    world, seen = World(Random), list[str]()
    world.at(2.0, lambda: seen.append("later"))
    for name in "abc":
        world.at(1.0, lambda name=name: seen.append(name))  # type: ignore[misc]  # mypy knows no default in a lambda
    world.run(5.0)
    assert seen == ["a", "b", "c", "later"]


def test_time_passes_to_the_end_of_a_run_also_when_nothing_is_planned() -> None:
    world = World(Random)
    assert world.run(2.5)
    assert world.now == 2.5


def test_an_event_that_is_due_in_the_past_happens_now() -> None:
    world, seen = World(Random), list[float]()
    world.at(3.0, lambda: world.at(1.0, lambda: seen.append(world.now)))
    world.run(10.0)
    assert seen == [3.0]


def test_a_run_stops_at_the_event_that_makes_its_condition_true() -> None:
    world, seen = World(Random), list[float]()
    for due in (1.0, 2.0, 3.0):
        world.at(due, lambda: seen.append(world.now))
    assert world.run(10.0, until=lambda: len(seen) == 2)
    assert world.now == 2.0
    assert not world.run(10.0, until=lambda: len(seen) == 4)
    assert world.now == 12.0


def test_a_world_that_runs_in_circles_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bittern.sim.world.MAX_EVENTS_AT_ONCE", 50)
    world = World(Random, seed=17)

    def again() -> None:
        world.after(0.0, again)

    world.at(1.0, again)
    with pytest.raises(EndlessInstantError, match="seed 17"):
        world.run(2.0)


def test_streams_of_chance_depend_on_seed_process_part_and_key_and_on_nothing_else() -> None:
    def first(seed: int, process: str, part: str, key: bytes = b"") -> float:
        return World(Random, seed).chance(process).rng_for(part, key).random()

    one = first(1, "ann", "choker")
    others = [
        first(2, "ann", "choker"),
        first(1, "bob", "choker"),
        first(1, "ann", "picker"),
        first(1, "ann", "choker", b"k"),
    ]
    assert one == first(1, "ann", "choker")
    assert len({one, *others}) == 5
    assert first(1, "ann", "a", b"b") != first(1, "ann", "ab")


def test_a_draw_in_one_part_does_not_shift_another() -> None:
    quiet, busy = World(Random).chance("ann"), World(Random).chance("ann")
    busy.rng_for("picker").random()
    busy.entropy(3)
    assert busy.rng_for("choker").random() == quiet.rng_for("choker").random()


def test_entropy_goes_on_and_does_not_repeat() -> None:
    chance = World(Random).chance("ann")
    assert len(chance.entropy(20)) == 20
    assert chance.entropy(20) != chance.entropy(20)
