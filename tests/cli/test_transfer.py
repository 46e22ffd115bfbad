import asyncio
from pathlib import Path

import pytest

from bittern.cli.failures import NoPeersError
from bittern.cli.reports import Quiet
from bittern.cli.search import NOWHERE, Search
from bittern.cli.transfer import StoppedError, Watch, no_way_to_peers, unless_stopped, why_idle
from bittern.session import events
from bittern.session.session import Session
from bittern.session.status import State, Status
from tests.session.rig import eventually, fill, settings, torrent

LINK = "magnet:?xt=urn:btih:" + "ab" * 20


class Recorder(Quiet):
    """A report that remembers."""

    interval = 0.02

    def __init__(self) -> None:
        super().__init__()
        self.told: list[events.Event] = []
        self.shown: list[Status] = []
        self.searches: list[Search] = []

    def tell(self, event: events.Event) -> None:
        self.told.append(event)

    def show(self, status: Status, search: Search = NOWHERE) -> None:
        self.shown.append(status)
        self.searches.append(search)


async def test_a_milestone_is_waited_for_and_reported(tmp_path: Path) -> None:
    report = Recorder()
    async with Session(settings(tmp_path / "s")) as session:
        there = await session.add(torrent(fill(tmp_path / "a.bin", 1000)), tmp_path)
        watch = Watch(there, session, report, asyncio.Event())
        await asyncio.wait_for(watch.until(there.completed()), 20)
        await asyncio.wait_for(watch.until_state(lambda state: state is State.SEEDING), 20)
    assert events.Checked(1000, 1000) in report.told
    assert report.shown[-1].complete


async def test_what_was_found_before_anybody_watched_is_told_once(tmp_path: Path) -> None:
    report = Recorder()
    async with Session(settings(tmp_path / "s")) as session:
        there = await session.add(torrent(fill(tmp_path / "a.bin", 1000)), tmp_path)
        await asyncio.wait_for(there.completed(), 20)
        watch = Watch(there, session, report, asyncio.Event())
        for _ in range(2):
            await asyncio.wait_for(watch.until(there.completed()), 20)
    assert report.told == [events.Checked(1000, 1000), events.StateChanged(State.SEEDING)]


async def test_a_stop_ends_the_waiting(tmp_path: Path) -> None:
    stop = asyncio.Event()
    async with Session(settings(tmp_path / "s")) as session:
        there = await session.add(LINK, tmp_path)
        watch = Watch(there, session, Recorder(), stop)
        asyncio.get_running_loop().call_later(0.05, stop.set)
        with pytest.raises(StoppedError):
            await asyncio.wait_for(watch.until(there.completed()), 20)
        with pytest.raises(StoppedError):
            await unless_stopped(asyncio.sleep(60), stop)
        assert await unless_stopped(asyncio.sleep(0, 5), asyncio.Event()) == 5


async def test_nothing_for_too_long_is_an_error(tmp_path: Path) -> None:
    async with Session(settings(tmp_path / "s")) as session:
        there = await session.add(LINK, tmp_path)
        watch = Watch(there, session, Recorder(), asyncio.Event())
        with pytest.raises(NoPeersError, match=r"nothing came for 0\.1 s"):
            await asyncio.wait_for(watch.until(there.completed(), 0.1), 20)


async def test_ways_to_peers(tmp_path: Path) -> None:
    async with Session(settings(tmp_path / "s")) as session:
        alone = await session.add(LINK, tmp_path)
        strange = await session.add(LINK.replace("ab", "cd") + "&tr=wss://127.0.0.1:1/", tmp_path)
        named = await session.add(LINK.replace("ab", "ef"), tmp_path, peers=["127.0.0.1:1"])
        tracked = await session.add(LINK.replace("ab", "01") + "&tr=http://127.0.0.1:1/announce", tmp_path)
        await eventually(lambda: all(t.status.state is State.METADATA for t in session.torrents))
        assert "names no tracker" in (no_way_to_peers(alone) or "")
        assert "UDP" in (no_way_to_peers(strange) or "")
        assert no_way_to_peers(named) is None
        assert no_way_to_peers(tracked) is None
        await eventually(lambda: bool(why_idle(tracked)))
        assert "http://127.0.0.1:1/announce: " in why_idle(tracked)
        assert why_idle(alone) == ""
