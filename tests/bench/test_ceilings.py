"""The ceilings in their short form: all of it works, and stays below its share of the limits."""

from dataclasses import replace

import pytest

from bench.ceilings.__main__ import measure
from bench.ceilings.hours import grown, held
from bench.ceilings.meter import Measured, Meter
from bench.ceilings.table import CEILINGS, broken
from bittern.base.bitfield import Bitfield


@pytest.mark.interop
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", [name for name, ceiling in CEILINGS.items() if ceiling.limits])
def test_nothing_breaks_its_share_of_the_limits(name: str) -> None:
    assert broken(name, measure(name, short=True), short=True) == []


def test_a_broken_limit_and_a_missing_step_are_told() -> None:
    limits = CEILINGS["metadata"].limits
    good = [Measured(name, 1.0, 1.0, limit) for name, limit in limits.items()]
    assert broken("metadata", good, short=False) == []
    worse = [replace(step, cost=replace(step.cost, files=999)) for step in good]
    assert "files 999.0, at most 60.0" in broken("metadata", worse, short=False)[0]
    assert broken("metadata", good[:1], short=False) == [
        "30 MiB of metadata, by a magnet link: of many files: was not measured"
    ]


def test_a_step_is_measured() -> None:
    meter = Meter()
    with meter.step("work"):
        kept = bytearray(b"x" * (30 << 20))
    (step,) = meter.steps
    assert step.name == "work"
    assert step.cost.grown_mib > 29
    assert step.cost.files > 2
    assert len(kept) == 30 << 20


class Holder:
    """Holds what the engine has."""

    def __init__(self) -> None:
        self.decks = {1: [Bitfield(16, [3])]}


def test_what_grows_is_found_wherever_it_is() -> None:
    """A container in a container in an attribute, and the objects themselves."""
    root = Holder()
    before = held(root)
    assert (before["Bitfield"], before["Holder.decks[]"], before["Bitfield._bits"]) == (1, 1, 2)
    assert grown(before, held(root)) == {}
    root.decks[1] += [Bitfield(8) for _ in range(300)]
    assert grown(before, held(root)) == {
        "Bitfield": (1, 301),
        "Bitfield._bits": (2, 302),
        "Holder.decks[]": (1, 301),
    }
