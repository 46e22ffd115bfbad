import asyncio
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from sqlite3 import Connection
from typing import Any

import pytest

from bittern.base.errors import AlreadyAddedError, SessionError, StorageError
from bittern.session import door
from bittern.session.session import Session
from bittern.session.status import State
from bittern.session.store import Store
from bittern.session.torrent import Torrent
from tests.session.rig import album, fill, settings, torrent, write_torrent

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


async def test_of_two_that_are_added_at_once_one_comes_in(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "a.bin", 1000))
    async with Session(settings(tmp_path / "state")) as session:
        for places in (("", ""), ("", "elsewhere")):
            adding = [session.add(meta, tmp_path / place) for place in places]
            there, refused = await asyncio.gather(*adding, return_exceptions=True)
            assert isinstance(there, Torrent)
            assert isinstance(refused, AlreadyAddedError)
            assert "in the session already" in str(refused)
            await there.completed()
            await session.remove(there)
        await (await session.add(meta, tmp_path / "elsewhere", paused=True)).checked()


async def test_what_comes_in_while_the_session_closes_is_nobodys(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "a.bin", 1000))
    session = await Session(settings(tmp_path / "state", keep_torrents=True)).open()
    adding = asyncio.create_task(session.add(meta, tmp_path))
    await asyncio.sleep(0)
    await session.close()
    with pytest.raises(SessionError, match="not open"):
        await adding
    async with Session(settings(tmp_path / "state", keep_torrents=True)) as session:
        assert session.torrents == ()
        await (await session.add(meta, tmp_path)).completed()


async def test_few_hand_overs_and_transactions_are_needed_for_each_torrent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each hand-over to a thread costs more than what is done there; these are the same numbers on every machine."""
    torrents = 20
    for number in range(torrents):
        write_torrent(fill(tmp_path / f"{number}.bin", 1000, number), tmp_path / f"{number}.torrent")
    said, handed = list[str](), Counter[str]()
    submit = ThreadPoolExecutor.submit

    def count(pool: ThreadPoolExecutor, *work: Any, **more: Any) -> Future[Any]:
        handed["over"] += 1
        return submit(pool, *work, **more)

    calm = settings(tmp_path / "state", keep_torrents=True, sleep_seconds=None, use_lsd=False, save_seconds=1000)
    async with Session(calm) as session:
        await session._open().surroundings.store.transact(lambda db: db.set_trace_callback(said.append))
        monkeypatch.setattr(ThreadPoolExecutor, "submit", count)
        for number in range(torrents):
            added = await session.add(tmp_path / f"{number}.torrent", tmp_path, trust=True)
            await added.completed()
        # It is read, locked, written down, looked at, and what was seen is written down.
        assert handed.total() <= 5 * torrents + 2
        assert said.count("COMMIT") <= 2 * torrents + 2
        said.clear()
        handed.clear()
        for added in session.torrents:
            await session.remove(added)
        assert handed.total() <= torrents + 2
        assert said.count("COMMIT") <= torrents + 2
        said.clear()
        handed.clear()
        files = [tmp_path / f"{number}.torrent" for number in range(torrents)]
        many = await asyncio.gather(*[session.add(file, tmp_path, trust=True) for file in files])
        await asyncio.gather(*[added.completed() for added in many])
        assert said.count("COMMIT") <= torrents


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"select": [0, 4]}, "there is no file 5: the torrent has 4"),
        ({"select": [-1]}, "there is no file 0: the torrent has 4"),
        ({"priorities": {4: 7}}, "priority 7 of file 5: there are 4 files, and priorities from 0 to 7"),
        ({"priorities": {0: 8}}, "priority 8 of file 1: there are 4 files, and priorities from 0 to 7"),
    ],
)
async def test_files_that_do_not_exist_are_no_torrent(tmp_path: Path, wrong: dict[str, Any], words: str) -> None:
    meta = torrent(album(tmp_path / "album"))
    async with Session(settings(tmp_path / "state", keep_torrents=True)) as session:
        with pytest.raises(SessionError, match=words):
            await session.add(meta, tmp_path, **wrong)
        assert session.torrents == ()
        there = await session.add(meta, tmp_path, select=[0, 3], priorities={3: 7})
        await there.completed()
        await session.remove(there)
        with pytest.raises(SessionError, match=words):
            await session.add(meta, tmp_path, **wrong)
    async with Session(settings(tmp_path / "state", keep_torrents=True)) as session:
        assert session.torrents == ()


async def test_where_the_files_are_not_known_yet_any_may_be_selected(tmp_path: Path) -> None:
    magnet = torrent(album(tmp_path / "album")).to_magnet()
    async with Session(settings(tmp_path / "state")) as session:
        there = await session.add(magnet, tmp_path, select=[4], priorities={4: 7})
        assert there.status.state in (State.CHECKING, State.METADATA)


async def test_a_torrent_is_forgotten_only_when_its_files_are_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in between, the next start knows that files are missing, and whose they are."""
    meta = torrent(album(tmp_path / "album"))
    left: list[bool] = []
    forget = Store.delete

    async def forgets(store: Store, info_hash: bytes, save_path: str, also: Callable[[Connection], None]) -> None:
        left.append((tmp_path / "album").exists())
        await forget(store, info_hash, save_path, also)

    monkeypatch.setattr(Store, "delete", forgets)
    async with Session(settings(tmp_path / "state")) as session:
        there = await session.add(meta, tmp_path)
        await there.completed()
        await session.remove(there, delete_data=True)
    assert left == [False]


async def test_removing_forgets_a_torrent_whose_files_can_not_be_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meta = torrent(album(tmp_path / "album"))

    def refuse(_content: object) -> None:
        raise StorageError(StorageError.Kind.PERMISSION, "/x", "")

    monkeypatch.setattr(door, "delete_content", refuse)
    async with Session(settings(tmp_path / "state")) as session:
        there = await session.add(meta, tmp_path)
        await there.completed()
        with pytest.raises(StorageError):
            await session.remove(there, delete_data=True)
        assert session.torrents == ()
        (tmp_path / "album" / "one.bin").unlink()
        again = await session.add(meta, tmp_path)
        await again.checked()
        assert again.status.state is State.DOWNLOADING  # nothing is missed of what is not known


async def test_removing_with_data_deletes_listed_files_only(tmp_path: Path) -> None:
    meta = torrent(album(tmp_path / "album"))
    (tmp_path / "album" / "two" / "mine.txt").write_text("mine")
    async with Session(settings(tmp_path / "state")) as session:
        there = await session.add(meta, tmp_path)
        await there.completed()
        await session.remove(there, delete_data=True)
    assert [path.name for path in (tmp_path / "album").rglob("*") if path.is_file()] == ["mine.txt"]
