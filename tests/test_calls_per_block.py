"""What a block costs in calls: Python's speed is that of its calls, and this number is the same everywhere."""

from collections import Counter
from collections.abc import Callable

import pytest

from bench.calls_per_block import leech, leech_encrypted, leech_mixed_up, per_block, seed, seed_encrypted, web

BLOCKS = 1024

# A little above what was measured: who raises one says what it buys.
CEILINGS = [
    (leech, 64 << 10, 20.0),
    (leech, 256 << 10, 7.2),
    (leech, 1 << 20, 4.0),
    (leech_mixed_up, 1 << 20, 12.0),
    (web, 64 << 10, 13.6),
    (web, 256 << 10, 6.8),
    (web, 1 << 20, 3.9),
    (web, 2 << 20, 3.4),
    (seed, 64, 4.0),
    (seed, 512, 4.0),
    (leech_encrypted, 256 << 10, 12.8),
    (leech_encrypted, 1 << 20, 7.8),
    (seed_encrypted, 512, 22.0),
]


@pytest.mark.parametrize(("measure", "size", "ceiling"), CEILINGS)
def test_a_block_costs_few_calls(measure: Callable[[int, int], Counter[str]], size: int, ceiling: float) -> None:
    calls = measure(BLOCKS, size)
    most = "\n".join(f"{count / BLOCKS:8.3f} {name}" for name, count in calls.most_common(20))
    assert per_block(calls) <= ceiling, most


@pytest.mark.parametrize(("measure", "size"), [(leech, 256 << 10), (seed, 64)])
def test_the_number_is_the_same_in_each_run(measure: Callable[[int, int], Counter[str]], size: int) -> None:
    assert measure(256, size) == measure(256, size)
