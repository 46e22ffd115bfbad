from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.engine.nat.control import (
    AGAIN_SECONDS,
    BURST,
    MOST_REFUSED_SECONDS,
    MOST_TRIES,
    PACE_SECONDS,
    PCP_TRIES,
    PortControl,
)
from bittern.engine.nat.lease import MOST_RENEWAL, Lease, Wish, renewal_seconds, wishes_for
from bittern.wire.pcp import Carrier

from .router import EXTERNAL, Router, Talk

OURS = "192.168.1.20"
PORT = 4321
KINDS = pytest.mark.parametrize("knows", ["pcp", "nat-pmp", "old"])
NAMES = {"pcp": "PCP", "nat-pmp": "NAT-PMP", "old": "NAT-PMP"}


def control(wishes: list[Wish] | None = None, ours: str = OURS) -> PortControl:
    return PortControl(ours, wishes or wishes_for(PORT, PORT), lambda count: b"\x07" * count, 0.0)


def talk(router: Router | None, lost: frozenset[int] = frozenset()) -> Talk:
    return Talk(control(), router, lost=lost)


@KINDS
def test_both_ports_are_mapped_and_our_address_is_learned(knows: str) -> None:
    there = talk(Router(knows))
    there.control.advance(0.0)
    there.until(3.0)
    leases = [Lease(carrier, PORT, PORT, EXTERNAL, NAMES[knows]) for carrier in Carrier]
    assert sorted(there.control.leases, key=lambda lease: lease.carrier) == leases


@KINDS
@given(lost=st.frozensets(st.integers(1, 24), max_size=12))
def test_whatever_is_lost_both_are_mapped_in_the_end(knows: str, lost: frozenset[int]) -> None:
    """Twelve datagrams of the first two dozen are lost at most, and no question is given up before nine tries."""
    there = talk(Router(knows), lost=lost)
    there.control.advance(0.0)
    there.until(AGAIN_SECONDS + 300.0)
    assert len(there.control.leases) == 2


@KINDS
@given(lifetime=st.integers(60, 8000), reach=st.integers(0, 4))
def test_a_mapping_never_ends_between_two_renewals(knows: str, lifetime: int, reach: int) -> None:
    """Not even when the router hears every renewal only the third time."""
    router = Router(knows, lifetime=lifetime)
    there = talk(router)
    there.control.advance(0.0)
    there.until(3.0)
    there.lost = frozenset(range(9, 9 + reach))
    for _ in range(20):
        there.until(there.now + lifetime / 3)
        assert all(router.lets_in(carrier, PORT, there.now) for carrier in Carrier)
    times = there.now / renewal_seconds(lifetime) + there.now / MOST_RENEWAL
    assert len(there.sent) <= 12 + 2 * times + reach  # and nobody is asked more often than that takes


@KINDS
def test_a_router_that_forgot_is_asked_anew_at_the_next_word_from_it(knows: str) -> None:
    router = Router(knows)
    there = talk(router)
    there.control.advance(0.0)
    there.until(100.0)
    router.restart(there.now)
    there.until(3700.0)
    assert all(router.lets_in(carrier, PORT, there.now) for carrier in Carrier)


@KINDS
def test_what_was_mapped_is_taken_back(knows: str) -> None:
    router = Router(knows)
    there = talk(router)
    there.control.advance(0.0)
    there.until(10.0)
    there.control.release(there.now)
    there.until(11.0)
    assert (router.held, there.control.leases) == ({}, ())
    assert there.control.next_deadline() == float("inf")


@pytest.mark.parametrize("knows", ["pcp", "nat-pmp"])
def test_what_is_granted_just_when_we_leave_is_taken_back_too(knows: str) -> None:
    router = Router(knows)
    control = talk(router).control
    control.advance(0.0)
    while not router.held:
        answers = [router.answer(datagram, 0.0) for datagram in control.take_datagrams()]
        for answer in filter(None, answers if not router.held else []):
            control.receive(answer, 0.0)
    control.release(0.0)
    for datagram in control.take_datagrams():
        router.answer(datagram, 0.0)
    assert (router.held, control.leases, control.next_deadline()) == ({}, (), float("inf"))


@KINDS
def test_where_a_port_is_taken_both_carriers_get_the_same_other_one(knows: str) -> None:
    there = talk(Router(knows, taken={PORT}))
    there.control.advance(0.0)
    there.until(3.0)
    assert {lease.external_port for lease in there.control.leases} == {PORT + 1}


@KINDS
def test_a_refusal_is_told_and_tried_again_later(knows: str) -> None:
    router = Router(knows, refuses=2)
    there = talk(router)
    there.control.advance(0.0)
    there.until(10.0)
    assert there.control.refusal == "the router does not allow it"
    assert (there.control.leases, there.control.answered) == ((), True)
    asked = len(there.sent)
    there.until(200.0)
    assert len(there.sent) == asked
    router.refuses = 0
    there.until(1300.0)
    assert len(there.control.leases) == 2
    assert there.control.refusal is None


def test_a_silent_router_is_asked_nine_times_in_growing_distances_then_after_a_while() -> None:
    there = talk(None)
    there.control.advance(0.0)
    there.until(AGAIN_SECONDS)
    times = [at for at, _ in there.sent]
    assert len(times) == PCP_TRIES + MOST_TRIES
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert all(gap == 2 * before or at == PCP_TRIES for at, (before, gap) in enumerate(pairwise(gaps), 1))
    assert [datagram[0] for _, datagram in there.sent] == [2] * PCP_TRIES + [0] * MOST_TRIES
    assert there.control.silent
    there.router = Router("pcp")
    there.until(2 * AGAIN_SECONDS)
    assert len(there.control.leases) == 2
    assert not there.control.silent


def test_a_mapping_that_could_not_be_renewed_is_over_when_its_time_is() -> None:
    there = talk(Router("pcp", lifetime=600))
    there.control.advance(0.0)
    there.until(10.0)
    there.router = None
    there.until(599.0)
    assert len(there.control.leases) == 2
    there.until(601.0)
    assert len(there.control.leases) == 0


@KINDS
def test_answers_to_what_was_not_asked_change_nothing(knows: str) -> None:
    """Another nonce, another port, another carrier, or nothing asked at all."""
    there = talk(Router(knows))
    there.control.advance(0.0)
    there.until(3.0)
    before = there.control.leases
    forger = talk(Router(knows, lifetime=60))
    forger.control = PortControl(OURS, [Wish(Carrier.TCP, 99, 99)], lambda count: b"\x08" * count, 0.0)
    forger.control.advance(0.0)
    forger.until(1.0)
    assert forger.router is not None
    for _, datagram in forger.sent:
        there.control.receive(forger.router.answer(datagram, 4.0) or b"", 4.0)
    assert there.control.leases == before
    assert there.control.next_deadline() > 800


@given(st.lists(st.binary(max_size=80) | st.binary(min_size=58, max_size=62).map(lambda data: b"\x02\x81" + data)))
def test_junk_changes_nothing(datagrams: list[bytes]) -> None:
    there = control()
    there.advance(0.0)
    for datagram in datagrams:
        there.receive(datagram, 0.1)
    assert there.leases == ()


def test_an_ipv6_address_is_mapped_to_itself() -> None:
    there = Talk(control(ours="2001:db8::5"), Router("pcp"))
    there.control.advance(0.0)
    there.until(1.0)
    assert {lease.external_host for lease in there.control.leases} == {"2001:db8::5"}


def test_a_refusal_for_more_than_a_hundred_years_is_asked_about_within_half_an_hour() -> None:
    class Grim(Router):
        def answer(self, data: bytes, now: float) -> bytes | None:
            said = super().answer(data, now)
            return said[:4] + b"\xff" * 4 + said[8:] if said is not None and said[3] else said

    router = Grim("pcp", refuses=8)
    there = talk(router)
    there.control.advance(0.0)
    there.until(10.0)
    assert there.control.refusal == "the router has no room for it"
    router.refuses = 0
    there.until(10.0 + MOST_REFUSED_SECONDS)
    assert len(there.control.leases) == 2


@KINDS
def test_a_router_that_always_forgets_is_asked_at_a_bounded_pace(knows: str) -> None:
    class Forgetful(Router):
        def answer(self, data: bytes, now: float) -> bytes | None:
            self.born += 1000.0
            return super().answer(data, now)

    there = talk(Forgetful(knows, born=-1e7))
    there.control.advance(0.0)
    there.until(600.0)
    assert 2 < len(there.sent) <= BURST + MOST_TRIES + 600 / PACE_SECONDS
    there.control.release(there.now)
    there.until(there.now + 1.0)
    assert there.control.leases == ()


@KINDS
def test_what_was_granted_before_and_comes_late_is_not_taken_for_the_end(knows: str) -> None:
    router = Router(knows)
    there = talk(router)
    there.control.advance(0.0)
    there.until(10.0)
    late = [router.answer(datagram, there.now) for _, datagram in there.sent]
    there.control.release(there.now)
    there.control.take_datagrams()  # lost
    for answer in filter(None, late):
        there.control.receive(answer, there.now)
    there.until(20.0)
    assert (router.held, there.control.leases) == ({}, ())
