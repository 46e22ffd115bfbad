import sqlite3
from dataclasses import fields
from math import inf
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.errors import StorageError
from bittern.base.ids import InfoHashV1
from bittern.session import roster as module
from bittern.session.entry import Entry, Mode
from bittern.session.goals import AtGoal, Goal
from bittern.session.limits import Limits
from bittern.session.roster import _COLUMNS, Roster, _Reader, _row_of
from bittern.session.status import State
from bittern.session.store import Record, Store
from tests.session.rig import album, torrent

KEPT = [field.name for field in fields(Entry) if field.name not in {
    "seeding_since", "moved_at", "error", "life", "publisher", "unsaved"
}]  # fmt: skip
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)
counts = st.integers(0, 2**62)
numbers = st.sampled_from([None, 5.0, inf])
own_limits = st.dictionaries(texts, st.tuples(numbers, numbers), max_size=2)
entries = st.builds(
    Entry,
    number=st.integers(1, 2**62),
    info_hash=st.binary(min_size=20, max_size=20).map(InfoHashV1),
    save_path=texts,
    content=st.one_of(st.none(), texts),
    name=texts,
    tiers=st.lists(st.lists(texts, max_size=2).map(tuple), max_size=2).map(tuple),
    own_tiers=st.integers(0, 2),
    select=st.one_of(st.none(), st.lists(st.integers(0, 9)).map(tuple)),
    file_priorities=st.one_of(st.none(), st.dictionaries(st.integers(0, 9), st.integers(0, 7))),
    super_seed=st.booleans(),
    limits=st.one_of(st.none(), st.builds(Limits, down=numbers, group=texts, peers=own_limits)),
    link=st.one_of(st.none(), texts),
    mode=st.sampled_from(Mode),
    position=counts,
    priority=st.integers(-9, 9),
    goal=st.one_of(
        st.none(), st.builds(Goal, ratio=st.one_of(st.none(), st.floats(0, 9)), then=st.sampled_from(AtGoal))
    ),
    goal_met=st.booleans(),
    state=st.sampled_from(State),
    done_bytes=counts,
    total_bytes=counts,
    uploaded=counts,
    downloaded=counts,
    complete=st.booleans(),
    seeded_seconds=st.floats(0, 1e9),
    also=st.one_of(st.none(), st.binary(min_size=20, max_size=20).map(InfoHashV1)),
)


def kept(entry: Entry) -> dict[str, object]:
    return {name: getattr(entry, name) for name in KEPT}


def make(number: int, **changes: object) -> Entry:
    return Entry(number=number, info_hash=InfoHashV1(number.to_bytes(20)), save_path="/a", **changes)  # type: ignore[arg-type]


@given(entries)
def test_a_row_says_all_of_an_entry_that_outlives_a_run(entry: Entry) -> None:
    again = _Reader()._entry(_row_of(entry))
    assert again is not None
    assert kept(again) == kept(entry)
    assert not again.unsaved


async def test_all_are_read_in_chunks_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 3)
    store = Store(tmp_path)
    await store.open()
    roster = Roster(store)
    await roster.open()
    many = [make(number, name=str(number)) for number in range(1, 8)]
    await roster.save(many[::-1])
    assert not any(entry.unsaved for entry in many)
    chunks = [[entry.number for entry in chunk] async for chunk in roster.load()]
    assert chunks == [[1, 2, 3], [4, 5, 6], [7]]
    await roster.delete(many[0], many[0].place)
    assert [entry.number async for chunk in roster.load() for entry in chunk] == [2, 3, 4, 5, 6, 7]
    await store.close()


async def test_what_many_have_in_common_is_in_memory_once(tmp_path: Path) -> None:
    store = Store(tmp_path)
    await store.open()
    roster = Roster(store)
    await roster.open()
    await roster.save([make(number, tiers=(("http://a",),)) for number in (1, 2)])
    [[one, two]] = [chunk async for chunk in roster.load()]
    assert one.tiers is two.tiers
    assert one.save_path is two.save_path
    await store.close()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("tiers", "["),
        ("tiers", "[" * 100_000),
        ("also", b"short"),
        ("goal", '[-1, null, null, "pause"]'),
        ("file_priorities", '[[0, "much"]]'),
        ("limits", '[1, 1, 1, 1, null, ["10.0.0.1"]]'),
        ("limits", '["fast", 1, 1, 1, null]'),
        ("limits", "[1, -1, 1, 1, null]"),
        ("limits", f"[1, {10**400}, 1, 1, null]"),
    ],
)
async def test_a_row_that_makes_no_sense_is_left_out(tmp_path: Path, column: str, value: object) -> None:
    store = Store(tmp_path)
    await store.open()
    roster = Roster(store)
    await roster.open()
    await roster.save([make(1), make(2)])
    change = f"UPDATE members SET {column} = ? WHERE number = 1"
    await store.transact(lambda connection: connection.execute(change, (value,)))
    assert [entry.number async for chunk in roster.load() for entry in chunk] == [2]
    await store.close()


async def test_a_table_of_an_earlier_version_is_taken_over_and_can_still_be_used_by_it(tmp_path: Path) -> None:
    """As it was before super-seeding was kept."""
    columns = _COLUMNS.split(", ")[:-3]
    assert "super_seed" not in columns
    old = _row_of(make(7, name="old", goal=Goal(ratio=1.0), limits=Limits(up=5.0, group="films"), position=4))
    store = Store(tmp_path)
    await store.open()
    insert = f"INSERT INTO members ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"

    def as_before(connection: sqlite3.Connection) -> None:
        connection.execute(f"CREATE TABLE members ({', '.join(columns)})")
        connection.execute(insert, old[:-3])

    await store.transact(as_before)
    roster = Roster(store)
    for _ in range(2):
        await roster.open()
        [[entry]] = [chunk async for chunk in roster.load()]
        assert (entry.name, entry.goal, entry.position) == ("old", Goal(ratio=1.0), 4)
        assert entry.limits == Limits(up=5.0, group="films")
        assert not entry.super_seed
        assert (entry.also, entry.private) == (None, None)
    await store.transact(lambda connection: connection.execute(insert, (8, bytes(20), *old[2:-3])))
    assert [len(chunk) async for chunk in roster.load()] == [2]
    await store.close()


async def test_what_can_not_be_written_stays_unsaved(tmp_path: Path) -> None:
    store = Store(tmp_path)
    await store.open()
    entry = make(1)
    with pytest.raises(StorageError):
        await Roster(store).save([entry])  # it was not opened: there is no table
    assert entry.unsaved
    await store.close()


async def test_a_torrent_is_kept_as_it_was_added_or_at_least_its_metadata(tmp_path: Path) -> None:
    meta = torrent(album(tmp_path / "album"), "http://a/announce")
    store = Store(tmp_path / "s")
    await store.open()
    roster = Roster(store)
    await roster.open()
    entry = Entry(number=1, info_hash=meta.info.wire_hash, save_path="/a", tiers=(("http://b",),))
    assert await roster.source(entry) is None
    await store.put(Record(entry.info_hash, entry.place, meta.info.raw))
    found = await roster.source(entry)
    assert found is not None
    assert (found.info, found.trackers) == (meta.info, (("http://b",),))
    await roster.enter(entry, meta, kept=False)
    again = await roster.source(entry)
    assert again == roster.source_now(entry)
    assert again is not None
    assert (again.info, again.trackers) == (meta.info, meta.trackers)
    await store.close()


async def test_a_source_of_another_kind_is_none(tmp_path: Path) -> None:
    store = Store(tmp_path)
    await store.open()
    roster = Roster(store)
    await roster.open()
    entry = make(1)
    await roster.save([entry])
    for value in ("text", 5, None):
        await store.put(Record(entry.info_hash, entry.place))
        row = (value,)
        await store.transact(
            lambda connection, row=row: connection.execute("UPDATE torrents SET info = ?", row)  # type: ignore[misc]  # a lambda's default
        )
        assert await roster.source(entry) is None
    await store.close()
