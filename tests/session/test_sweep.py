"""What a start finds out of files of torrents that sleep, and how many of them it wakes up for that."""

import asyncio
import os
from pathlib import Path

import pytest

from bittern.base.errors import StorageError
from bittern.codec.metainfo import Metainfo
from bittern.session import events, sweep
from bittern.session.life import Life
from bittern.session.session import Session
from bittern.session.settings import Settings
from bittern.session.status import State
from bittern.session.torrent import Torrent
from tests.session.rig import PIECE, eventually, fill, settings, torrent

COUNT = 40


def sleepy(state: Path) -> Settings:
    return settings(state, keep_torrents=True, sleep_seconds=0.0, retry_seconds=0.1)


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of torrents that got a life, in the order in which they did."""
    names, real = list[str](), Life.start

    def start(life: Life) -> None:
        names.append(life.name)
        real(life)

    monkeypatch.setattr(Life, "start", start)
    return names


async def filled(folder: Path, state: Path, count: int = COUNT) -> list[Metainfo]:
    """Torrents that an earlier run kept."""
    metas = [torrent(fill(folder / f"{number:02}.bin", 2 * PIECE, seed=number)) for number in range(count)]
    async with Session(sleepy(state)) as session:
        for meta in metas:
            await (await session.add(meta, folder, trust=True)).completed()
    return metas


async def swept() -> None:
    """Wait until all sleepers were looked at."""
    names = {task.get_name(): task for task in asyncio.all_tasks()}
    if "bittern sweep" in names:
        await asyncio.wait([names["bittern sweep"]], timeout=20)


def find(session: Session, name: str) -> Torrent:
    return next(each for each in session.torrents if each.name == name)


async def test_files_that_look_as_they_did_wake_nobody(tmp_path: Path, woken: list[str]) -> None:
    await filled(tmp_path / "in", tmp_path / "s")
    woken.clear()
    async with Session(sleepy(tmp_path / "s")) as session:
        await swept()
        assert woken == []
        assert {each.status.state for each in session.torrents} == {State.SEEDING}
        assert not any(task.get_name() == "bittern sweep" for task in asyncio.all_tasks())


async def test_only_what_changed_is_woken_up_and_verified(tmp_path: Path, woken: list[str]) -> None:
    await filled(tmp_path / "in", tmp_path / "s")
    data = bytearray((tmp_path / "in" / "07.bin").read_bytes())
    data[0] ^= 1
    (tmp_path / "in" / "07.bin").write_bytes(data)
    os.utime(tmp_path / "in" / "21.bin")
    woken.clear()
    async with Session(sleepy(tmp_path / "s")) as session:
        await swept()
        assert woken == ["07.bin", "21.bin"]
        damaged, touched = find(session, "07.bin"), find(session, "21.bin")
        await eventually(lambda: damaged.status.state is State.DOWNLOADING)
        assert (damaged.status.done_bytes, touched.status.complete) == (PIECE, True)


async def test_missing_files_are_told_without_waking_and_may_come_back(tmp_path: Path, woken: list[str]) -> None:
    await filled(tmp_path / "in", tmp_path / "s")
    (tmp_path / "in").rename(tmp_path / "away")  # the whole disk, say
    woken.clear()
    async with Session(sleepy(tmp_path / "s")) as session:
        there = find(session, "00.bin")
        stream = there.events(events.StateChanged)
        await eventually(lambda: {each.status.state for each in session.torrents} == {State.MISSING_FILES})
        assert (woken, there.status.complete) == ([], False)
        assert len(session._open().surroundings.runtime.core.dormitory) == 0
        with pytest.raises(StorageError, match=r"00\.bin"):
            await there.completed()
        (tmp_path / "away").rename(tmp_path / "in")
        await eventually(lambda: {each.status.state for each in session.torrents} == {State.SEEDING})
        assert (woken, there.status.error) == ([], None)
        assert stream.take() == [events.StateChanged(State.MISSING_FILES), events.StateChanged(State.SEEDING)]
        await swept()
        assert not any(task.get_name() == "bittern sweep" for task in asyncio.all_tasks())


async def test_a_missing_one_can_be_paused_resumed_and_accepted(tmp_path: Path) -> None:
    await filled(tmp_path / "in", tmp_path / "s", 1)
    (tmp_path / "in" / "00.bin").unlink()
    async with Session(sleepy(tmp_path / "s")) as session:
        [there] = session.torrents
        await eventually(lambda: there.status.state is State.MISSING_FILES)
        await there.pause()
        assert there.status.state is State.PAUSED
        await there.resume()
        await eventually(lambda: there.status.state is State.MISSING_FILES)
        await there.recheck()
        assert (there.status.state, there.status.done_bytes) == (State.DOWNLOADING, 0)
    async with Session(sleepy(tmp_path / "s")) as session:
        [there] = session.torrents
        await eventually(lambda: there.status.state is State.DOWNLOADING)


async def test_what_was_moved_and_renamed_is_looked_for_where_it_is(tmp_path: Path, woken: list[str]) -> None:
    await filled(tmp_path / "in", tmp_path / "s", 1)
    async with Session(sleepy(tmp_path / "s")) as session:
        await session.torrents[0].move_to(tmp_path / "out")
        await session.torrents[0].rename("other.bin")
    woken.clear()
    async with Session(sleepy(tmp_path / "s")) as session:
        await swept()
        assert (woken, session.torrents[0].status.state) == ([], State.SEEDING)


async def test_a_start_does_not_wait_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await filled(tmp_path / "in", tmp_path / "s", 2)
    monkeypatch.setattr(sweep, "PAUSE_SECONDS", 60.0)
    async with asyncio.timeout(20), Session(sleepy(tmp_path / "s")) as session:
        assert len(session.torrents) == 2
