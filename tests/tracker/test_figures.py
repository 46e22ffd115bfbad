from bittern.tracker.figures import Figures
from tests.tracker.asking import HASH, desk


def test_figures_survive_the_way_to_another_worker() -> None:
    at = desk()
    at.registry.announce(HASH, bytes(6), True, 2, 0)
    at.counters.udp.connects, at.counters.http.dropped = 1 << 40, 7
    figures = Figures.of(at.registry, at.counters)
    assert Figures.decode(figures.encode()) == figures


def test_figures_are_summed_field_by_field() -> None:
    at, other = desk(), desk()
    at.registry.announce(HASH, bytes(6), True, 2, 0)
    other.registry.announce(HASH, bytes(18), False, 2, 0)
    at.counters.udp.refused, other.counters.udp.refused, other.counters.http.scrapes = 1, 2, 4
    both = Figures.sum(Figures.of(each.registry, each.counters) for each in (at, other))
    assert (both.totals.seeds, both.totals.leechers6, both.totals.swarms, both.totals.known) == (1, 1, 2, 2)
    assert (both.udp.refused, both.http.scrapes, both.udp.scrapes) == (3, 4, 0)
