import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from bittern.codec.magnet import Magnet
from bittern.session import membership
from bittern.session.session import Session
from bittern.session.status import State
from tests.session.rig import PIECE, eventually, fill, life_of, settings, torrent


async def test_leaving_that_is_interrupted_has_not_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Session(settings(tmp_path / "s")) as session:
        there = await session.add(torrent(fill(tmp_path / "a.bin", PIECE)), tmp_path)
        await there.completed()
        life = life_of(session, there)
        swarm, lives = life.swarm, dict(session._open().surroundings.listeners)
        with monkeypatch.context() as patch:
            patch.setattr(membership, "drain", lambda _: asyncio.sleep(30))
            recheck = asyncio.ensure_future(life._membership.leave())
            await asyncio.sleep(0)
            assert life.swarm is None
            recheck.cancel()
            await asyncio.wait([recheck])
        assert life.swarm is swarm
        assert session._open().surroundings.listeners == lives
        await there.recheck()
        assert there.status.complete


async def test_trackers_and_web_seeds_that_become_known_later_are_asked(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "a.bin", PIECE))
    async with Session(settings(tmp_path / "s")) as session:
        there = await session.add(Magnet(meta.info.info_hash_v1), tmp_path / "dst")
        await eventually(lambda: there.status.state is State.METADATA)
        life = life_of(session, there)
        more = replace(meta, trackers=(("http://127.0.0.1:1/a",),), web_seeds=("http://127.0.0.1:1/",))
        life._identity.enrich(more)
        life._membership.tell_more()
        life._membership.tell_more()
        assert [tracker.url for tracker in there.trackers] == ["http://127.0.0.1:1/a"]
        assert [seed.url for seed in there.web_seeds] == ["http://127.0.0.1:1/"]
        await eventually(lambda: there.trackers[0].failures > 0)
