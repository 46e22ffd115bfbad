"""Limits of the queue, goals and saves, in a running session."""

import asyncio
from pathlib import Path

import pytest

from bittern.base.address import Address
from bittern.session import roster, steward
from bittern.session.entry import Entry
from bittern.session.goals import AtGoal, Goal
from bittern.session.queue import Places
from bittern.session.session import Session
from bittern.session.status import State
from bittern.session.torrent import Torrent
from bittern.session.waking import Waking
from tests.session.rig import PIECE, eventually, fill, settings, torrent


async def downloads(session: Session, folder: Path, count: int) -> list[Torrent]:
    """So many torrents of which nothing is there."""
    found = []
    for number in range(count):
        meta = torrent(fill(folder / "src" / f"{number}.bin", PIECE, seed=number))
        found.append(await session.add(meta, folder / "dst"))
    return found


def running(torrents: list[Torrent]) -> list[int]:
    return [number for number, each in enumerate(torrents) if each.status.state is State.DOWNLOADING]


def settled(torrents: list[Torrent]) -> bool:
    return all(each.status.state in (State.DOWNLOADING, State.QUEUED) for each in torrents)


async def test_the_queue_lets_so_many_run_and_changes_live(tmp_path: Path) -> None:
    async with Session(settings(tmp_path / "a", active_downloads=1)) as session:
        torrents = await downloads(session, tmp_path, 4)
        await eventually(lambda: settled(torrents) and running(torrents) == [0])
        session.set_places(Places(downloads=3))
        await eventually(lambda: running(torrents) == [0, 1, 2])
        torrents[3].move(0)
        await eventually(lambda: running(torrents) == [0, 1, 3])
        assert [each.position for each in torrents] == [1, 2, 3, 0]
        torrents[2].set_priority(1)
        await eventually(lambda: running(torrents) == [0, 2, 3])
        await torrents[1].resume(force=True)
        await eventually(lambda: running(torrents) == [0, 1, 2, 3])
        assert torrents[1].forced
        await torrents[2].pause()
        await torrents[1].resume()
        await eventually(lambda: running(torrents) == [0, 1, 3])
        session.set_places(Places())
        await torrents[2].resume()
        await eventually(lambda: running(torrents) == [0, 1, 2, 3])


async def test_those_that_have_places_at_a_start_are_woken_up_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often the queue is decided anew while they rise: thousands would else be begun thousands of times."""
    async with Session(settings(tmp_path / "a", keep_torrents=True)) as session:
        await downloads(session, tmp_path, 12)
    woken: list[Entry] = []
    wake = Waking.wake

    def counted(self: Waking, entry: Entry, heard: tuple[Address, ...] = ()) -> None:
        woken.append(entry)
        wake(self, entry, heard)

    monkeypatch.setattr(Waking, "wake", counted)
    async with Session(settings(tmp_path / "a", keep_torrents=True)) as session:
        await eventually(lambda: running(list(session.torrents)) == list(range(12)))
        assert len(woken) == 12


async def test_who_has_places_at_a_start_is_decided_when_all_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not with each chunk of rows: who is last among them may go before all others."""
    async with Session(settings(tmp_path / "a", keep_torrents=True, active_downloads=1)) as session:
        torrents = await downloads(session, tmp_path, 6)
        torrents[5].set_priority(1)
    woken: list[int] = []
    wake = Waking.wake

    def noted(self: Waking, entry: Entry, heard: tuple[Address, ...] = ()) -> None:
        woken.append(entry.priority)
        wake(self, entry, heard)

    monkeypatch.setattr(Waking, "wake", noted)
    monkeypatch.setattr(roster, "CHUNK", 1)
    async with Session(settings(tmp_path / "a", keep_torrents=True, active_downloads=1)) as session:
        await eventually(lambda: bool(running(list(session.torrents))))
        assert woken == [1]


async def test_nothing_is_decided_any_more_when_a_session_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is set meanwhile: the folder may be another session's by then."""
    late = 0.1
    monkeypatch.setattr(steward, "DECIDE_SECONDS_EACH", late)
    monkeypatch.setattr(steward, "TICK_SECONDS", 60.0)
    async with Session(settings(tmp_path / "a", save_seconds=60.0)) as session:
        (there,) = await downloads(session, tmp_path, 1)
        mine = session._open().steward
        await eventually(lambda: running([there]) == [0] and mine._decision is None)
        decided: list[Torrent] = []
        monkeypatch.setattr(mine, "decide", lambda: decided.append(there))
        closing = asyncio.create_task(session.close())
        await asyncio.sleep(0)
        there.set_priority(1)
        await closing
    await asyncio.sleep(2 * late)  # timers are called in their order
    assert not decided


async def test_those_that_wait_sleep_and_wake_in_their_turn(tmp_path: Path) -> None:
    async with Session(settings(tmp_path / "a", active_downloads=1, sleep_seconds=0.0, keep_torrents=True)) as session:
        torrents = await downloads(session, tmp_path, 2)
        await eventually(lambda: running(torrents) == [0])
        await eventually(lambda: session._entries[torrents[1].info_hash].life is None)
        assert torrents[1].status.state is State.QUEUED
    async with Session(settings(tmp_path / "a", active_downloads=1, keep_torrents=True)) as session:
        first, second = session.torrents
        await eventually(lambda: first.status.state is State.DOWNLOADING)
        assert second.status.state is State.QUEUED
        await session.remove(first)
        await eventually(lambda: second.status.state is State.DOWNLOADING)


async def test_a_slow_one_gives_its_place_away(tmp_path: Path) -> None:
    async with Session(settings(tmp_path / "a", active_downloads=1)) as session:
        torrents = await downloads(session, tmp_path, 2)
        await eventually(lambda: settled(torrents) and running(torrents) == [0])
        steward = session._open().steward
        steward._moved_at[torrents[0].info_hash] -= 61.0
        await eventually(lambda: running(torrents) == [0, 1])


async def test_goals_reach_sleepers_and_may_remove(tmp_path: Path) -> None:
    one = torrent(fill(tmp_path / "1.bin", PIECE, seed=1))
    two = torrent(fill(tmp_path / "2.bin", PIECE, seed=2))
    async with Session(settings(tmp_path / "a", sleep_seconds=0.0)) as session:
        first, second = await session.add(one, tmp_path), await session.add(two, tmp_path)
        await eventually(lambda: all(entry.life is None for entry in session._entries.values()))
        first.set_goal(Goal(seed_minutes=0))
        second.set_goal(Goal(idle_minutes=0, then=AtGoal.REMOVE))
        session._open().steward._round_due = 0.0
        await eventually(lambda: first.status.state is State.FINISHED)
        await eventually(lambda: session.torrents == (first,))
        assert (tmp_path / "2.bin").exists()
        await first.resume()
        session._open().steward._round_due = 0.0
        await eventually(lambda: session._open().steward._round_due > 0)
        assert (first.status.state, first.goal) == (State.SEEDING, Goal(seed_minutes=0))


async def test_a_goal_for_all_may_be_set_live(tmp_path: Path) -> None:
    async with Session(settings(tmp_path / "a")) as session:
        there = await session.add(torrent(fill(tmp_path / "1.bin", PIECE)), tmp_path)
        await there.completed()
        session.set_goal(Goal(seed_minutes=0))
        await eventually(lambda: there.status.state is State.FINISHED)


async def test_what_was_set_is_there_in_the_next_run(tmp_path: Path) -> None:
    async with Session(settings(tmp_path / "a", keep_torrents=True)) as session:
        there, other = await downloads(session, tmp_path, 2)
        there.set_priority(3)
        there.set_goal(Goal(ratio=2.0))
        there.move(1)
        await other.pause()
    async with Session(settings(tmp_path / "a", keep_torrents=True)) as session:
        there, other = session.torrents
        assert (there.priority, there.goal, there.position, other.position) == (3, Goal(ratio=2.0), 1, 0)
        assert other.status.state is State.PAUSED


async def test_the_board_tells_what_changed(tmp_path: Path) -> None:
    async with Session(settings(tmp_path / "a")) as session:
        assert session.changes().torrents == {}
        one, two = await downloads(session, tmp_path, 2)
        await eventually(lambda: settled([one, two]))
        before = session.changes()
        assert set(before.torrents) == {one.info_hash, two.info_hash}
        assert before.whole
        await one.pause()
        after = session.changes(before.revision)
        assert {key: status.state for key, status in after.torrents.items()} == {one.info_hash: State.PAUSED}
        await session.remove(one)
        gone = session.changes(after.revision)
        assert (dict(gone.torrents), gone.gone) == ({}, (one.info_hash,))
        assert session.changes(gone.revision).torrents == {}


async def test_the_board_forgets_a_sleeper_that_is_removed(tmp_path: Path) -> None:
    async with Session(settings(tmp_path / "a", sleep_seconds=0.0)) as session:
        there = await session.add(torrent(fill(tmp_path / "1.bin", PIECE)), tmp_path)
        await eventually(lambda: session._entries[there.info_hash].life is None)
        revision = session.changes().revision
        await session.remove(there)
        changes = session.changes(revision)
        assert (dict(changes.torrents), changes.gone) == ({}, (there.info_hash,))
