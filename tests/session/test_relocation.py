"""Moves as the states of a torrent see them. The moves themselves are tested with the mover."""

import asyncio
from pathlib import Path

import pytest

from bittern.base.errors import SessionError
from bittern.session import events
from bittern.session.placement import Placement
from bittern.session.relocation import Choice
from bittern.session.session import Session
from bittern.session.status import State
from tests.session.rig import PIECE, fill, life_of, settings, torrent


def into(folder: Path) -> Choice:
    """To where."""
    return lambda _, was: Placement(folder, was.root, was.names)


async def test_who_downloads_stops_meanwhile_and_goes_on_and_who_seeds_does_not_stop(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "src" / "a.bin", 3 * PIECE))
    for folder, expected in (("dst", [State.MOVING, State.DOWNLOADING]), ("src", [])):
        async with Session(settings(tmp_path / f"state {folder}")) as session:
            there = await session.add(meta, tmp_path / folder)
            await there.checked()
            heard = there.events(events.StateChanged)
            life = life_of(session, there)
            await life._relocation.run(into(tmp_path / f"new {folder}"))
            told = [event.state for event in heard.take() if isinstance(event, events.StateChanged)]
            assert told == expected
            assert not life._relocation.busy
            assert there.path is not None
            assert there.path.parent == tmp_path / f"new {folder}"


async def test_only_one_move_at_a_time_and_none_before_the_files_are_known(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "a.bin", PIECE))
    async with Session(settings(tmp_path / "s")) as session:
        there = await session.add(meta, tmp_path)
        life = life_of(session, there)
        with pytest.raises(SessionError, match="cannot be moved now, it is checking"):
            await life._relocation.run(into(tmp_path / "x"))
        await there.completed()
        first = asyncio.ensure_future(life._relocation.run(into(tmp_path / "new")))
        await asyncio.sleep(0)
        assert life._relocation.busy
        with pytest.raises(SessionError, match="already"):
            await life._relocation.run(into(tmp_path / "x"))
        await first
        assert (tmp_path / "new" / "a.bin").exists()


async def test_who_is_paused_while_files_move_stays_paused(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "src" / "a.bin", PIECE))
    async with Session(settings(tmp_path / "s")) as session:
        there = await session.add(meta, tmp_path / "dst")
        await there.checked()
        life = life_of(session, there)
        moving = asyncio.ensure_future(life._relocation.run(into(tmp_path / "new")))
        await asyncio.sleep(0)
        await there.pause()
        await moving
        assert there.status.state is State.PAUSED
