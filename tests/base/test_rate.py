from math import inf, isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.rate import BURST_SECONDS, QUANTUM_SECONDS, Meter, TokenBucket

steps = st.lists(st.tuples(st.floats(0, 3), st.integers(0, 10**6)), min_size=1, max_size=60)


@given(steps)
def test_a_rate_lies_between_nothing_and_the_greatest_seen(samples: list[tuple[float, int]]) -> None:
    meter = Meter()
    now, total = 100.0, 0
    for wait, count in samples:
        now += wait
        total += count
        meter.add(count, now)
        assert 0 <= meter.rate(now) <= total / 0.25
    assert meter.total == total


@given(st.integers(1, 10**8), st.floats(0.25, 2))
def test_a_steady_flow_is_measured_as_it_is(per_step: int, step: float) -> None:
    meter = Meter()
    meter.add(0, 0.0)
    for turn in range(1, 60):
        meter.add(per_step, turn * step)
        assert isclose(meter.rate(turn * step), per_step / step, rel_tol=1e-6)


def test_a_flow_that_stops_fades_within_a_few_windows() -> None:
    meter = Meter(window=5.0)
    meter.add(0, 0.0)
    for second in range(1, 30):
        meter.add(1000, float(second))
    assert meter.rate(29.0 + 5) < 500
    assert meter.rate(29.0 + 30) < 10


def test_without_samples_the_rate_is_zero() -> None:
    assert Meter().rate(5.0) == 0


def test_one_sample_alone_makes_no_infinite_rate() -> None:
    meter = Meter()
    meter.add(10**6, 1.0)
    assert meter.rate(1.0) == 0
    assert meter.rate(2.0) == 10**6


@given(
    st.floats(1, 10**9),
    st.lists(st.tuples(st.floats(0, 2), st.integers(1, 10**6)), max_size=60),
)
def test_what_passes_keeps_below_the_limit_but_for_burst_and_one_grant(
    limit: float, wants: list[tuple[float, int]]
) -> None:
    bucket = TokenBucket(limit, burst_seconds=0.25)
    now, passed, largest = 0.0, 0, 0
    bucket.available(now)
    for wait, want in wants:
        now += wait
        if bucket.available(now) > 0:
            bucket.take(want)
            passed += want
            largest = max(largest, want)
        assert passed <= limit * (now + 0.25) + largest + 1e-3 * limit


@given(st.floats(1, 10**9), st.integers(1, 10**7), st.floats(0, 1e6))
def test_when_it_is_ready_there_is_something_to_take(limit: float, debt: int, now: float) -> None:
    bucket = TokenBucket(limit)
    bucket.available(now)
    bucket.take(debt)
    ready = bucket.ready_at(now)
    assert ready >= now
    if ready > now:
        assert bucket.available(ready) > 0


def test_a_bucket_waits_after_a_grant_until_the_debt_is_paid() -> None:
    bucket = TokenBucket(1000, burst_seconds=0.25)
    assert bucket.available(0.0) == 250
    bucket.take(1250)
    assert bucket.available(0.5) == -500
    assert bucket.available(1.5) == 250
    bucket.take(350)
    assert bucket.ready_at(1.5) == pytest.approx(1.5 + (100 + 1000 * QUANTUM_SECONDS) / 1000)


def test_time_that_runs_backwards_gives_nothing() -> None:
    bucket = TokenBucket(1000, burst_seconds=0.25)
    bucket.available(10.0)
    bucket.take(250)
    assert bucket.available(9.0) == 0
    assert bucket.available(10.0) == 0


def test_no_limit_lets_everything_pass() -> None:
    bucket = TokenBucket()
    bucket.take(10**12)
    assert bucket.unlimited
    assert bucket.available(0.0) == inf
    assert bucket.ready_at(3.0) == 3.0


def test_a_limit_may_be_set_and_lifted() -> None:
    bucket = TokenBucket()
    bucket.set_limit(100)
    assert not bucket.unlimited
    assert bucket.available(0.0) <= 25
    bucket.set_limit(inf)
    assert bucket.available(0.0) == inf


def test_all_who_wait_are_told_the_same_moment_and_find_it_open_then() -> None:
    bucket = TokenBucket(30_000.0)
    bucket.available(0.0)
    bucket.take(16384)
    told = {bucket.ready_at(at / 97) for at in range(30)}
    [due] = told
    assert bucket.available(due - 1e-9) <= 0
    assert bucket.available(due) > 0


def test_what_did_not_pass_is_given_back() -> None:
    bucket = TokenBucket(1000.0)
    assert bucket.available(0.0) == 1000 * BURST_SECONDS
    bucket.take(500)
    bucket.give_back(500)
    assert bucket.available(0.0) == 1000 * BURST_SECONDS
    TokenBucket().give_back(5)


@given(st.floats(1000, 10**8), st.floats(1000, 10**8), st.floats(0.1, 5))
def test_a_limit_that_is_changed_counts_from_the_change(before: float, after: float, when: float) -> None:
    bucket = TokenBucket(before)
    bucket.available(0.0)
    while bucket.available(when) > 0:
        bucket.take(16384)
    bucket.set_limit(after)
    passed, now = 0, when
    while now < when + 5:
        while bucket.available(now) > 0:
            bucket.take(16384)
            passed += 16384
        now = bucket.ready_at(now)
    assert after * 5 - 2 * 16384 - after * QUANTUM_SECONDS <= passed <= after * 5 * 1.02 + 16384


def test_nothing_ever_passes_a_limit_of_zero() -> None:
    bucket = TokenBucket(0)
    assert bucket.available(1e9) == 0
    assert bucket.ready_at(5.0) == inf
