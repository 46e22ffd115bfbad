import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bittern.base.address import Address
from bittern.base.errors import Offence, RemoteProtocolError
from bittern.engine.sources.gossip import (
    FIRST_SECONDS,
    INTERVAL_SECONDS,
    LOOK_SECONDS,
    MOST_EXCESS,
    MOST_RECENT,
    TURN_SECONDS,
    TURNS,
    Ear,
    Gossip,
)
from bittern.wire.ut_pex import MOST, PexFlag, PexMessage

NONE, SEED = PexFlag.NONE, PexFlag.SEED


def at(number: int, *, ipv6: bool = False) -> Address:
    return Address(f"2001:db8::{number + 1:x}" if ipv6 else f"10.{number >> 8}.{number & 255}.1", 6881)


def crowd(*numbers: int) -> dict[Address, PexFlag]:
    return {at(number): NONE for number in numbers}


def told(message: PexMessage | None) -> tuple[list[Address], list[Address]]:
    return (list(message.added), list(message.dropped)) if message is not None else ([], [])


def test_a_newcomer_is_told_of_all_others_soon_and_of_itself_never() -> None:
    gossip = Gossip()
    gossip.joined(1, 10.0)
    assert gossip.due(10.0 + FIRST_SECONDS - 0.1) == []
    assert gossip.due(10.0 + FIRST_SECONDS) == [1]
    assert told(gossip.next(1, crowd(1, 2, 3), {at(1)}, 13.0)) == ([at(2), at(3)], [])


@given(st.lists(st.floats(0.0, 0.1), min_size=2, max_size=TURNS))
def test_those_that_come_at_once_are_told_one_after_the_other(gaps: list[float]) -> None:
    gossip, now, dues = Gossip(), 0.0, list[float]()
    for number, gap in enumerate(gaps):
        now += gap
        gossip.joined(number, now)
        dues.append(now + FIRST_SECONDS + number * TURN_SECONDS)
    for number, due in enumerate(dues):
        assert gossip.due(due - 0.01) == list(range(number))
        gossip.joined(number, due)  # it says again what it speaks: that puts nothing off
        assert gossip.due(due + 0.01) == list(range(number + 1))


def test_a_listener_hears_at_most_once_a_minute_what_changed() -> None:
    gossip = Gossip()
    gossip.joined(1, 0.0)
    gossip.next(1, crowd(2, 3), (), 5.0)
    assert gossip.due(5.0 + INTERVAL_SECONDS - 0.1) == []
    assert gossip.due(5.0 + INTERVAL_SECONDS) == [1]
    assert told(gossip.next(1, crowd(3, 4), (), 65.0)) == ([at(4)], [at(2)])
    assert gossip.next(1, crowd(3, 4), (), 125.0) is None
    assert gossip.due(125.0 + LOOK_SECONDS) == [1]  # nothing was said: it need not wait a minute again


def test_who_came_and_went_in_between_is_not_told_of() -> None:
    gossip = Gossip()
    gossip.joined(1, 0.0)
    gossip.next(1, crowd(2), (), 3.0)
    assert gossip.next(1, crowd(2), (), 63.0) is None


def test_who_left_is_told_nothing_and_who_comes_again_is_told_everything() -> None:
    gossip = Gossip()
    gossip.joined(1, 0.0)
    gossip.next(1, crowd(2), (), 3.0)
    gossip.joined(1, 4.0)  # it said again what it speaks
    assert gossip.due(60.0) == []
    gossip.left(1)
    assert gossip.due(1000.0) == []
    gossip.joined(1, 1000.0)
    assert told(gossip.next(1, crowd(2), (), 1003.0)) == ([at(2)], [])


def test_a_large_crowd_is_told_of_fifty_by_fifty() -> None:
    gossip = Gossip()
    gossip.joined(1, 0.0)
    everybody = crowd(*range(120))
    sizes = []
    for minute in range(4):
        message = gossip.next(1, everybody, (), 60.0 * minute)
        sizes.append(len(message.added) if message is not None else 0)
    assert sizes == [MOST, MOST, 20, 0]
    sizes = [len(told(gossip.next(1, {}, (), 600.0 + 60.0 * minute))[1]) for minute in range(4)]
    assert sizes == [MOST, MOST, 20, 0]


def test_seeds_that_parted_are_told_of_and_taken_back_with_the_next_message() -> None:
    gossip = Gossip()
    gossip.parted(at(9), SEED)
    gossip.joined(1, 0.0)
    message = gossip.next(1, crowd(2), (), 3.0)
    assert message is not None
    assert dict(message.added) == {at(2): NONE, at(9): SEED}
    assert told(gossip.next(1, crowd(2), (), 63.0)) == ([], [at(9)])
    assert gossip.next(1, crowd(2), (), 123.0) is None
    gossip.parted(at(9), SEED)  # it was here again
    assert told(gossip.next(1, crowd(2), (), 183.0)) == ([at(9)], [])


@pytest.mark.parametrize("ipv6", [False, True])
def test_of_those_that_parted_only_a_few_are_told_of_and_none_in_a_crowd(ipv6: bool) -> None:  # noqa: FBT001 - a parameter
    gossip = Gossip()
    for number in range(MOST_RECENT + 5):
        gossip.parted(at(number, ipv6=ipv6), SEED)
    gossip.joined(1, 0.0)
    gossip.joined(2, 0.0)
    alone = told(gossip.next(1, {}, (), 3.0))[0]
    assert alone == [at(number, ipv6=ipv6) for number in range(5, MOST_RECENT + 5)]
    many = {at(100 + number, ipv6=ipv6): NONE for number in range(MOST_RECENT)}
    assert told(gossip.next(2, many, (), 3.0))[0] == list(many)
    others = {at(100 + number, ipv6=not ipv6): NONE for number in range(MOST_RECENT)}
    gossip.joined(3, 0.0)
    assert len(told(gossip.next(3, others, (), 3.0))[0]) == MOST  # each family for itself


PEOPLE = st.integers(0, 80)
STEPS = st.lists(
    st.tuples(st.sampled_from(["comes", "goes", "parts", "minute"]), st.lists(PEOPLE, min_size=1, max_size=70)),
    max_size=30,
)


@settings(max_examples=60)
@given(STEPS)
def test_what_a_listener_believes_follows_who_is_here(steps: list[tuple[str, list[int]]]) -> None:
    """The rules of BEP 11 hold in each message, and once nothing changes, the listener knows exactly who is here."""
    gossip = Gossip()
    gossip.joined(1, 0.0)
    live: dict[Address, PexFlag] = {}
    believed: set[Address] = set()
    now, last = FIRST_SECONDS, -INTERVAL_SECONDS

    def hear() -> bool:
        nonlocal last
        if gossip.due(now) != [1]:
            return False
        message = gossip.next(1, live, (at(0),), now)
        if message is None:
            return False
        assert now - last >= INTERVAL_SECONDS
        last = now
        added, dropped = set(message.added), set(message.dropped)
        assert len(message.added) <= MOST
        assert len(message.dropped) <= MOST
        assert added | dropped
        assert not added & dropped
        assert not added & believed
        assert dropped <= believed
        assert at(0) not in added
        believed.difference_update(dropped)
        believed.update(added)
        return True

    for what, people in steps:
        for number in people:
            if what == "comes":
                live.setdefault(at(number), NONE)
            elif what == "goes":
                live.pop(at(number), None)
            elif what == "parts" and live.pop(at(number), None) is not None:
                gossip.parted(at(number), SEED)
        if what == "minute":
            now += INTERVAL_SECONDS
        hear()
    quiet = 0
    while quiet < 3:
        now += INTERVAL_SECONDS
        quiet = 0 if hear() else quiet + 1
    assert believed == set(live) - {at(0)}


def test_an_ear_takes_two_messages_at_once_and_then_one_a_minute() -> None:
    ear = Ear()
    assert [ear.hears(0.0), ear.hears(1.0), ear.hears(2.0)] == [True, True, False]
    assert [ear.hears(60.0 * minute) for minute in range(2, 200)] == [True] * 198


def test_what_is_too_often_is_ignored_at_first_and_then_an_offence() -> None:
    ear = Ear()
    assert [ear.hears(0.0) for _ in range(2 + MOST_EXCESS)] == [True, True, *[False] * MOST_EXCESS]
    with pytest.raises(RemoteProtocolError) as caught:
        ear.hears(0.0)
    assert caught.value.offence is Offence.PEX_FLOOD


def test_who_talks_three_times_a_minute_is_half_heard_for_ever() -> None:
    """Timers differ: it does no harm, and is no reason to part."""
    ear = Ear()
    heard = sum(ear.hears(20.0 * number) for number in range(3000))
    assert heard == pytest.approx(1000, abs=2)
