import asyncio
from pathlib import Path

import pytest

from bittern.base.errors import BitternError, SessionError
from bittern.session.errand import Errand
from bittern.session.session import Session
from tests.session.rig import fill, settings, torrent

SECONDS = 30


async def test_what_comes_next_begins_when_what_was_done_has_ended() -> None:
    told: list[str] = []
    errand = Errand("a", lambda error: told.append(str(error)))

    async def first() -> None:
        try:
            await asyncio.sleep(SECONDS)
        finally:
            await asyncio.sleep(0)
            told.append("first ended")

    async def second() -> None:
        told.append("second")
        raise SessionError("no")

    errand.run(first)
    await asyncio.sleep(0)
    assert errand.busy
    await errand.run(second)
    assert not errand.busy
    assert told == ["first ended", "second", "no"]


async def test_an_end_waits_and_is_no_failure() -> None:
    failures: list[BitternError] = []
    errand = Errand("a", failures.append)
    await errand.end()
    errand.run(lambda: asyncio.sleep(SECONDS))
    await asyncio.sleep(0)
    await errand.end()
    assert (errand.busy, failures) == (False, [])


async def test_what_nobody_foresaw_fails_the_torrent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr("bittern.session.inspection.hash_suspects", broken)
    async with Session(settings(tmp_path / "a")) as session:
        there = await session.add(torrent(fill(tmp_path / "a.bin", 1000)), tmp_path)
        with pytest.raises(SessionError, match="internal error, ZeroDivisionError: oh"):
            await asyncio.wait_for(there.completed(), SECONDS)
