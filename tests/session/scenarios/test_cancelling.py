"""Any wait of the library may be cancelled, at any step: nothing leaks, nothing is half done."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from bittern.session.session import Session
from bittern.session.settings import Settings
from bittern.session.status import State
from bittern.session.torrent import Torrent
from tests.session.rig import PIECE, eventually, fill, settings, torrent

STEPS = [0, 1, 2, 3, 5, 8, 13]
"""Passes of the loop after which a call is cancelled."""


def keeping(state: Path) -> Settings:
    return settings(state, keep_torrents=True, sleep_seconds=0.0)


async def cancel_after(passes: int, work: Awaitable[object]) -> bool:
    """Whether `work` was cancelled before it ended."""
    task = asyncio.ensure_future(work)
    for _ in range(passes):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    return task.cancelled()


@pytest.mark.parametrize("passes", STEPS)
async def test_an_add_that_is_cancelled_added_all_or_nothing(tmp_path: Path, passes: int) -> None:
    meta = torrent(fill(tmp_path / "a.bin", PIECE))
    async with Session(keeping(tmp_path / "s")) as session:
        await cancel_after(passes, session.add(meta, tmp_path))
        there = session.torrents
        if there:
            await there[0].completed()
            await session.remove(there[0])
        again = await session.add(meta, tmp_path)
        await again.completed()
    async with Session(keeping(tmp_path / "s")) as session:
        assert [each.info_hash for each in session.torrents] == [meta.info.wire_hash]


@pytest.mark.parametrize("passes", STEPS)
async def test_a_removal_that_is_cancelled_is_done_all_the_same(tmp_path: Path, passes: int) -> None:
    meta = torrent(fill(tmp_path / "a.bin", PIECE))
    async with Session(keeping(tmp_path / "s")) as session:
        there = await session.add(meta, tmp_path)
        await there.completed()
        if await cancel_after(passes, session.remove(there)) and not passes:
            await session.remove(there)
        await eventually(lambda: there.status.state is State.REMOVED)
        assert session.torrents == ()
    async with Session(keeping(tmp_path / "s")) as session:
        assert session.torrents == ()


@pytest.mark.parametrize("passes", STEPS)
async def test_an_end_that_is_cancelled_comes_all_the_same(tmp_path: Path, passes: int) -> None:
    meta = torrent(fill(tmp_path / "a.bin", PIECE))
    session = Session(keeping(tmp_path / "s"))
    await session.__aenter__()
    await (await session.add(meta, tmp_path)).completed()
    if await cancel_after(passes, session.close()) and not passes:
        await session.close()
    await eventually(lambda: not any(task.get_name() == "bittern end" for task in asyncio.all_tasks()))
    async with Session(keeping(tmp_path / "s")) as again:
        assert [each.status.complete for each in again.torrents] == [True]


@pytest.mark.parametrize("passes", STEPS)
async def test_a_start_that_is_cancelled_leaves_the_folder_free(tmp_path: Path, passes: int) -> None:
    session = Session(keeping(tmp_path / "s"))
    if not await cancel_after(passes, session.__aenter__()):
        await session.close()
    async with Session(keeping(tmp_path / "s")) as again:
        assert again.torrents == ()


WAITS: list[Callable[[Torrent], Awaitable[object]]] = [
    Torrent.completed,
    Torrent.checked,
    Torrent.metadata,
    Torrent.recheck,
    lambda torrent: anext(torrent.events()),
]


@pytest.mark.parametrize("wait", WAITS)
@pytest.mark.parametrize("passes", STEPS)
async def test_a_wait_that_is_cancelled_changes_nothing(
    tmp_path: Path, wait: Callable[[Torrent], Awaitable[object]], passes: int
) -> None:
    meta = torrent(fill(tmp_path / "a.bin", PIECE))
    async with Session(keeping(tmp_path / "s")) as session:
        there = await session.add(meta, tmp_path)
        await cancel_after(passes, wait(there))
        await asyncio.wait_for(there.completed(), 20)
        assert there.status.complete
