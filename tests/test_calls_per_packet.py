"""What a packet of uTP costs in calls, and a MiB in calls to the system: the same everywhere, and kept low."""

import pytest

from bench.calls_per_packet import Line

PACKETS = 3000

# A little above what was measured: who raises one says what it buys.
CEILINGS = [(True, 0.8, 1.3), (False, 0.8, 33.0)]
BURSTS_PER_MIB = 25.0


@pytest.mark.parametrize(("gathered", "sender", "receiver"), CEILINGS)
def test_a_packet_costs_few_calls(*, gathered: bool, sender: float, receiver: float) -> None:
    counts = Line(gathered=gathered).measure(PACKETS)
    for each, most, calls in zip(counts.per_packet, (sender, receiver), (counts.sender, counts.receiver), strict=True):
        assert each <= most, "\n".join(f"{n / counts.packets:8.3f} {name}" for name, n in calls.most_common(20))
    assert counts.bursts_per_mib <= BURSTS_PER_MIB


def test_the_number_is_the_same_in_each_run() -> None:
    assert Line(gathered=True).measure(500) == Line(gathered=True).measure(500)
