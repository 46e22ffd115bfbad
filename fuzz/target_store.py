# Invariant: whatever became of the state file on the disk, the store opens or says why not, with StorageError alone;
# what it gives is of the right kinds, and what is put into it then reads back.
"""Fuzz target: the SQLite file with the state of all torrents, its log, and rows that somebody else wrote."""

import asyncio
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import closing, suppress
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import Any

from bittern.base.errors import StorageError
from bittern.session.store import FILE, Record, Store
from fuzz.driver import Target
from fuzz.plays import act, acts, play_edit

_HASH, _PLACE = bytes(20), "/downloads"
_RECORD = Record(_HASH, _PLACE, b"d4:name1:xe", (("http://a/", "http://b/"), ("udp://c:1",)), b"resume")
_OTHER = Record(bytes(range(20)), "/elsewhere")


class Does(IntEnum):
    """What happens to the files."""

    CHANGE = 0  # bytes of the file, from an offset on
    CHANGE_LOG = 1  # bytes of its log
    CUT = 2  # the file ends early
    CUT_LOG = 3
    ROW = 4  # the row of the torrent gets other values
    FACT = 5


class _Here(Executor):
    """Does all in the thread that asks, where it can be seen which lines are reached."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """See Executor."""
        future = Future[Any]()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - it is told to whoever waits
            future.set_exception(error)
        return future


def here(store: Store) -> Store:
    """`store`, without a thread of its own."""
    store._clerk._thread = _Here()  # type: ignore[assignment]  # noqa: SLF001 - all that it needs of a pool
    return store


@cache
def _runner() -> asyncio.Runner:
    return asyncio.Runner()


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    shm = Path("/dev/shm")  # where nothing waits for a disk
    return tempfile.TemporaryDirectory(prefix="bittern-fuzz-", dir=shm if shm.is_dir() else None)


def state_folder() -> Path:
    """Where state files may be made."""
    return Path(_folder().name)


@cache
def _files() -> dict[str, bytes]:
    """The state file and its log, as a process leaves them that is killed."""
    folder = state_folder() / "made"
    kept: dict[str, bytes] = {}

    async def make() -> None:
        store = here(Store(folder))
        await store.open()
        await store.put(_OTHER)
        await store.put(_RECORD)
        for path in folder.iterdir():
            if not path.name.endswith("-shm"):
                kept[path.name] = path.read_bytes()
        await store.close()

    _runner().run(make())
    kept[""] = (folder / FILE).read_bytes()  # without a log
    return kept


def check(data: bytes) -> bool:
    """A byte that says whether there is a log, then what happens to the files."""
    folder = state_folder() / "used"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    made = _files()
    path, log = folder / FILE, folder / f"{FILE}-wal"
    if data[:1] < b"\x80":
        path.write_bytes(made[""])
    else:
        path.write_bytes(made[FILE])
        log.write_bytes(made.get(log.name, b""))
    for kind, said in acts(data[1:]):
        _damage(path, log, kind % len(Does), said)
    return _runner().run(_use(folder))


def _damage(path: Path, log: Path, kind: int, said: bytes) -> None:
    if kind in {Does.ROW, Does.FACT}:
        _write_row(path, kind, said)
        return
    victim = log if kind in {Does.CHANGE_LOG, Does.CUT_LOG} else path
    if not victim.exists():
        return
    whole = bytearray(victim.read_bytes())
    at = int.from_bytes(said[:3]) % (len(whole) + 1)
    if kind in {Does.CUT, Does.CUT_LOG}:
        del whole[at:]
    else:
        whole[at : at + len(said[3:])] = said[3:]
    victim.write_bytes(whole)


def _write_row(path: Path, kind: int, said: bytes) -> None:
    values: list[object] = []
    for _, value in acts(said):
        number = int.from_bytes(value[:6])
        values.append((value, value.decode(errors="replace"), number, None)[len(value) % 4])
    values += [None] * 3
    with closing(sqlite3.connect(path)) as connection, suppress(sqlite3.Error, UnicodeDecodeError), connection:
        if kind == Does.ROW:
            connection.execute("UPDATE torrents SET info = ?, trackers = ?, resume = ?", values[:3])
        else:
            connection.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", values[:2])


async def _use(folder: Path) -> bool:
    store = here(Store(folder))
    try:
        await store.open()
    except StorageError:
        return False
    try:
        found = await store.load(_HASH, _PLACE)
        if found is not None:
            assert isinstance(found.info, bytes | None)
            assert isinstance(found.resume, bytes | None)
            assert all(isinstance(url, str) for tier in found.trackers for url in tier)
        assert all(isinstance(part, bytes) for row in (await store.layers(_HASH)).items() for part in row)
        assert isinstance(await store.fact("port"), str | None)
        assert isinstance(await store.rows("SELECT at FROM placements", ()), list)
        await store.put(_RECORD)
        again = await store.load(_HASH, _PLACE)
        assert again in {_RECORD, None}, "what was put does not read back"
    except StorageError:
        return False
    finally:
        await store.close()
    return found is not None


def _at(offset: int, said: bytes = b"") -> bytes:
    return offset.to_bytes(3) + said


_CORPUS = (
    b"\0",
    b"\xff",
    b"\0" + act(Does.CHANGE, _at(0, b"SQLite format 4")),
    b"\0" + act(Does.CHANGE, _at(60, b"\0\0\0\7")),
    b"\xff" + act(Does.CHANGE_LOG, _at(5000, bytes(40))),
    b"\xff" + act(Does.CUT_LOG, _at(9000)),
    b"\0" + act(Does.CUT, _at(4096)) + act(Does.CHANGE, _at(4000, bytes(90))),
    b"\0" + act(Does.ROW, act(0, b"infoinfo") + act(0, b'[["http://a/"]]!') + act(0, b"resu")),
    b"\0" + act(Does.ROW, act(0, b"123456") + act(0, b"[" * 5001) + act(0, b"123")),
    b"\0" + act(Does.FACT, act(0, b"bans!") + act(0, b"{}[]x")),
)

TARGET = Target(
    "store",
    corpus=_CORPUS,
    words=(bytes(8), b"\xff" * 8, b"CREATE TABLE", b"torrents", b"\x0d\0\0\0", b"[[]]", b'[["a", 1]]', b"{}", b"null"),
    check=check,
    edits=(play_edit(_CORPUS, head=1),),
)
