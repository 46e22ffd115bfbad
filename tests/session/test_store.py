import asyncio
import shutil
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from bittern.base.errors import AlreadyAddedError, StorageError
from bittern.session.clerk import AT_A_TIME
from bittern.session.store import FILE, Record, Store, read_json
from tests.session.rig import most_in_a_turn

HASH = bytes(range(20))
RECORD = Record(HASH, "/down", b"d4:name1:ae", (("http://a/",), ("http://b/", "http://c/")), b"resume")


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Store]:
    store = Store(folder)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def test_an_opening_that_is_cancelled_leaves_nothing_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, begun, cancelled = Store(tmp_path), threading.Event(), threading.Event()
    connect = store._connect

    def slow() -> sqlite3.Connection:
        begun.set()
        cancelled.wait()
        return connect()

    monkeypatch.setattr(store, "_connect", slow)
    opening = asyncio.ensure_future(store.open())
    await asyncio.to_thread(begun.wait)
    opening.cancel()
    cancelled.set()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert store._connection is None


async def test_a_record_comes_back_in_the_next_run(tmp_path: Path) -> None:
    async with opened(tmp_path / "new" / "state") as store:
        await store.put(RECORD)
        await store.keep_fact("port", "12345")
    async with opened(tmp_path / "new" / "state") as store:
        assert await store.load(HASH, "/down") == RECORD
        assert await store.load(HASH, "/elsewhere") is None
        assert await store.fact("port") == "12345"
        assert await store.fact("colour") is None


async def test_saving_progress_changes_only_that(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.put(RECORD)
        await store.save(HASH, "/down", b"more")
        await store.save(HASH, "/elsewhere", b"nothing to change")
        found = await store.load(HASH, "/down")
        assert found is not None
        assert (found.resume, found.info) == (b"more", RECORD.info)
        await store.delete(HASH, "/down")
        assert await store.load(HASH, "/down") is None


async def test_two_stores_share_a_folder(tmp_path: Path) -> None:
    async with opened(tmp_path) as one, opened(tmp_path) as two:
        await one.put(RECORD)
        await two.save(HASH, "/down", b"by two")
        found = await one.load(HASH, "/down")
        assert found is not None
        assert found.resume == b"by two"


@pytest.mark.parametrize("damage", [b"this is no database at all " * 100, b"SQLite format 3\0" + b"\xff" * 4000])
async def test_a_damaged_file_is_moved_aside_and_begun_anew(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / FILE).write_bytes(damage)
    async with opened(tmp_path) as store:
        assert await store.load(HASH, "/down") is None
        await store.put(RECORD)
        assert await store.load(HASH, "/down") == RECORD
    assert (tmp_path / f"{FILE}.damaged").read_bytes() == damage


async def test_a_damaged_schema_is_damage_whatever_sqlite_quotes_of_it(tmp_path: Path) -> None:
    async with opened(tmp_path):
        pass
    whole = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(whole.replace(b"WITHOUT ROWID", b"WITHOUT R\xff\xff\xff\xff"))
    async with opened(tmp_path) as store:
        await store.put(RECORD)
        assert await store.load(HASH, "/down") == RECORD
    assert (tmp_path / f"{FILE}.damaged").exists()


async def test_the_state_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    async with opened(tmp_path) as store:
        assert await store.load(HASH, "/down") is None
    assert (tmp_path / f"{FILE}.damaged").exists()


async def test_a_row_that_can_not_be_read_is_as_none(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.put(RECORD)
        assert store._connection is not None
        for trackers in ("{not json", "[" * 100_000, '[["http://a/", 1]]', "5"):
            await store._write("UPDATE torrents SET trackers = ?", (trackers,))
            assert await store.load(HASH, "/down") is None
        await store.put(RECORD)
        await store._write("UPDATE torrents SET info = ?", (10**12,))
        assert await store.load(HASH, "/down") is None


async def test_a_folder_that_can_not_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="file/state"):
        await Store(tmp_path / "file" / "state").open()


async def test_a_write_that_fails_names_the_file(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store._write("DROP TABLE torrents", ())
        with pytest.raises(StorageError, match=FILE):
            await store.put(RECORD)


async def test_piece_layers_are_kept_and_forgotten_with_the_torrent(tmp_path: Path) -> None:
    store = Store(tmp_path)
    await store.open()
    await store.put(RECORD)
    rows = {b"root one": b"row", b"root two": b"another"}
    await store.keep_layers(HASH, rows)
    assert await store.layers(HASH) == rows
    assert await store.layers(bytes(20)) == {}
    await store.delete(HASH, "/down")
    assert await store.layers(HASH) == {}
    await store.close()


@pytest.mark.parametrize(
    ("name", "free", "kind"),
    [
        ("SQLITE_FULL", 1 << 30, StorageError.Kind.DISK_FULL),
        ("SQLITE_IOERR_SHMSIZE", 0, StorageError.Kind.DISK_FULL),
        ("SQLITE_IOERR_WRITE", 1 << 30, StorageError.Kind.IO),
        ("SQLITE_READONLY", 1 << 30, StorageError.Kind.PERMISSION),
        ("SQLITE_READONLY_DBMOVED", 0, StorageError.Kind.PERMISSION),
    ],
)
def test_what_is_wrong_with_the_state_file_is_told_however_sqlite_puts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, free: int, kind: StorageError.Kind
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorname = name
    assert Store(tmp_path)._failure(error).kind is kind


async def test_what_one_downloads_is_nobody_elses_business(tmp_path: Path) -> None:
    async with opened(tmp_path / "state") as store:
        await store.put(RECORD)
        modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "state").iterdir()}
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    assert set(modes.values()) == {0o600}
    assert FILE in modes


async def test_what_is_written_in_one_turn_is_one_transaction_and_one_that_fails_takes_no_other_with_it(
    tmp_path: Path,
) -> None:
    said: list[str] = []
    async with opened(tmp_path) as store:
        await store.transact(lambda connection: connection.set_trace_callback(said.append))
        await asyncio.gather(store.put(RECORD), store.keep_fact("a", "1"), store.load(HASH, "/down"))
        assert (said.count("BEGIN "), said.count("COMMIT")) == (1, 1)
        failed = store._write("INSERT INTO nowhere VALUES (?)", (1,))
        results = await asyncio.gather(
            store.keep_fact("a", "2"), failed, store.keep_fact("b", "3"), return_exceptions=True
        )
        assert [type(each) for each in results] == [type(None), StorageError, type(None)]
        assert (await store.fact("a"), await store.fact("b")) == ("2", "3")


async def test_a_torrent_is_forgotten_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    def refuse(_connection: sqlite3.Connection) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    async with opened(tmp_path) as store:
        await store.put(RECORD)
        with pytest.raises(StorageError):
            await store.delete(HASH, "/down", refuse)
        assert await store.load(HASH, "/down") == RECORD


async def test_nobody_has_a_lock_that_was_asked_for_and_not_waited_for(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        for _ in range(2):
            waiting = asyncio.create_task(store.lock(HASH, "/down"))
            await asyncio.sleep(0)  # it has been asked for
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        await store.fact("port")  # by now it was taken
        lock = await store.lock(HASH, "/down")
        with pytest.raises(AlreadyAddedError):
            await store.lock(HASH, "/down")
        lock.release()
        (await store.lock(HASH, "/down")).release()


async def test_what_follows_of_many_reads_is_spread_over_turns_of_the_loop(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        assert await most_in_a_turn(lambda: store.load(HASH, "/down"), 100) <= AT_A_TIME


async def test_facts_and_layers_of_another_kind_or_in_a_damaged_page_are_none(tmp_path: Path) -> None:
    store = Store(tmp_path)
    await store.open()
    await store.keep_fact("port", "7000")
    await store.keep_layers(bytes(20), {bytes(32): bytes(64)})
    await store.do_durably([("UPDATE facts SET value = ?", (b"7000",)), ("UPDATE layers SET row = ?", (1 << 60,))])
    assert await store.fact("port") is None
    assert await store.layers(bytes(20)) == {}
    await store.close()
    path = tmp_path / FILE
    whole = bytearray(path.read_bytes())
    for at in range(4096, len(whole), 4096):
        whole[at] = 0x55  # no kind of page
    path.write_bytes(whole)
    store = Store(tmp_path)
    await store.open()
    assert await store.fact("port") is None
    assert await store.layers(bytes(20)) == {}
    await store.close()


def test_json_of_too_many_levels_is_none() -> None:
    with pytest.raises(ValueError, match="levels"):
        read_json("[" * 100_000)
