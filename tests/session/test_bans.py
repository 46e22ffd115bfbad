import asyncio
from pathlib import Path

import pytest

from bittern.base.errors import SessionError
from bittern.session.session import Session
from tests.session.rig import eventually, fill, settings, torrent

SECONDS = 30


async def test_a_banned_address_is_parted_with_and_not_let_in_until_it_is_unbanned(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "in" / "a.bin", 3_000_000))
    slow = settings(tmp_path / "b", down_bytes_per_second=200_000)
    async with Session(settings(tmp_path / "a")) as seed, Session(slow) as leech:
        await (await seed.add(meta, tmp_path / "in")).completed()
        got = await leech.add(meta, tmp_path / "out", peers=[f"127.0.0.1:{seed.port}"])
        await eventually(lambda: got.status.peers == 1)
        seed.ban("127.0.0.1", 60.0)
        leech.ban("::ffff:127.0.0.1")
        await eventually(lambda: got.status.peers == 0)
        [left] = seed.bans.values()
        assert left is not None
        assert left == pytest.approx(60.0, abs=30.0)
        assert leech.bans == {"127.0.0.1": None}
        assert seed.unban("127.0.0.1")
        assert not seed.unban("127.0.0.1")
        assert leech.unban("127.0.0.1")
        assert seed.bans == leech.bans == {}
        leech.set_limits(down=float("inf"))
        await asyncio.wait_for(got.completed(), 20)
        for wrong in ("example.org", "1.2.3.4:5"):
            with pytest.raises(SessionError):
                leech.ban(wrong)
        with pytest.raises(SessionError):
            leech.ban("1.2.3.4", 0.0)
