"""uTP on simulated hosts: connections are made, refused and given up, by clocks of their own."""

from hypothesis import given
from hypothesis import strategies as st

from bittern.base.transport import Transport
from bittern.sim.utp import Clock
from bittern.wire.stream import LossKind
from tests.sim.lines import Line

KIB = 1 << 10


def test_what_is_sent_comes_and_the_end_too() -> None:
    line = Line(1)
    source, sink = line.send(100 * KIB)
    line.world.run(5.0)
    assert sink.came == 100 * KIB
    assert source.link is not None
    assert source.link.transport is Transport.UTP
    assert source.link.address == line.bob.host.address
    source.link.close()
    line.ann.host.touch()
    line.world.run(5.0)
    assert sink.loss is not None
    assert sink.loss.kind is LossKind.CLOSED
    assert source.loss is None


def test_nobody_answers_where_nobody_takes_datagrams_and_who_is_refused_hears_it_at_once() -> None:
    line = Line(1)
    nobody = line.host("carl")
    line.ann.send(nobody.address)
    line.world.run(1.0)
    assert [loss.kind for loss in line.ann.failures] == [LossKind.REFUSED]
    nobody.natted = True
    line.network.split([nobody])
    line.ann.send(nobody.address)
    line.world.run(60.0)
    assert [loss.kind for loss in line.ann.failures] == [LossKind.REFUSED, LossKind.TIMED_OUT]


def test_a_process_that_ends_says_so() -> None:
    line = Line(1)
    source, _ = line.send()
    line.world.run(1.0)
    line.bob.utp.close()
    line.world.run(1.0)
    assert source.loss is not None
    assert source.loss.kind in (LossKind.CLOSED, LossKind.RESET)


@given(st.floats(-1e6, 1e6), st.floats(0.9, 1.1), st.floats(0, 1e5))
def test_a_clock_shows_at_a_time_what_it_shows_then(ahead: float, rate: float, now: float) -> None:
    clock = Clock(ahead, rate)
    assert abs(clock.when(clock.shows(now)) - now) < 1e-6
    assert clock.shows(now + 1) > clock.shows(now)


def test_the_same_seed_gives_the_same_run() -> None:
    digests = set()
    for _ in range(2):
        line = Line(7)
        line.paths.trouble.loss = 0.05
        line.transfer(100 * KIB, 30.0)
        digests.add(line.world.trace.digest)
    assert len(digests) == 1
