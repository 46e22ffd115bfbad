"""uTP on slow and bad lines: how much it takes, how much it delays others, and that every byte comes (BEP 29)."""

import os
from collections.abc import Callable
from math import inf
from typing import Any

import pytest

from bittern.sim.paths import Trouble
from bittern.sim.rival import Rival
from bittern.sim.utp import Clock
from bittern.wire.stream import LossKind
from bittern.wire.utp.settings import UtpSettings
from tests.sim.lines import MEGABIT, Line

Figure = Callable[[str], None]
LONG = pytest.mark.skipif("BITTERN_SIM_SEEDS" not in os.environ, reason="`make sim` runs it")
KIB = 1 << 10
RATE = 20 * MEGABIT
FAST = (Clock(4294.0, 1 + 1e-4), Clock(0.0, 1 - 1e-4))
"""ann's and bob's."""
SLOW = (Clock(0.0, 1 - 1e-4), Clock(3000.0, 1 + 1e-4))


@pytest.mark.parametrize("latency", [0.01, pytest.param(0.02, marks=LONG), 0.05])
def test_an_idle_line_is_used_whole_and_little_delayed(seed: int, latency: float, figure: Figure) -> None:
    line = Line(seed, RATE, latency=latency)
    line.send()
    line.world.run(5.0)
    counts = line.counts()
    early, counts.worst_delay = counts.worst_delay, 0.0
    before = counts.come_bytes
    line.world.run(10.0)
    use = (counts.come_bytes - before) / (10.0 * RATE)
    figure(
        f"uTP alone on 20 Mbit/s, {1000 * latency:.0f} ms away: {use:.1%} of the line, "
        f"{1000 * counts.worst_delay:.0f} ms added at most ({1000 * early:.0f} ms in the first 5 s)"
    )
    assert use >= 0.95
    assert max(early, counts.worst_delay) < 0.11


@pytest.mark.parametrize("clocks", [FAST, pytest.param(SLOW, marks=LONG)], ids=str)
def test_clocks_that_differ_or_drift_change_nothing(seed: int, clocks: tuple[Clock, Clock], figure: Figure) -> None:
    """In a minute and a half those that drift are 18 ms further apart."""
    line = Line(seed, 4 * MEGABIT, clocks=clocks)
    line.send()
    line.world.run(75.0)
    counts = line.counts()
    counts.worst_delay, before = 0.0, counts.come_bytes
    line.world.run(15.0)
    use = (counts.come_bytes - before) / (60.0 * MEGABIT)
    added = 1000 * counts.worst_delay
    figure(f"uTP on 4 Mbit/s with clocks {clocks}: {use:.1%} of the line, {added:.0f} ms added at most")
    assert use >= 0.95
    assert added < 110


def test_it_gives_way_to_a_flow_like_tcp_and_comes_back(seed: int, figure: Figure) -> None:
    line = Line(seed, RATE)
    _, sink = line.send()
    line.world.run(5.0)
    rival = Rival(line.paths, line.host("carl"), line.bob.host)
    line.world.run(4.0)
    before = sink.came, rival.delivered
    line.world.run(10.0)
    ours, theirs = sink.came - before[0], rival.delivered - before[1]
    rival.stop()
    line.world.run(4.0)
    back = sink.came
    line.world.run(2.0)
    again = (sink.came - back) / (2.0 * RATE)
    share = ours / (ours + theirs)
    figure(
        f"uTP beside a flow like TCP, from the 4th second on: {share:.1%}; 4 s after its end {again:.1%} of the line"
    )
    assert share < 0.2
    assert ours + theirs > 0.85 * 10 * RATE
    assert again > 0.8


def test_two_of_its_kind_share_a_line(seed: int, figure: Figure) -> None:
    line = Line(seed, RATE)
    carl = type(line.ann)(line.host("carl"), line.paths)
    _, first = line.send()
    carl.send(line.bob.host.address)
    line.world.run(3.0)
    second = line.bob.sinks[1]
    before = first.came, second.came
    line.world.run(15.0)
    ours, theirs = first.came - before[0], second.came - before[1]
    figure(
        f"two uTP flows that begin together: {ours / (ours + theirs):.1%} and {theirs / (ours + theirs):.1%}, "
        f"together {(ours + theirs) / (15.0 * RATE):.1%} of the line"
    )
    assert min(ours, theirs) >= 0.8 * max(ours, theirs)
    assert ours + theirs > 0.9 * 15 * RATE


@pytest.mark.parametrize(
    ("rate", "latency"), [(8, 0.02), *(pytest.param(*line, marks=LONG) for line in ((20, 0.01), (20, 0.05), (8, 0.05)))]
)
def test_who_comes_later_shares_fairly_too_after_three_seconds(
    seed: int, rate: int, latency: float, figure: Figure
) -> None:
    """It takes the delay of the other for none; that one sees that somebody came, and lets it see the empty line."""
    line = Line(seed, rate * MEGABIT, latency=latency)
    carl = type(line.ann)(line.host("carl"), line.paths)
    _, first = line.send()
    line.world.run(4.0)
    carl.send(line.bob.host.address)
    line.world.run(3.0)
    second = line.bob.sinks[1]
    before = first.came, second.came
    line.world.run(12.0)
    ours, theirs = first.came - before[0], second.came - before[1]
    worst = line.counts().worst_delay
    figure(
        f"two uTP flows on {rate} Mbit/s, {1000 * latency:.0f} ms away, from 3 s after the second came: "
        f"{ours / (ours + theirs):.1%} for the first, together {(ours + theirs) / (12.0 * rate * MEGABIT):.1%} of the "
        f"line, {1000 * worst:.0f} ms added at most"
    )
    assert min(ours, theirs) >= 0.8 * max(ours, theirs)
    assert ours + theirs > 0.9 * 12 * rate * MEGABIT
    assert worst < 0.15


TROUBLES: dict[str, dict[str, Any]] = {
    "1 % lost": {"loss": 0.01},
    "5 % lost": {"loss": 0.05},
    "20 % lost": {"loss": 0.2},
    "5 % doubled": {"doubled": 0.05},
    "5 % overtaken": {"overtaken": 0.05},
    "30 ms of jitter": {"jitter": 0.03},
    "30 ms of jitter out of order": {"overtaken": 1.0},
    "all of it": {"loss": 0.02, "doubled": 0.02, "overtaken": 0.02, "jitter": 0.01},
}
LEAST = {"1 % lost": 0.2, "5 % lost": 0.05, "5 % doubled": 0.5, "30 ms of jitter": 0.2, "5 % overtaken": 0.1}
"""Of the line: where less is used, somebody takes trouble for a full line."""


@pytest.mark.parametrize("name", TROUBLES)
def test_every_byte_comes_over_a_bad_line(seed: int, name: str, figure: Figure) -> None:
    line = Line(seed, RATE)
    line.paths.trouble = Trouble(**TROUBLES[name])
    rate = line.transfer(1500 * KIB, 120.0)
    counts = line.counts()
    repeated = counts.sent_bytes / (1500 * KIB)
    figure(f"uTP, {name}: {rate / RATE:.1%} of the line, {repeated:.2f} bytes sent for each that came")
    assert rate > LEAST.get(name, 0.005) * RATE


@pytest.mark.parametrize("told", [True, False], ids=["told", "black hole"])
@pytest.mark.parametrize("mtu", [1280, 1000, 576])
def test_a_line_that_takes_less_is_found_out(seed: int, mtu: int, figure: Figure, *, told: bool) -> None:
    line = Line(seed, RATE)
    line.paths.trouble = Trouble(mtu=mtu, silent=not told, passes_pieces=told)
    rate = line.transfer(1500 * KIB, 60.0)
    figure(f"uTP where {mtu} bytes pass, {'told' if told else 'black hole'}: {rate / RATE:.1%} of the line")
    assert rate > 0.1 * RATE


@pytest.mark.parametrize(
    ("mtu", "told"),
    [(800, False), *(pytest.param(*way, marks=LONG) for way in ((800, True), (1280, True), (1280, False)))],
)
def test_a_line_that_takes_less_all_of_a_sudden_stops_nothing(
    seed: int, mtu: int, figure: Figure, *, told: bool
) -> None:
    """Packets that have a number keep their size, and may be cut on their way; those after them are smaller."""
    line = Line(seed, RATE)
    _, sink = line.send()
    line.world.run(2.0)
    line.paths.trouble = Trouble(mtu=mtu, silent=not told)
    came = sink.came
    assert line.world.run(60.0, until=lambda: sink.came > came + 1500 * KIB)
    lasted = line.world.now - 2.0
    before, counts = sink.came, line.counts()
    lost, sent = counts.lost, counts.sent
    line.world.run(5.0)
    rate = (sink.came - before) / 5.0
    figure(
        f"uTP where {mtu} bytes pass all of a sudden, {'told' if told else 'black hole'}: the next 1.5 MB took "
        f"{lasted:.1f} s, then {rate / RATE:.1%} of the line and {counts.lost - lost} of {counts.sent - sent} lost"
    )
    assert rate > 0.85 * RATE
    assert counts.lost - lost < 0.01 * (counts.sent - sent)


def test_a_line_that_swallows_what_it_would_have_to_cut_ends_the_connection_and_the_next_one_works(seed: int) -> None:
    line = Line(seed, RATE)
    source, sink = line.send(3000 * KIB)
    line.world.run(0.6)
    line.paths.trouble = Trouble(mtu=1000, silent=True, passes_pieces=False)
    assert line.world.run(120.0, until=lambda: source.loss is not None)
    assert source.loss is not None
    assert source.loss.kind is LossKind.TIMED_OUT
    assert sink.came < 3000 * KIB
    line.transfer(500 * KIB, 20.0)


@pytest.mark.parametrize("window", [2 * KIB, 20 * KIB])
def test_tiny_windows_are_kept_and_everything_comes(seed: int, window: int) -> None:
    line = Line(seed, RATE, settings=UtpSettings(window_bytes=window))
    line.paths.trouble = Trouble(loss=0.01)
    line.transfer(300 * KIB, 120.0)


def test_who_reads_nothing_is_waited_for(seed: int) -> None:
    """Its window closes; when it reads again it says so, and if that word is lost it is asked."""
    line = Line(seed, RATE, settings=UtpSettings(window_bytes=1 << 20))
    line.bob.most = 0
    source, sink = line.send(3000 * KIB)
    assert sink.link is not None
    for _ in range(4):
        line.world.run(20.0)
        assert sink.came == sink.most
        assert source.sent_bytes <= sink.came + (2 << 20)
        sink.most += 1000 * KIB
        line.paths.trouble = Trouble(loss=0.9)
        sink.link.wake_receiver()
        line.world.run(0.1)
        line.paths.trouble = Trouble()
    assert line.world.run(60.0, until=lambda: sink.came == 3000 * KIB)


def test_a_fast_line_far_away_is_filled(seed: int, figure: Figure) -> None:
    """Four megabytes are on the way at a time, and the buffer is smaller than what slow start adds in a round trip."""
    line = Line(seed, 200 * MEGABIT, buffer_seconds=0.1, latency=0.08, settings=UtpSettings(window_bytes=8 << 20))
    line.send()
    line.world.run(3.0)
    before = line.counts().come_bytes
    line.world.run(0.5)
    use = (line.counts().come_bytes - before) / (100 * MEGABIT)
    figure(f"uTP on 200 Mbit/s, 80 ms away, after three seconds: {use:.1%} of the line")
    assert use > 0.6


def test_where_nothing_is_slow_nothing_is_waited_for(seed: int) -> None:
    line = Line(seed, inf, latency=0.0002)
    assert line.transfer(8000 * KIB, 5.0) > 10_000_000
