import asyncio
from pathlib import Path

import pytest

from bittern.session import membership
from bittern.session.session import Session
from tests.session.rig import PIECE, fill, life_of, settings, torrent


async def test_leaving_that_is_interrupted_has_not_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Session(settings(tmp_path / "s")) as session:
        there = await session.add(torrent(fill(tmp_path / "a.bin", PIECE)), tmp_path)
        await there.completed()
        life = life_of(session, there)
        swarm, lives = life.swarm, dict(session._open().surroundings.lives)
        with monkeypatch.context() as patch:
            patch.setattr(membership, "drain", lambda _: asyncio.sleep(30))
            recheck = asyncio.ensure_future(life._membership.leave())
            await asyncio.sleep(0)
            assert life.swarm is None
            recheck.cancel()
            await asyncio.wait([recheck])
        assert life.swarm is swarm
        assert session._open().surroundings.lives == lives
        await there.recheck()
        assert there.status.complete
