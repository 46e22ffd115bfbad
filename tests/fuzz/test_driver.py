"""The fuzzer itself: it finds what is there to be found, and says the same for the same seed."""

from dataclasses import replace
from random import Random

import pytest

from bittern.base.errors import BencodeError
from bittern.codec.bencode import decode
from fuzz.driver import Run, Target, judge, mutate, run
from fuzz.reach import Reach

SECONDS = 0.1


def decoded(data: bytes) -> bool:
    try:
        decode(data)
    except BencodeError:
        return False
    return True


def broken(data: bytes) -> bool:
    if decoded(data) and b"4:boom" in data:
        raise RuntimeError("boom")
    return decoded(data)


TARGET = Target("decoded", corpus=(b"d1:ai1ee", b"l4:abcde"), words=(b"i2e", b"le", b"4:boom"), check=decoded)


def test_an_exception_that_escapes_is_found_with_the_input_that_leads_to_it() -> None:
    finding = run(replace(TARGET, check=broken), 60.0, 0).finding
    assert finding is not None
    assert finding.reason == "RuntimeError: boom"
    with pytest.raises(RuntimeError):
        broken(finding.data)


def test_an_input_that_takes_too_long_is_found() -> None:
    finding = run(replace(TARGET, check=lambda _: sum(range(10**6)) > 0, slow_seconds=0.001), 60.0, 0).finding
    assert finding is not None
    assert finding.reason.startswith("took")


def test_what_is_known_is_tried_even_without_any_time() -> None:
    assert judge(replace(TARGET, check=broken), b"l4:boome")[1] is not None
    assert run(replace(TARGET, check=broken), 0.0, 0, [b"l4:boome"]).finding is not None


def test_inputs_that_reach_new_lines_are_kept_and_trimmed() -> None:
    long = b"l" + b"i1e" * 400 + b"e"
    under_fire = Run(replace(TARGET, corpus=(b"i1e",), words=(long,)), 0)
    while not (outcome := under_fire.go(SECONDS)).fresh:
        pass
    assert outcome.finding is None
    assert min(map(len, outcome.fresh)) < len(long)


def test_mutations_follow_from_the_seed() -> None:
    def row(seed: int) -> list[bytes]:
        rng = Random(seed)
        return [mutate(b"d1:ai1ee", TARGET, TARGET.corpus, rng) for _ in range(50)]

    assert row(1) == row(1) != row(2)


def test_a_line_counts_once() -> None:
    reach = Reach()
    with reach:
        decoded(b"i1e")
    first = reach.take_fresh()
    with reach:
        decoded(b"i2e")
    assert first
    assert not reach.take_fresh()
    with reach:
        decoded(b"li2ee")
    assert reach.take_fresh().isdisjoint(first)


def test_lines_can_be_asked_for() -> None:
    reach = Reach()
    with reach:
        decoded(b"d1:ai1ee")
    lines = reach.take_fresh()
    assert Reach.reached(lines, decoded, b"d1:ai1ee")
    assert not Reach.reached(lines, decoded, b"i1e")
