from pathlib import Path

import pytest

from bittern.base.errors import AlreadyAddedError
from bittern.session.session import Session
from tests.session.rig import album, fill, settings, torrent

SECONDS = 30


async def test_one_torrent_has_one_place_in_a_session(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "a.bin", 1000))
    async with Session(settings(tmp_path / "state")) as one, Session(settings(tmp_path / "state")) as two:
        await (await one.add(meta, tmp_path)).completed()
        with pytest.raises(AlreadyAddedError, match="in the session"):
            await one.add(meta, tmp_path / "elsewhere")
        with pytest.raises(AlreadyAddedError, match="another bittern"):
            await two.add(meta, tmp_path)
        await (await two.add(meta, tmp_path / "elsewhere", peers=[f"127.0.0.1:{one.port}"])).completed()


async def test_removing_with_data_deletes_listed_files_only(tmp_path: Path) -> None:
    meta = torrent(album(tmp_path / "album"))
    (tmp_path / "album" / "two" / "mine.txt").write_text("mine")
    async with Session(settings(tmp_path / "state")) as session:
        there = await session.add(meta, tmp_path)
        await there.completed()
        await session.remove(there, delete_data=True)
    assert [path.name for path in (tmp_path / "album").rglob("*") if path.is_file()] == ["mine.txt"]
