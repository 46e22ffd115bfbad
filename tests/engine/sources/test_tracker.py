"""When which tracker is told what: each event once, tiers in order, no tracker hammered."""

from copy import deepcopy
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bittern.base.errors import TrackerError
from bittern.engine.sources import tracker as module
from bittern.engine.sources.tracker import (
    FIRST_RETRY_SECONDS,
    HURRY_SECONDS,
    PATIENCE_SECONDS,
    RETRY_MOST_SECONDS,
    TrackerSource,
    TrackerState,
)
from bittern.wire.announce import AnnounceReply, Event

A, B, C, D = (f"http://{name}/announce" for name in "abcd")
REPLY = AnnounceReply(interval=1800)
REFUSED = TrackerError("refused")


def source(*tiers: tuple[str, ...], seed: int = 0) -> TrackerSource:
    return TrackerSource(tiers, Random(seed), 0.0)


def asked(trackers: TrackerSource) -> TrackerState:
    """The one that is being asked; one of somebody else when there is none."""
    return next((state for state in trackers.trackers if state.busy), TrackerState("http://nobody"))


def answered(trackers: TrackerSource, reply: AnnounceReply, now: float) -> None:
    trackers.answered(asked(trackers), reply, now)


def failed(trackers: TrackerSource, error: TrackerError, now: float) -> float:
    return trackers.failed(asked(trackers), error, now)


def announce(trackers: TrackerSource, now: float) -> tuple[str, Event | None]:
    wish = trackers.next(now)
    assert wish is not None
    return wish.tracker.url, wish.event


def test_started_is_said_once_and_then_only_at_the_interval() -> None:
    trackers = source((A,))
    assert trackers.next_due() == 0.0
    assert announce(trackers, 0.0) == (A, Event.STARTED)
    assert (trackers.next(0.0), trackers.next_due()) == (None, None)  # one at a time
    answered(trackers, REPLY, 1.0)
    assert trackers.next_due() == 1801.0
    assert trackers.next(1800.9) is None
    assert announce(trackers, 1801.0) == (A, None)


def test_a_tracker_is_never_asked_before_its_least_interval_whatever_the_other_one_is() -> None:
    trackers = source((A,))
    announce(trackers, 0.0)
    answered(trackers, AnnounceReply(interval=300, min_interval=900), 0.0)
    assert trackers.next_due() == 900.0
    assert trackers.next(899.0) is None


def test_a_started_that_was_not_answered_is_said_again() -> None:
    trackers = source((A,))
    announce(trackers, 0.0)
    failed(trackers, REFUSED, 0.0)
    due = trackers.next_due()
    assert due is not None
    assert announce(trackers, due) == (A, Event.STARTED)


def test_completed_is_said_once() -> None:
    trackers = source((A,))
    announce(trackers, 0.0)
    answered(trackers, REPLY, 0.0)
    assert trackers.next_due() == 1800.0
    trackers.completed()
    assert trackers.next_due() == 0.0
    assert announce(trackers, 5.0) == (A, Event.COMPLETED)
    answered(trackers, REPLY, 6.0)
    assert trackers.next(6.0) is None
    assert announce(trackers, 1806.0) == (A, None)


def test_a_download_that_ends_before_the_start_was_answered_is_announced_as_completed() -> None:
    trackers = source((A,))
    assert announce(trackers, 0.0) == (A, Event.STARTED)
    trackers.completed()
    answered(trackers, REPLY, 1.0)
    assert announce(trackers, 1.0) == (A, Event.COMPLETED)


def test_a_completed_that_fails_is_said_again_but_not_at_once() -> None:
    """Else a tracker that is gone would be asked as fast as it refuses."""
    trackers = source((A,))
    announce(trackers, 0.0)
    answered(trackers, REPLY, 0.0)
    trackers.completed()
    announce(trackers, 5.0)
    wait = failed(trackers, REFUSED, 5.0)
    assert wait >= 0.75 * FIRST_RETRY_SECONDS
    assert trackers.next_due() == 5.0 + wait
    assert trackers.next(5.0) is None
    assert announce(trackers, 5.0 + wait) == (A, Event.COMPLETED)
    answered(trackers, REPLY, 30.0)
    assert trackers.next(30.0) is None


def test_a_completed_that_fails_waits_while_the_next_tracker_is_started() -> None:
    trackers = source((A,), (B,))
    announce(trackers, 0.0)
    answered(trackers, REPLY, 0.0)
    trackers.completed()
    announce(trackers, 5.0)
    failed(trackers, REFUSED, 5.0)
    assert announce(trackers, 5.0) == (B, Event.STARTED)


def test_what_was_complete_from_the_start_is_not_announced_as_completed() -> None:
    trackers = source((A,))
    trackers.completed()
    assert announce(trackers, 0.0) == (A, Event.STARTED)
    answered(trackers, REPLY, 0.0)
    assert trackers.next(1.0) is None


def test_stopped_is_said_once_to_everyone_who_knows_of_us() -> None:
    trackers = source((A,), (B,), (C,))
    announce(trackers, 0.0)
    failed(trackers, REFUSED, 0.0)
    announce(trackers, 0.0)
    answered(trackers, AnnounceReply(1800, tracker_id=b"id"), 0.0)
    announce(trackers, 20.0)
    answered(trackers, REPLY, 20.0)
    trackers.stop()
    assert trackers.next_due() == 0.0
    goodbyes = [trackers.next(21.0) for _ in range(3)]
    assert [(wish.tracker.url, wish.event, wish.tracker.tracker_id) for wish in goodbyes if wish] == [
        (A, Event.STOPPED, None),
        (B, Event.STOPPED, b"id"),
    ]
    assert all(wish is None or wish.goodbye for wish in goodbyes)
    assert (trackers.next(99999.0), trackers.next_due()) == (None, None)


def test_nobody_is_told_of_the_end_who_was_not_told_of_the_start() -> None:
    trackers = source((A,))
    trackers.stop()
    assert (trackers.next(0.0), trackers.next_due()) == (None, None)


def test_a_start_that_is_under_way_is_taken_back_as_well() -> None:
    trackers = source((A,))
    announce(trackers, 0.0)
    trackers.stop()
    assert announce(trackers, 0.0) == (A, Event.STOPPED)
    answered(trackers, REPLY, 1.0)  # to the start: it changes nothing any more
    assert (trackers.next(9999.0), trackers.next_due()) == (None, None)


def test_after_a_pause_it_starts_again() -> None:
    trackers = source((A,))
    announce(trackers, 0.0)
    answered(trackers, REPLY, 0.0)
    trackers.stop()
    announce(trackers, 1.0)
    assert trackers.next(1.0) is None
    trackers.restart(2.0)
    assert announce(trackers, 2.0) == (A, Event.STARTED)
    answered(trackers, REPLY, 2.0)
    assert trackers.next(3.0) is None


def test_the_first_tracker_that_works_is_the_only_one_asked() -> None:
    trackers = source((A,), (B,), (C,))
    announce(trackers, 0.0)
    failed(trackers, REFUSED, 0.0)
    assert announce(trackers, 0.0) == (B, Event.STARTED)
    answered(trackers, REPLY, 0.0)
    assert trackers.next(1.0) is None
    assert announce(trackers, 100.0) == (A, Event.STARTED)  # the better tier is tried again
    answered(trackers, REPLY, 100.0)
    assert trackers.next(1801.0) is None
    assert announce(trackers, 1900.0) == (A, None)


def test_while_a_tracker_hangs_at_its_first_announce_the_next_is_asked_too() -> None:
    trackers = source((A,), (B,), (C,))
    assert announce(trackers, 0.0) == (A, Event.STARTED)
    assert trackers.next_due() == PATIENCE_SECONDS
    assert trackers.next(PATIENCE_SECONDS - 0.1) is None
    assert announce(trackers, PATIENCE_SECONDS) == (B, Event.STARTED)
    assert trackers.next_due() == 2 * PATIENCE_SECONDS
    one, other, _ = trackers.trackers
    trackers.answered(other, REPLY, 6.0)
    assert (trackers.next(1000.0), trackers.next_due()) == (None, 1806.0)
    trackers.answered(one, REPLY, 1000.0)  # late, but better
    assert trackers.next_due() == 2800.0
    assert announce(trackers, 2800.0) == (A, None)
    assert (trackers.next(9e9), trackers.next_due()) == (None, None)  # it works; it may take its time
    trackers.stop()
    assert [announce(trackers, 2801.0) for _ in range(2)] == [(A, Event.STOPPED), (B, Event.STOPPED)]


def test_many_trackers_that_hang_are_asked_one_after_the_other_and_none_twice() -> None:
    trackers = source(*((f"http://{number}/announce",) for number in range(12)))
    times, now = [], 0.0
    while (due := trackers.next_due()) is not None:
        now = max(now, due)
        announce(trackers, now)
        times.append(now)
    assert times == [number * PATIENCE_SECONDS for number in range(12)]
    for state in trackers.trackers:
        trackers.failed(state, REFUSED, 100.0)
    due = trackers.next_due()
    assert due is not None
    assert due >= 100.0 + 0.75 * FIRST_RETRY_SECONDS


def test_who_answers_moves_to_the_front_of_its_tier() -> None:
    trackers = source((A, B, C, D))
    order = [state.url for state in trackers.trackers]
    for _ in range(2):
        announce(trackers, 0.0)
        failed(trackers, REFUSED, 0.0)
    assert announce(trackers, 0.0)[0] == order[2]
    answered(trackers, REPLY, 0.0)
    assert [state.url for state in trackers.trackers] == [order[2], order[0], order[1], order[3]]


def test_tiers_are_shuffled_inside_but_stay_in_order() -> None:
    firsts = set()
    for seed in range(30):
        urls = [state.url for state in source((A, B, C), (D,), seed=seed).trackers]
        assert sorted(urls[:3]) == [A, B, C]
        assert urls[3] == D
        firsts.add(urls[0])
    assert firsts == {A, B, C}


def test_the_same_url_in_two_tiers_is_two_entries() -> None:
    trackers = source((A,), (A,), (B,))
    for _ in range(2):
        assert announce(trackers, 0.0)[0] == A
        failed(trackers, REFUSED, 0.0)
    assert announce(trackers, 0.0)[0] == B
    answered(trackers, REPLY, 0.0)
    assert [state.url for state in trackers.trackers] == [A, A, B]


def test_other_protocols_are_named_and_not_asked() -> None:
    trackers = source(("foo://x:1", A), ("wss://y",))
    assert [state.url for state in trackers.trackers] == [A]
    assert trackers.unsupported == ("foo://x:1", "wss://y")
    assert source().next_due() is None


@given(st.integers(1, 40), st.integers(0, 1000))
def test_waits_double_with_jitter_up_to_a_bound(failures: int, seed: int) -> None:
    trackers = source((A,), seed=seed)
    now = 0.0
    for count in range(1, failures + 1):
        announce(trackers, now)
        wait = failed(trackers, REFUSED, now)
        plain = min(FIRST_RETRY_SECONDS * 2 ** (count - 1), RETRY_MOST_SECONDS)
        assert 0.75 * plain <= wait <= 1.25 * plain
        assert trackers.next_due() == now + wait
        assert trackers.next(now + wait * 0.99) is None
        now += wait


def test_a_tracker_may_say_when_to_come_back() -> None:
    trackers = source((A,))
    announce(trackers, 0.0)
    assert failed(trackers, TrackerError("full", retry_in=5000.0), 0.0) == 5000.0
    trackers.hurry(1.0)
    assert trackers.next_due() == 5000.0


def test_a_tracker_that_never_wants_to_see_us_again_is_left_alone() -> None:
    trackers = source((A,))
    announce(trackers, 0.0)
    assert failed(trackers, TrackerError("go away", retry_in=float("inf")), 0.0) == float("inf")
    assert trackers.next_due() is None
    assert trackers.next(1e9) is None


@pytest.mark.parametrize(
    ("reply", "due"),
    [
        (AnnounceReply(1800), HURRY_SECONDS),
        (AnnounceReply(1800, min_interval=900), 900.0),
        (AnnounceReply(60), 60.0),
    ],
)
def test_without_peers_we_hurry_as_far_as_the_tracker_allows(reply: AnnounceReply, due: float) -> None:
    trackers = source((A,))
    announce(trackers, 0.0)
    answered(trackers, reply, 0.0)
    trackers.hurry(10.0)
    assert trackers.next_due() == due
    assert trackers.next(due - 0.1) is None
    assert announce(trackers, due) == (A, None)


def test_hurrying_does_not_shorten_a_backoff() -> None:
    trackers = source((A,))
    announce(trackers, 0.0)
    wait = failed(trackers, REFUSED, 0.0)
    trackers.hurry(1.0)
    assert trackers.next_due() == wait


def test_what_a_tracker_says_is_kept_for_people() -> None:
    trackers = source((A,))
    announce(trackers, 0.0)
    failed(trackers, TrackerError("not registered"), 0.0)
    assert trackers.trackers[0].message == "not registered"
    announce(trackers, 30.0)
    answered(trackers, AnnounceReply(1800, warning="old client"), 30.0)
    assert trackers.trackers[0].message == "old client"
    answered(trackers, REPLY, 31.0)  # nothing was asked
    assert trackers.trackers[0].message == "old client"
    assert failed(trackers, REFUSED, 31.0) == float("inf")


def test_all_trackers_are_told_of_us_at_once_where_that_is_wanted() -> None:
    trackers = TrackerSource(((A, B), (C,)), Random(0), 0.0, to_all=True)
    wishes = [trackers.next(0.0) for _ in range(3)]
    assert {wish.tracker.url for wish in wishes if wish} == {A, B, C}
    assert (trackers.next(0.0), trackers.next_due()) == (None, None)
    for number, wish in enumerate(wishes):
        assert wish is not None
        assert wish.event is Event.STARTED
        trackers.answered(wish.tracker, AnnounceReply(interval=600 + 100 * number), 0.0)
    assert trackers.next_due() == 600.0
    again = trackers.next(600.0)
    assert again is not None
    assert again.event is None
    assert trackers.next_due() == 700.0


def test_each_of_all_trackers_has_its_own_backoff_and_hears_of_the_end_once() -> None:
    trackers = TrackerSource(((A,), (B,)), Random(0), 0.0, to_all=True)
    first, second = trackers.next(0.0), trackers.next(0.0)
    assert first is not None
    assert second is not None
    trackers.answered(first.tracker, REPLY, 0.0)
    wait = trackers.failed(second.tracker, REFUSED, 0.0)
    trackers.completed()
    wish = trackers.next(1.0)
    assert wish is not None
    assert (wish.tracker.url, wish.event) == (A, Event.COMPLETED)
    trackers.answered(wish.tracker, REPLY, 1.0)
    assert trackers.next(1.0) is None
    late = trackers.next(wait)
    assert late is not None
    assert (late.tracker.url, late.event) == (B, Event.STARTED)
    trackers.answered(late.tracker, REPLY, wait)
    trackers.stop()
    goodbyes = [trackers.next(100.0) for _ in range(3)]
    assert [wish.tracker.url for wish in goodbyes if wish] == [A, B]


def test_those_that_the_user_named_are_trusted() -> None:
    trackers = TrackerSource(((A,), (B,)), Random(0), 0.0, trusted=(B,))
    assert [state.trusted for state in trackers.trackers] == [False, True]


STEPS = st.lists(
    st.sampled_from(
        (
            "answer first",
            "answer last",
            "fail first",
            "fail last",
            "wait",
            "pass",
            "complete",
            "stop",
            "restart",
            "hurry",
        )
    ),
    max_size=40,
)


@settings(max_examples=200)
@given(STEPS, st.integers(0, 20))
def test_any_course_of_events_tells_each_tracker_a_proper_story(steps: list[str], seed: int) -> None:
    """For one tracker: started first and once, completed at most once, stopped last; never asked in a hot loop."""
    trackers = source((A, B), (C,), seed=seed)
    told: dict[str, list[Event | None]] = {A: [], B: [], C: []}
    known: dict[str, bool] = dict.fromkeys(told, False)
    busy: dict[TrackerState, tuple[Event | None, float]] = {}
    now, completions = 0.0, 0
    for step in steps:
        now += 1.0 if step != "pass" else PATIENCE_SECONDS
        if step == "wait":
            now += 2000.0
        elif step == "complete" and not completions:
            trackers.completed()
            completions = 1
        elif step == "stop":
            trackers.stop()
            busy.clear()
        elif step == "restart":
            while (wish := trackers.next(now)) is not None and wish.goodbye:
                told[wish.tracker.url].append(wish.event)
            trackers.restart(now)
            busy, known = {}, dict.fromkeys(told, False)
        elif step == "hurry":
            trackers.hurry(now)
        elif busy and step.startswith(("answer", "fail")):
            state = list(busy)[0 if step.endswith("first") else -1]
            del busy[state]
            if step.startswith("answer"):
                known[state.url] = True
                trackers.answered(state, REPLY, now)
            else:
                assert trackers.failed(state, REFUSED, now) >= 0.75 * FIRST_RETRY_SECONDS
        for _ in range(5):
            wish = trackers.next(now)
            if wish is None:
                due = trackers.next_due()
                assert due is None or due > now
                assert (deepcopy(trackers).next(1e12 if due is None else due) is None) == (due is None)
                assert due is None or deepcopy(trackers).next(due - 1e-3) is None
                break
            if wish.event is Event.STARTED:
                assert not known[wish.tracker.url]
            elif not wish.goodbye:
                assert known[wish.tracker.url]
            if wish.goodbye:
                known[wish.tracker.url] = False
            else:
                # Whoever is asked already has not answered its first question, for a while.
                assert all(event is Event.STARTED and now - at >= PATIENCE_SECONDS for event, at in busy.values())
                busy[wish.tracker] = wish.event, now
            told[wish.tracker.url].append(wish.event)
        else:
            raise AssertionError("asked without end")
    for story in told.values():
        assert story.count(Event.COMPLETED) <= 1 + sum(step.startswith("fail") for step in steps)


def test_trackers_that_become_known_later_are_asked_after_all_others() -> None:
    trackers = source((A,))
    trackers.add([B, A, "wss://c/", B, C], 5.0)
    assert trackers.trackers[0].url == A
    assert {state.url for state in trackers.trackers[1:]} == {B, C}
    assert trackers.unsupported == ("wss://c/",)
    trackers.add([C, "wss://c/"], 6.0)
    assert (len(trackers.trackers), trackers.unsupported) == (3, ("wss://c/",))
    assert announce(trackers, 5.0) == (A, Event.STARTED)
    failed(trackers, REFUSED, 5.0)
    assert announce(trackers, 5.0)[0] in (B, C)


def test_a_tracker_that_becomes_known_to_who_had_none_is_due_at_once() -> None:
    trackers = source()
    assert trackers.next_due() is None
    trackers.add([A], 7.0)
    assert trackers.next_due() == 7.0
    trackers.add([], 8.0)
    assert announce(trackers, 7.0) == (A, Event.STARTED)


def test_who_is_reached_elsewhere_tells_those_who_know_of_it_at_once() -> None:
    trackers = source((A,), (B,))
    trackers.again(0.0)
    assert announce(trackers, 0.0) == (A, Event.STARTED)
    answered(trackers, AnnounceReply(interval=1800, min_interval=1800), 1.0)
    trackers.again(50.0)
    assert announce(trackers, 50.0) == (A, None)
    failed(trackers, REFUSED, 51.0)
    due = trackers.trackers[0].due
    trackers.again(52.0)
    assert trackers.trackers[0].due == due  # who refused is not pressed


def test_after_a_time_without_a_network_nobody_is_blamed_for_silence() -> None:
    trackers = source((A,), (B,))
    for _ in range(5):
        trackers.next(0.0)
        failed(trackers, REFUSED, 0.0)
    trackers.again(1.0, failed_too=True)
    assert announce(trackers, 1.0)[1] is Event.STARTED
    assert all(not state.failures for state in trackers.trackers)


def test_a_thousand_trackers_that_fail_cost_a_turn_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each turn asks when the next is due: that is found out when something changes."""
    trackers = source(*[(f"http://{number}/announce",) for number in range(1000)])
    while (due := trackers.next_due()) is not None and due <= 0.0:
        announce(trackers, 0.0)
        failed(trackers, REFUSED, 0.0)
    looked_at: list[TrackerState] = []

    def look(state: TrackerState) -> float:
        looked_at.append(state)
        return state.due

    monkeypatch.setattr(module, "_due_of", look)
    dues = {trackers.next_due() for _ in range(100)}
    assert (len(dues), looked_at) == (1, [])
    trackers.add(["http://new/announce"], 5.0)
    assert trackers.next_due() == 5.0
    assert len(looked_at) == 1001
