"""What an announce costs a tracker in calls: see test_calls_per_block.py."""

from collections import Counter
from collections.abc import Callable

import pytest

from bench.calls_per_announce import http, udp

ANNOUNCES = 1024

# A little above what was measured: who raises one says what it buys.
CEILINGS = [(udp, 40.0), (http, 125.0)]


@pytest.mark.parametrize(("measure", "ceiling"), CEILINGS)
def test_an_announce_costs_few_calls(measure: Callable[[int], Counter[str]], ceiling: float) -> None:
    calls = measure(ANNOUNCES)
    most = "\n".join(f"{count / ANNOUNCES:8.3f} {name}" for name, count in calls.most_common(20))
    assert calls.total() / ANNOUNCES <= ceiling, most


def test_the_number_is_the_same_in_each_run() -> None:
    assert http(256) == http(256)
