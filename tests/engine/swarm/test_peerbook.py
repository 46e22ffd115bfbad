from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.address import Address
from bittern.base.transport import Transport
from bittern.engine.swarm import peerbook as module
from bittern.engine.swarm.approach import Approach, Past
from bittern.engine.swarm.bans import Bans
from bittern.engine.swarm.peerbook import (
    FAILURES_MOST,
    HEARSAY_FAILURES_MOST,
    MOST_HEARSAY,
    RETRY_MOST_SECONDS,
    RETRY_SECONDS,
    Peerbook,
    Source,
)
from bittern.engine.swarm.scouting import REUNION_SECONDS, SCOUT_SECONDS
from bittern.wire.ut_pex import PexFlag

ANN, BOB, CAT = (Address(f"10.0.0.{number}", 51413) for number in (1, 2, 3))


def book(*addresses: Address, source: Source = Source.TRACKER) -> Peerbook:
    peerbook = Peerbook(Random(3))
    for address in addresses:
        assert peerbook.add(address, source, 0.0)
    return peerbook


def dialed(peerbook: Peerbook, now: float) -> Address | None:
    candidate = peerbook.next(now)
    return candidate.address if candidate is not None else None


@pytest.mark.parametrize(
    ("host", "port"),
    [("0.0.0.0", 1), ("224.0.0.1", 1), ("255.255.255.255", 1), ("::", 1), ("ff02::1", 1), ("10.0.0.1", 0)],
)
@pytest.mark.parametrize("source", list(Source))
def test_what_is_no_peers_address_is_not_taken(host: str, port: int, source: Source) -> None:
    peerbook = book()
    assert not peerbook.add(Address(host, port), source, 0.0)
    assert (len(peerbook), peerbook.next_due()) == (0, None)


def test_an_address_is_taken_once_whoever_names_it() -> None:
    peerbook = book(ANN)
    assert not peerbook.add(ANN, Source.MANUAL, 0.0)
    assert peerbook.add(Address(ANN.host, 1), Source.TRACKER, 0.0)
    assert len(peerbook) == 2


def test_each_candidate_is_dialed_once_at_a_time() -> None:
    peerbook = book(ANN, BOB)
    assert {dialed(peerbook, 0.0), dialed(peerbook, 0.0)} == {ANN, BOB}
    assert (dialed(peerbook, 1e9), peerbook.next_due()) == (None, None)


def test_the_users_own_word_is_tried_first() -> None:
    peerbook = book(*(Address("10.0.1.1", port) for port in range(1, 50)))
    peerbook.add(ANN, Source.MANUAL, 0.0)
    assert dialed(peerbook, 0.0) == ANN


def test_ports_of_services_are_tried_last_unless_the_user_named_them() -> None:
    ranks = {"10.0.0.9": 1.0}
    for rank in (None, lambda address: ranks.get(address.host, 0.0)):
        service, chosen = Address("10.0.0.9", 25), Address("10.0.0.8", 80)
        peerbook = book(service, ANN, BOB, CAT)
        if rank is not None:
            peerbook.rank(rank)
        peerbook.add(chosen, Source.MANUAL, 0.0)
        order = [dialed(peerbook, 0.0) for _ in range(5)]
        assert (order[0], order[4]) == (chosen, service)


def test_the_highest_rank_is_tried_first_also_of_those_that_come_later() -> None:
    peerbook = book(BOB)
    peerbook.rank(lambda address: int(address.host[-1]) / 10)
    for address in (CAT, ANN):
        peerbook.add(address, Source.TRACKER, 0.0)
    assert [dialed(peerbook, 0.0) for _ in range(3)] == [CAT, BOB, ANN]


def test_who_failed_is_tried_after_who_did_not() -> None:
    peerbook = book(ANN, source=Source.MANUAL)
    dialed(peerbook, 0.0)
    peerbook.ended(ANN, 0.0, useful=False)
    peerbook.add(BOB, Source.TRACKER, 0.0)
    assert dialed(peerbook, 1000.0) == BOB


@given(st.integers(1, FAILURES_MOST - 1), st.integers(0, 99))
def test_waits_double_with_jitter_up_to_a_bound(failures: int, seed: int) -> None:
    peerbook, now = Peerbook(Random(seed)), 0.0
    peerbook.add(ANN, Source.TRACKER, now)
    for count in range(failures):
        assert dialed(peerbook, now) == ANN
        peerbook.ended(ANN, now, useful=False)
        plain = min(RETRY_SECONDS * 2**count, RETRY_MOST_SECONDS)
        due = peerbook.next_due()
        assert due is not None
        assert 0.75 * plain <= due - now <= 1.25 * plain
        assert dialed(peerbook, due - 0.01) is None
        now = due


def test_an_address_that_never_answers_is_forgotten_unless_the_user_gave_it() -> None:
    for source, kept in ((Source.TRACKER, 0), (Source.MANUAL, 1)):
        peerbook = book(ANN, source=source)
        for at in range(FAILURES_MOST):
            assert dialed(peerbook, at * 1e4) == ANN
            peerbook.ended(ANN, at * 1e4, useful=False)
        assert len(peerbook) == kept


def test_a_useful_connection_wipes_failures_out() -> None:
    peerbook = book(ANN)
    for at in range(FAILURES_MOST * 3):
        now = at * 1e4
        assert dialed(peerbook, now) == ANN
        peerbook.connected(ANN)
        assert dialed(peerbook, now + 5e3) is None
        peerbook.ended(ANN, now + 6e3, useful=at % 2 == 0)
    due = peerbook.next_due()
    assert due is not None


def test_who_was_useful_and_fell_silent_is_tried_at_once_and_if_that_fails_as_others_are() -> None:
    peerbook = book(ANN)
    assert dialed(peerbook, 0.0) == ANN
    peerbook.connected(ANN)
    peerbook.ended(ANN, 100.0, useful=True, vanished=True)
    assert dialed(peerbook, 100.0) == ANN
    peerbook.ended(ANN, 107.0, useful=False)
    due = peerbook.next_due()
    assert due is not None
    assert due >= 107.0 + 0.75 * RETRY_SECONDS


def test_who_was_of_no_use_and_fell_silent_is_not_tried_at_once() -> None:
    peerbook = book(ANN)
    assert dialed(peerbook, 0.0) == ANN
    peerbook.connected(ANN)
    peerbook.ended(ANN, 100.0, useful=False, vanished=True)
    assert dialed(peerbook, 100.0) is None


def test_who_has_everything_as_we_do_is_left_alone_until_we_are_hungry() -> None:
    peerbook = book(ANN)
    dialed(peerbook, 0.0)
    peerbook.connected(ANN)
    peerbook.ended(ANN, 0.0, useful=True, sated=True)
    due = peerbook.next_due()
    assert due is not None
    assert due >= 0.75 * module.SATED_SECONDS
    peerbook.hungry(10.0)
    assert peerbook.next_due() == 10.0
    assert dialed(peerbook, 10.0) == ANN


def test_who_answered_us_is_to_be_found_again_the_best_first() -> None:
    addresses = [Address(f"10.0.1.{number}", 51413) for number in range(1, 7)]
    peerbook = book(*addresses)
    fails, called, here, banned, silent, left = addresses
    while dialed(peerbook, 0.0) is not None:
        pass
    peerbook.connected(called)  # it dialed us, and says that it listens there
    for address in (fails, here, banned, left):
        peerbook.connected(address, reached=True)
    peerbook.ended(fails, 0.0, useful=True)
    peerbook.ended(fails, 1.0, useful=False)
    peerbook.ended(left, 0.0, useful=True)
    peerbook.ended(silent, 0.0, useful=False)
    peerbook.connected(here)
    peerbook.ban(banned.host)
    assert peerbook.reached(9) == [here, left, fails]
    assert peerbook.reached(2) == [here, left]


def alone(*addresses: Address) -> Peerbook:
    """A book whose candidates all answered, at 0 s; then they left, and none can be reached any more."""
    peerbook = book(*addresses)
    peerbook.hungry(0.0)
    for _ in addresses:
        address = dialed(peerbook, 0.0)
        assert address is not None
        peerbook.connected(address, reached=True)
    peerbook.company(0.0)
    for address in addresses:
        peerbook.ended(address, 0.0, useful=True)
    peerbook.deserted(0.0)
    return peerbook


def tries(peerbook: Peerbook, until: float) -> list[tuple[float, Address]]:
    """Who was dialed when, each in vain."""
    found = []
    while (due := peerbook.next_due()) is not None and due <= until:
        address = dialed(peerbook, due)
        assert address is not None
        peerbook.unreachable(address, due + 10.0)
        found.append((due, address))
    return found


def test_with_nobody_there_those_who_answered_before_are_tried_in_turn_and_not_forgotten() -> None:
    peerbook = alone(ANN, BOB, CAT)
    found = [(at, address) for at, address in tries(peerbook, 8 * 3600.0) if at > 3600.0]
    for address in (ANN, BOB, CAT):
        times = [at for at, whom in found if whom == address]
        assert max(later - at for at, later in pairwise(times)) <= 3 * SCOUT_SECONDS + 1
    times = [at for at, _ in found]
    assert max(later - at for at, later in pairwise(times)) <= SCOUT_SECONDS
    assert len(times) < 7 * 3600 / SCOUT_SECONDS * 1.2, "a bounded nuisance"


def test_when_somebody_is_there_again_all_others_are_tried_soon_once() -> None:
    peerbook = alone(ANN, BOB, CAT)
    tries(peerbook, 4000.0)
    peerbook.connected(ANN)
    peerbook.company(4000.0)
    again = tries(peerbook, 4000.0 + REUNION_SECONDS)
    assert {address for _, address in again} == {BOB, CAT}
    peerbook.deserted(4010.0)
    peerbook.company(4011.0)
    assert tries(peerbook, 4011.0 + REUNION_SECONDS) == []


def test_nobody_is_tried_out_of_turn_who_never_answered_or_answers_in_vain_or_where_nothing_is_wanted() -> None:
    peerbook = book(ANN)
    peerbook.hungry(0.0)
    assert [at for at, _ in tries(peerbook, 40.0)] != []
    assert len(tries(peerbook, 4000.0)) <= FAILURES_MOST
    peerbook = alone(BOB)
    found = dialed(peerbook, SCOUT_SECONDS)
    while found is not None and peerbook.reached(1):  # somebody else listens there now
        peerbook.ended(BOB, SCOUT_SECONDS, useful=False)
        found = dialed(peerbook, 2 * SCOUT_SECONDS)
    assert peerbook.reached(1) == []
    peerbook = alone(CAT)
    peerbook.content()
    assert len(tries(peerbook, 8 * 3600.0)) <= FAILURES_MOST


def test_who_was_found_in_an_earlier_run_is_kept_until_it_fails_for_good() -> None:
    peerbook = book(ANN, source=Source.RESUME)
    for at in range(FAILURES_MOST):
        assert peerbook.reached(9) == [ANN]
        assert dialed(peerbook, at * 1e4) == ANN
        peerbook.ended(ANN, at * 1e4, useful=False)
    assert peerbook.reached(9) == []


def test_our_own_address_is_never_dialed_again() -> None:
    peerbook = book(ANN)
    peerbook.is_self(ANN)
    assert (len(peerbook), dialed(peerbook, 0.0)) == (0, None)
    assert not peerbook.add(ANN, Source.TRACKER, 0.0)


def test_a_ban_is_for_the_host_whatever_the_port_and_for_good() -> None:
    peerbook = book(ANN, Address(ANN.host, 2), BOB)
    assert not peerbook.banned(ANN.host, 0.0)
    peerbook.ban(ANN.host)
    assert peerbook.banned(ANN.host, 1e9)
    assert [dialed(peerbook, 0.0), dialed(peerbook, 0.0)] == [BOB, None]
    peerbook.ended(ANN, 0.0, useful=True)
    assert dialed(peerbook, 1e6) is None
    assert not peerbook.add(Address(ANN.host, 3), Source.MANUAL, 0.0)


def test_a_ban_in_one_torrent_holds_in_all_and_ends_in_time() -> None:
    bans = Bans()
    here, there = Peerbook(Random(1), bans), Peerbook(Random(2), bans)
    for peerbook in (here, there):
        peerbook.add(ANN, Source.TRACKER, 0.0)
    bans.ban(ANN.host, 100.0)
    here.bans_changed(ANN.host, 0.0)
    assert here.next_due() == 100.0
    assert (dialed(here, 1.0), dialed(there, 1.0)) == (None, None)
    assert there.next_due() == 100.0
    assert not there.add(Address(ANN.host, 9), Source.TRACKER, 99.0)
    assert dialed(there, 100.0) == ANN
    assert bans.unban(BOB.host) is False


def test_who_is_no_longer_banned_may_be_dialed_at_once() -> None:
    bans = Bans()
    peerbook = Peerbook(Random(1), bans)
    peerbook.add(ANN, Source.TRACKER, 0.0)
    peerbook.ban(ANN.host)
    assert dialed(peerbook, 5.0) is None
    assert bans.unban(ANN.host)
    peerbook.bans_changed(ANN.host, 5.0)
    assert dialed(peerbook, 5.0) == ANN


def test_addresses_that_are_not_known_change_nothing() -> None:
    peerbook = book(ANN)
    peerbook.connected(BOB)
    peerbook.ended(BOB, 0.0, useful=False)
    assert (len(peerbook), dialed(peerbook, 0.0)) == (1, ANN)


def test_memory_is_bounded_and_failures_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CANDIDATES", 2)
    peerbook = book(ANN, BOB)
    assert not peerbook.add(CAT, Source.TRACKER, 0.0)
    first = dialed(peerbook, 0.0)
    assert first is not None
    peerbook.ended(first, 0.0, useful=False)
    assert peerbook.add(CAT, Source.TRACKER, 0.0)
    assert len(peerbook) == 2
    assert first not in {dialed(peerbook, 1e6), dialed(peerbook, 1e6)}


def test_a_torrent_knows_three_thousand_addresses_and_those_of_the_user() -> None:
    peerbook = Peerbook(Random(3))
    known = [Address(f"10.{number >> 8}.{number & 255}.1", 7) for number in range(3100)]
    assert sum(peerbook.add(address, Source.TRACKER, 0.0) for address in known) == len(peerbook) == 3000
    for address in (ANN, BOB):
        assert peerbook.add(address, Source.MANUAL, 0.0)
    assert len(peerbook) == 3000
    assert {dialed(peerbook, 0.0), dialed(peerbook, 0.0)} == {ANN, BOB}


@given(st.lists(st.tuples(st.sampled_from("adceshbruwx"), st.integers(0, 3)), max_size=40))
def test_the_next_due_is_always_when_there_is_a_next(steps: list[tuple[str, int]]) -> None:
    """What is remembered of the earliest due never differs from what a search would find."""
    peerbook, now = Peerbook(Random(1)), 0.0
    for step, at in steps:
        now += 10.0
        address = Address(f"10.0.0.{at + 1}", 7)
        if step == "a":
            peerbook.add(address, Source.TRACKER, now)
        elif step == "d":
            peerbook.next(now)
        elif step == "c":
            peerbook.connected(address)
        elif step == "e":
            peerbook.ended(address, now, useful=at % 2 == 0)
        elif step == "s":
            peerbook.ended(address, now, useful=True, sated=True)
        elif step == "h":
            peerbook.hungry(now)
        elif step == "r":
            peerbook.connected(address, reached=True)
        elif step == "u":
            peerbook.unreachable(address, now)
        elif step == "w":
            peerbook.company(now)
        elif step == "x":
            peerbook.deserted(now)
            if at == 0:
                peerbook.content()
        elif at == 3:
            peerbook.ban(address.host)
        due = peerbook.next_due()
        peerbook._due_known = False
        assert due == peerbook.next_due()
        if due is not None:
            candidate = peerbook.next(due)
            assert candidate is not None
            candidate.state = module._State.IDLE
            peerbook._due_known = False


def test_what_others_than_those_allowed_named_is_forgotten() -> None:
    peerbook = book(ANN, source=Source.TRACKER)
    peerbook.add(BOB, Source.DHT, 0.0)
    peerbook.add(CAT, Source.PEX, 0.0)
    peerbook.connected(BOB)
    assert peerbook.keep({Source.TRACKER}) == [BOB, CAT]
    peerbook.ended(BOB, 1.0, useful=True)
    assert len(peerbook) == 1
    assert dialed(peerbook, 2.0) == ANN


def test_what_other_peers_say_is_tried_after_all_else_and_sooner_forgotten() -> None:
    peerbook = Peerbook(Random(3))
    for number in range(20):
        assert peerbook.add(Address(f"10.1.{number}.1", 6881), Source.PEX, 0.0)
        assert peerbook.add(Address(f"10.2.{number}.1", 6881), Source.TRACKER, 0.0)
    for rank in (None, lambda address: 0.9 if address.host.startswith("10.1.") else 0.1):
        if rank is not None:
            peerbook.rank(rank)
        order = [address.host for _ in range(40) if (address := dialed(peerbook, 0.0)) is not None]
        assert [host[:5] for host in order] == ["10.2."] * 20 + ["10.1."] * 20
        for host in order:
            peerbook.ended(Address(host, 6881), 0.0, useful=False, sated=True)
        peerbook.hungry(0.0)
    told = Address("10.1.0.1", 6881)
    for failures in range(HEARSAY_FAILURES_MOST):
        assert told in peerbook, failures
        peerbook.ended(told, 0.0, useful=False)
    assert told not in peerbook
    assert peerbook.counts == {Source.TRACKER: 20, Source.PEX: 19}


def test_hearsay_that_somebody_else_confirms_is_so_no_longer() -> None:
    peerbook = book(ANN, BOB, CAT, source=Source.PEX)
    assert not peerbook.add(CAT, Source.TRACKER, 0.0)
    assert not peerbook.add(CAT, Source.PEX, 0.0)
    assert peerbook.counts == {Source.TRACKER: 1, Source.PEX: 2}
    assert not peerbook.add(BOB, Source.MANUAL, 0.0)
    assert [dialed(peerbook, 0.0) for _ in range(3)] == [BOB, CAT, ANN]


def test_liars_can_fill_a_third_of_the_book_and_what_failed_makes_room() -> None:
    peerbook = Peerbook(Random(3))
    told = [Address(f"10.{number >> 8}.{number & 255}.1", 6881) for number in range(MOST_HEARSAY + 1)]
    assert [peerbook.add(address, Source.PEX, 0.0) for address in told] == [True] * MOST_HEARSAY + [False]
    assert peerbook.add(ANN, Source.TRACKER, 0.0)
    peerbook.ended(told[7], 0.0, useful=False)
    assert peerbook.add(told[-1], Source.PEX, 0.0)
    assert told[7] not in peerbook
    assert peerbook.counts == {Source.TRACKER: 1, Source.PEX: MOST_HEARSAY}


def test_only_sources_that_may_be_used_are_believed_from_now_on() -> None:
    peerbook = Peerbook(Random(3))
    peerbook.add(ANN, Source.PEX, 0.0)
    peerbook.add(BOB, Source.TRACKER, 0.0)
    assert peerbook.keep({Source.TRACKER, Source.MANUAL}) == [ANN]
    assert not peerbook.add(ANN, Source.LSD, 0.0)
    assert peerbook.add(ANN, Source.MANUAL, 0.0)
    assert peerbook.counts == {Source.MANUAL: 1, Source.TRACKER: 1}


@given(
    st.lists(
        st.tuples(st.sampled_from(["add", "end", "self", "ours", "keep"]), st.integers(0, 9), st.sampled_from(Source))
    )
)
def test_counts_are_those_of_the_candidates(steps: list[tuple[str, int, Source]]) -> None:
    peerbook = Peerbook(Random(3))
    everybody = [Address(f"10.0.0.{number}", 51413) for number in range(1, 11)]
    for what, number, source in steps:
        address = everybody[number]
        match what:
            case "add":
                peerbook.add(address, source, 0.0)
            case "end":
                peerbook.ended(address, 0.0, useful=False)
            case "self":
                peerbook.is_self(address)
            case "ours":
                peerbook.ours((address,))
            case _:
                peerbook.keep(set(Source) - {source})
    assert sum(peerbook.counts.values()) == len(peerbook) == sum(address in peerbook for address in everybody)
    assert all(count > 0 for count in peerbook.counts.values())


def test_how_a_candidate_is_reached_is_remembered_as_others_tell_it_and_as_we_found() -> None:
    peerbook = Peerbook(Random(3))
    peerbook.add(ANN, Source.PEX, 0.0, PexFlag.UTP)
    assert not peerbook.add(ANN, Source.PEX, 0.0, PexFlag.REACHABLE)
    assert peerbook.past(ANN) == Past(PexFlag.UTP | PexFlag.REACHABLE)
    peerbook.learn(ANN, Approach(Transport.UTP, encrypted=False))
    assert peerbook.past(ANN) == Past(PexFlag.UTP | PexFlag.REACHABLE, Transport.UTP, plain=True)
    peerbook.learn(ANN, Approach(Transport.TCP, encrypted=True))
    assert peerbook.past(ANN) == Past(PexFlag.UTP | PexFlag.REACHABLE, Transport.TCP, plain=False)
    peerbook.learn(BOB, Approach())
    assert peerbook.past(BOB) is None


def test_a_name_that_a_proxy_looks_up_is_the_users_alone_to_give() -> None:
    alias, peerbook = Address("240.0.0.1", 7000), book()
    assert not any(peerbook.add(alias, source, 0.0) for source in Source if source is not Source.MANUAL)
    assert peerbook.add(alias, Source.MANUAL, 0.0)


def test_one_candidate_may_be_taken_whenever_its_turn_would_be() -> None:
    peerbook = book(ANN, BOB, CAT)
    peerbook.ended(ANN, 0.0, useful=False)
    taken = peerbook.take(ANN, 0.0)
    assert taken is not None
    assert taken.address == ANN
    assert peerbook.take(ANN, 0.0) is None
    peerbook.ban(BOB.host)
    assert peerbook.take(BOB, 0.0) is None
    assert peerbook.take(Address("10.9.9.9", 9), 0.0) is None
    assert dialed(peerbook, 0.0) == CAT


def test_how_candidates_were_reached_outlasts_a_run() -> None:
    first, second = book(ANN, BOB), book(ANN, BOB)
    first.learn(BOB, Approach(Transport.UTP, encrypted=True))
    codes = first.codes([CAT, BOB, ANN])
    assert len(codes) == 3
    second.recall([CAT, BOB, ANN], codes)
    assert [second.past(who) for who in (ANN, BOB, CAT)] == [Past(), Past(first=Transport.UTP), None]
    second.recall([ANN, BOB], b"")
    assert second.past(BOB) == Past(first=Transport.UTP)
