"""Torrents that fall asleep, and what wakes them up again."""

import asyncio
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from bittern.base.errors import SessionError, StorageError
from bittern.codec.metainfo import Metainfo
from bittern.session import events
from bittern.session.session import Session
from bittern.session.settings import Settings
from bittern.session.status import State
from bittern.session.store import FILE
from bittern.session.torrent import Torrent
from bittern.tools.create import Version
from tests.session.rig import PIECE, album, eventually, fill, settings, torrent, tracking

SECONDS = 30


def sleepy(state: Path, **changes: object) -> Settings:
    return settings(state, **{"keep_torrents": True, "sleep_seconds": 0.0, **changes})


async def asleep(session: Session, meta: Metainfo, folder: Path) -> Torrent:
    """A complete torrent that fell asleep."""
    there = await session.add(meta, folder)
    await there.completed()
    await eventually(lambda: session._entries[there.info_hash].life is None)
    return there


async def test_a_sleeping_torrent_holds_nothing(tmp_path: Path) -> None:
    meta = torrent(album(tmp_path / "album"))
    async with Session(sleepy(tmp_path / "a")) as session:
        there = await asleep(session, meta, tmp_path)
        core = session._open().surroundings.runtime.core
        assert core.torrents == {}
        assert there.info_hash in core.dormitory
        assert list((tmp_path / "a" / "locks").iterdir()) == [
            path for path in (tmp_path / "a" / "locks").iterdir() if "session" not in path.name
        ]
        status = there.status
        assert (status.state, status.complete, status.done_bytes) == (State.SEEDING, True, 170_011)
        assert there.info == meta.info
        assert [file.path for file in there.files][:1] == [("one.bin",)]
        assert there.path == tmp_path / "album"
        await there.completed()
        await there.checked()


async def test_a_leecher_wakes_it_and_it_sleeps_again(tmp_path: Path) -> None:
    source = fill(tmp_path / "src" / "a.bin", 20 * PIECE)
    meta = torrent(source)
    async with Session(sleepy(tmp_path / "a")) as seed, Session(settings(tmp_path / "b")) as leech:
        there = await asleep(seed, meta, tmp_path / "src")
        stream = there.events(events.PeerJoined)
        got = await leech.add(meta, tmp_path / "dst", peers=[f"127.0.0.1:{seed.port}"])
        await asyncio.wait_for(got.completed(), SECONDS)
        await eventually(lambda: seed._entries[there.info_hash].life is None)
        assert len(stream.take()) >= 1
        assert there.status.uploaded == 20 * PIECE
    assert (tmp_path / "dst" / "a.bin").read_bytes() == source.read_bytes()


@pytest.mark.parametrize("by", ["v1", "v2"])
async def test_a_hybrid_that_sleeps_since_a_restart_answers_to_both_its_hashes(tmp_path: Path, by: str) -> None:
    meta = torrent(fill(tmp_path / "a.bin", 20 * PIECE), version=Version.HYBRID)
    link = meta.to_magnet()
    async with Session(sleepy(tmp_path / "a")) as session:
        await (await session.add(meta, tmp_path)).completed()
    link = replace(link, info_hash_v1=None) if by == "v2" else replace(link, info_hash_v2=None)
    async with Session(sleepy(tmp_path / "a")) as session, Session(settings(tmp_path / "b")) as leech:
        [there] = session.torrents
        assert session._entries[there.info_hash].life is None
        got = await leech.add(link, tmp_path / "dst", peers=[f"127.0.0.1:{session.port}"])
        await asyncio.wait_for(got.completed(), SECONDS)


async def test_the_other_hash_of_a_hybrid_that_came_by_a_magnet_is_kept(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "src" / "a.bin", 4 * PIECE), version=Version.HYBRID)
    link = replace(meta.to_magnet(), info_hash_v1=None)
    async with Session(settings(tmp_path / "a")) as seed, Session(sleepy(tmp_path / "b")) as session:
        await (await seed.add(meta, tmp_path / "src")).completed()
        got = await session.add(link, tmp_path / "dst", peers=[f"127.0.0.1:{seed.port}"])
        await asyncio.wait_for(got.completed(), SECONDS)
    async with Session(sleepy(tmp_path / "b")) as session:
        [there] = session.torrents
        assert there.info_hash != meta.info.info_hash_v1
        assert session._entries[there.info_hash].also == meta.info.info_hash_v1


async def test_after_a_restart_all_are_there_and_asleep(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "a.bin", 20 * PIECE))
    async with Session(sleepy(tmp_path / "a")) as session:
        await (await session.add(meta, tmp_path)).completed()
    async with Session(sleepy(tmp_path / "a")) as session, Session(settings(tmp_path / "b")) as leech:
        [there] = session.torrents
        assert (there.status.state, there.name, session._entries[there.info_hash].life) == (
            State.SEEDING,
            "a.bin",
            None,
        )
        got = await leech.add(meta, tmp_path / "dst", peers=[f"127.0.0.1:{session.port}"])
        await asyncio.wait_for(got.completed(), SECONDS)


async def test_what_is_unfinished_goes_on_after_a_restart(tmp_path: Path) -> None:
    source = fill(tmp_path / "src" / "a.bin", 20 * PIECE)
    meta = torrent(source)
    async with Session(sleepy(tmp_path / "b")) as leech:
        await leech.add(meta.to_magnet(), tmp_path / "dst")
        await leech.add(torrent(fill(tmp_path / "src" / "b.bin", 5)), tmp_path / "dst", paused=True)
    async with Session(settings(tmp_path / "a")) as seed, Session(sleepy(tmp_path / "b")) as leech:
        first, second = leech.torrents
        await eventually(lambda: first.status.state is State.METADATA)
        assert second.status.state is State.PAUSED
        await (await seed.add(meta, tmp_path / "src")).completed()
        await leech.remove(first)
        again = await leech.add(meta, tmp_path / "dst", peers=[f"127.0.0.1:{seed.port}"])
        await asyncio.wait_for(again.completed(), SECONDS)


async def test_a_sleeper_whose_files_are_gone_fails_when_it_is_called(tmp_path: Path) -> None:
    source = fill(tmp_path / "src" / "a.bin", 20 * PIECE)
    meta = torrent(source)
    async with Session(sleepy(tmp_path / "a")) as seed:
        there = await asleep(seed, meta, tmp_path / "src")
        await seed._open().roster.delete(seed._entries[there.info_hash], str(tmp_path / "src"))
        await seed._open().surroundings.store.delete(there.info_hash, str(tmp_path / "src"))
        with pytest.raises(SessionError, match="add it again"):
            await there.recheck()
        assert there.status.state is State.FAILED
        assert there.info_hash not in seed._open().surroundings.runtime.core.dormitory


async def test_commands_reach_a_sleeper(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "a.bin", 20 * PIECE))
    async with Session(sleepy(tmp_path / "a")) as session:
        there = await asleep(session, meta, tmp_path)
        dormitory = session._open().surroundings.runtime.core.dormitory
        await there.pause()
        assert (there.status.state, len(dormitory)) == (State.PAUSED, 0)
        await there.resume()
        assert (there.status.state, len(dormitory)) == (State.SEEDING, 1)
        stream = there.events(events.Checked)
        await there.recheck()
        assert len(stream.take()) == 1
        await session.remove(there, delete_data=True)
        assert not (tmp_path / "a.bin").exists()
    async with Session(sleepy(tmp_path / "a")) as session:
        assert session.torrents == ()


@pytest.mark.parametrize("damage", ["bytes", "fields", "another torrent", "selection", "table"])
async def test_a_sleeper_with_damaged_state_stays_until_it_is_removed_without_its_files(
    tmp_path: Path, damage: str
) -> None:
    meta, other = torrent(album(tmp_path / "album")), torrent(fill(tmp_path / "b.bin", PIECE))
    async with Session(sleepy(tmp_path / "a")) as session:
        await asleep(session, meta, tmp_path)
    connection = sqlite3.connect(tmp_path / "a" / FILE)
    with connection:
        if damage == "table":
            connection.execute("ALTER TABLE sources RENAME COLUMN torrent TO torrents")
        elif damage == "selection":
            connection.execute("UPDATE members SET selection = '[99]'")
        else:
            value = {"bytes": b"junk", "fields": b"d4:infodee", "another torrent": other.to_bytes()}[damage]
            connection.execute("UPDATE sources SET torrent = ?", (value,))
    connection.close()
    async with Session(sleepy(tmp_path / "a")) as session:
        [there] = session.torrents
        if damage != "selection":
            with pytest.raises(SessionError, match=r"what was saved of album (is damaged|cannot be read)"):
                _ = there.metainfo
            with pytest.raises(SessionError, match="what was saved of album"):
                _ = there.files
        with pytest.raises((SessionError, StorageError)):
            await session.remove(there, delete_data=True)
        assert session.torrents == (there,)
        assert session.changes().gone == ()
    if damage == "table":
        return  # nothing can be written there, either
    async with Session(sleepy(tmp_path / "a")) as session:
        await session.remove(session.torrents[0])
    async with Session(sleepy(tmp_path / "a")) as session:
        assert session.torrents == ()
    assert (tmp_path / "album" / "one.bin").exists()
    assert (tmp_path / "b.bin").exists()


async def test_a_sleeper_is_deleted_with_its_files_without_waking(tmp_path: Path) -> None:
    meta = torrent(album(tmp_path / "album"))
    async with Session(sleepy(tmp_path / "a")) as session:
        there = await asleep(session, meta, tmp_path)
        await session.remove(there, delete_data=True)
        assert not (tmp_path / "album").exists()
        assert len(session._open().surroundings.runtime.core.dormitory) == 0
        assert there.status.state is State.REMOVED


async def test_a_paused_download_sleeps_and_goes_on(tmp_path: Path) -> None:
    source = fill(tmp_path / "src" / "a.bin", 20 * PIECE)
    meta = torrent(source)
    async with Session(settings(tmp_path / "a")) as seed, Session(sleepy(tmp_path / "b")) as leech:
        await (await seed.add(meta, tmp_path / "src")).completed()
        got = await leech.add(meta, tmp_path / "dst", paused=True)
        await eventually(lambda: leech._entries[got.info_hash].life is None)
        assert got.status.state is State.PAUSED
        await got.resume()
        await eventually(lambda: got.status.state is State.DOWNLOADING)


async def test_a_sleeper_is_announced_and_told_goodbye(tmp_path: Path) -> None:
    with tracking() as tracker:
        meta = torrent(fill(tmp_path / "a.bin", 20 * PIECE), tracker.url)
        async with Session(sleepy(tmp_path / "a")) as session:
            await asleep(session, meta, tmp_path)
        async with Session(sleepy(tmp_path / "a")) as session:
            [there] = session.torrents
            await eventually(lambda: [each.message for each in there.trackers] == [None])
            await eventually(lambda: len(tracker.announces) >= 3)
        told = [announce.event for announce in tracker.announces]
    assert told == ["started", "stopped", "started", "stopped"]


async def test_two_sessions_do_not_keep_torrents_in_one_folder(tmp_path: Path) -> None:
    async with Session(sleepy(tmp_path / "a")) as session:
        with pytest.raises(SessionError, match="another session with keep_torrents"):
            async with Session(sleepy(tmp_path / "a")):
                pass
        assert session.torrents == ()
        async with Session(settings(tmp_path / "a")) as other:
            assert other.torrents == ()
            # the same torrent in another place comes and goes: what is kept stays
            meta = torrent(fill(tmp_path / "b" / "a.bin", PIECE))
            there = await asleep(session, meta, tmp_path / "b")
            fill(tmp_path / "c" / "a.bin", PIECE)
            elsewhere = await other.add(meta, tmp_path / "c")
            await elsewhere.completed()
            await other.remove(elsewhere)
            assert there.info == meta.info
    async with Session(sleepy(tmp_path / "a")) as session:
        assert [each.name for each in session.torrents] == ["a.bin"]
    async with Session(sleepy(tmp_path / "a")):
        pass
