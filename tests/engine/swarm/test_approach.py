from itertools import product
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.address import Address
from bittern.base.transport import Transport
from bittern.engine.swarm.approach import STAGGER_SECONDS, Approach, Attempt, Past, Ways
from bittern.wire.mse.policy import Encryption
from bittern.wire.stream import LinkLost, LossKind
from bittern.wire.ut_pex import PexFlag

FAR, NEAR = Address("93.184.216.34", 6881), Address("192.168.1.7", 6881)
TCP, UTP = Transport.TCP, Transport.UTP
LOST = LinkLost(LossKind.TIMED_OUT)
BOTH = Ways(tcp=True, utp=True)


def test_only_what_is_allowed_is_tried() -> None:
    for tcp, utp, utp_first in product((False, True), repeat=3):
        ways = Ways(tcp=tcp, utp=utp, utp_first=utp_first)
        assert sorted(way.name for way in ways.transports(FAR, Past())) == ["TCP"] * tcp + ["UTP"] * utp


def test_tcp_comes_first_where_nothing_speaks_for_utp() -> None:
    assert BOTH.transports(FAR, Past()) == (TCP, UTP)
    assert BOTH.transports(FAR, Past(said=PexFlag.UTP | PexFlag.REACHABLE)) == (TCP, UTP)


def test_who_speaks_utp_and_was_not_reached_by_others_is_tried_by_utp_first() -> None:
    assert BOTH.transports(FAR, Past(said=PexFlag.UTP)) == (UTP, TCP)
    assert BOTH.transports(NEAR, Past(said=PexFlag.UTP)) == (TCP, UTP)


def test_the_user_may_want_utp_first_but_not_in_the_local_network() -> None:
    ways = Ways(tcp=True, utp=True, utp_first=True)
    assert ways.transports(FAR, Past()) == (UTP, TCP)
    assert ways.transports(NEAR, Past()) == (TCP, UTP)


def test_what_worked_comes_before_all_hearsay_and_wishes() -> None:
    for first, said in product((False, True), (PexFlag.NONE, PexFlag.UTP)):
        ways = Ways(tcp=True, utp=True, utp_first=first)
        assert ways.transports(FAR, Past(said, TCP))[0] is TCP
        assert ways.transports(NEAR, Past(said, UTP))[0] is UTP


def test_encryption_goes_by_the_rule_and_by_what_the_peer_answered_to() -> None:
    def modes(rule: Encryption, *, plain: bool) -> tuple[bool, ...]:
        return Ways(encryption=rule).encrypted(Past(plain=plain))

    assert [modes(Encryption.OFF, plain=plain) for plain in (False, True)] == [(False,)] * 2
    assert [modes(Encryption.REQUIRE, plain=plain) for plain in (False, True)] == [(True,)] * 2
    assert modes(Encryption.PREFER, plain=False) == (True, False)
    assert modes(Encryption.PREFER, plain=True) == (False, True)


def test_the_second_transport_begins_after_a_while_or_when_the_first_has_failed() -> None:
    slow = Attempt(FAR, (TCP, UTP), (False,), 5.0)
    assert (slow.next_at, slow.begin(5.0)) == (5.0, Approach(TCP))
    assert slow.next_at == 5.0 + STAGGER_SECONDS
    quick = Attempt(FAR, (TCP, UTP), (False,), 5.0)
    assert not quick.failed(quick.begin(5.0), LOST, 5.1)
    assert (quick.next_at, quick.begin(5.1)) == (5.1, Approach(UTP))
    assert quick.failed(Approach(UTP), LOST, 6.0)


class Remote:
    """What lies at an address: which transports reach it, in what time, and to which beginning it answers."""

    def __init__(self, delays: dict[Transport, float], answers: set[bool]) -> None:
        self.delays = delays
        self.answers = answers

    def expected(self, order: tuple[Transport, ...], encrypted: tuple[bool, ...]) -> Approach | None:
        """The one that a dial comes to: naively, by the times of all connections that could be made."""
        ready: list[tuple[float, Transport]] = []
        start = 0.0
        for transport in order:
            delay = self.delays[transport]
            if delay < inf:
                ready.append((start + delay, transport))
            start = min(start + STAGGER_SECONDS, start + (FAIL_SECONDS if delay == inf else inf))
        if not ready:
            return None
        _, transport = min(ready)
        return next((Approach(transport, mode) for mode in encrypted if mode in self.answers), None)


FAIL_SECONDS = 0.25


@given(
    st.permutations([TCP, UTP]).flatmap(lambda order: st.sampled_from([tuple(order), tuple(order[:1])])),
    st.sampled_from([(True,), (False,), (True, False), (False, True)]),
    st.tuples(*[st.sampled_from([0.01, 0.3, 1.4, 3.1, inf])] * 2),
    st.sets(st.booleans()),
)
def test_a_dial_comes_to_what_a_naive_look_at_all_connections_says(
    order: tuple[Transport, ...], encrypted: tuple[bool, ...], delays: tuple[float, float], answers: set[bool]
) -> None:
    """Each approach is begun at most once, and the dial ends."""
    remote = Remote({TCP: delays[0], UTP: delays[1] + 0.001}, answers)
    attempt = Attempt(FAR, order, encrypted, 0.0)
    now, found = 0.0, None
    coming: list[tuple[float, Approach]] = []
    begun: list[Approach] = []
    while True:
        if attempt.next_at <= now:
            approach = attempt.begin(now)
            begun.append(approach)
            delay = remote.delays[approach.transport]
            coming.append((now + (delay if delay < inf else FAIL_SECONDS), approach))
            continue
        now = min([attempt.next_at, *(due for due, _ in coming)])
        if now == inf:
            break
        due = min(coming, default=(inf, Approach()))
        if due[0] > now:
            continue
        coming.remove(due)
        approach = due[1]
        if remote.delays[approach.transport] == inf:
            if attempt.failed(approach, LOST, now):
                break
            continue
        attempt.stood()
        coming.clear()
        if approach.encrypted in answers:
            found = approach
            break
        if not attempt.unanswered(approach, now):
            break
    assert found == remote.expected(order, encrypted)
    assert len(begun) == len(set(begun)) <= len(order) + len(encrypted) - 1
    assert found is not None or attempt.next_at == inf


PASTS = [Past(), *(Past(first=first, plain=plain) for first in (TCP, UTP) for plain in (False, True))]


@pytest.mark.parametrize("past", PASTS, ids=str)
def test_what_was_found_is_known_again_in_another_run(past: Past) -> None:
    again = Past()
    again.recall(past.code)
    assert again == past
    assert [each.code for each in PASTS].count(past.code) == 1


@given(st.integers(0, 255))
def test_what_is_no_code_says_nothing(code: int) -> None:
    past = Past(PexFlag.UTP, UTP)
    past.recall(code)
    assert past.code == (code if code in [each.code for each in PASTS[1:]] else Past(first=UTP).code)
