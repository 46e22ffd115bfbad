from bittern.base.ids import InfoHashV1
from bittern.engine import events as told
from bittern.session import events
from bittern.session.entry import Entry
from bittern.session.status import State, Status


def make(**fields: object) -> Entry:
    return Entry(number=1, info_hash=InfoHashV1(bytes(20)), save_path="/a", **fields)  # type: ignore[arg-type]


def test_the_time_of_seeding_is_counted_over_pauses() -> None:
    entry = make()
    entry.enter(State.SEEDING, 10.0)
    entry.enter(State.SEEDING, 11.0)
    assert entry.seeded(15.0) == 5.0
    entry.enter(State.PAUSED, 20.0)
    assert entry.seeded(99.0) == 10.0
    entry.note(Status(state=State.SEEDING, name="x"), 100.0)
    assert entry.seeded(101.0) == 11.0


def test_idleness_ends_when_bytes_go() -> None:
    entry = make()
    entry.enter(State.SEEDING, 10.0)
    assert entry.idle(15.0) == 5.0
    entry.note(Status(state=State.SEEDING, name="x", uploaded=1), 20.0)
    entry.note(Status(state=State.SEEDING, name="x", uploaded=1), 25.0)
    assert entry.idle(26.0) == 6.0


def test_only_what_changed_is_to_be_saved() -> None:
    entry = make(unsaved=False, name="x", state=State.SEEDING)
    entry.note(Status(state=State.SEEDING, name="x", up_rate=5.0, peers=3), 1.0)
    assert not entry.unsaved
    entry.note(Status(state=State.SEEDING, name="x", uploaded=7), 2.0)
    assert entry.unsaved
    assert entry.status().uploaded == 7


def test_listeners_of_a_sleeper_hear_its_trackers() -> None:
    entry = make()
    entry.on_event(told.TrackerAnswered(1, "u", 2, None))  # nobody listens
    stream = entry.listen(10).stream()
    entry.on_event(told.TrackerAnswered(1, "u", 2, None))
    entry.on_event(told.TrackerFailed(1, "u", "why", 3.0))
    entry.enter(State.PAUSED, 0.0)
    assert stream.take() == [
        events.TrackerAnswered("u", 2, None),
        events.TrackerFailed("u", "why", 3.0),
        events.StateChanged(State.PAUSED),
    ]


def test_who_listens_to_a_removed_torrent_hears_its_end() -> None:
    assert make(state=State.REMOVED).listen(10).ended


def test_the_first_of_its_trackers_are_those_that_the_user_named() -> None:
    tiers = (("http://mine", "udp://mine:1"), ("http://theirs",))
    entry = Entry(number=1, info_hash=InfoHashV1(bytes(20)), save_path="", tiers=tiers, own_tiers=1)
    assert entry.own_trackers == {"http://mine", "udp://mine:1"}
