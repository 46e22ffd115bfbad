"""Saved state of all torrents: one SQLite file in the state folder, used by one thread.

What is in it only saves work. A damaged file is moved aside and begun anew: the content is checked instead.
Several processes may share a state folder; each row belongs to the process that holds the torrent's lock.
"""

import asyncio
import json
import shutil
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from bittern.base.errors import StorageError
from bittern.io.disk.failures import storage_error
from bittern.io.threads import pool

VERSION = 1
FILE = "state.sqlite3"
_BUSY_SECONDS = 5.0
AT_A_TIME = 4
"""Jobs that are given to the thread; of thousands the others wait on the loop, which would else do in one turn what
follows of all of them."""
_LITTLE_BYTES = 256 << 10
"""With less room than this, a write that failed without a reason failed for want of room."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS torrents (
    info_hash BLOB NOT NULL,   -- as the wire carries it, 20 bytes
    save_path TEXT NOT NULL,
    info BLOB,                 -- the raw info dictionary; NULL while the metadata is unknown
    trackers TEXT NOT NULL,    -- tiers, as JSON
    resume BLOB,               -- codec.resume; NULL before the first save
    PRIMARY KEY (info_hash, save_path)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS layers (
    info_hash BLOB NOT NULL,
    root BLOB NOT NULL,        -- of a file's hash tree
    row BLOB NOT NULL,         -- the hashes of its pieces, proved by the root (BEP 52)
    PRIMARY KEY (info_hash, root)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS placements (
    info_hash BLOB NOT NULL,
    save_path TEXT NOT NULL,   -- as in torrents
    at TEXT NOT NULL,          -- where the files are, or are to be (session.placement)
    was TEXT,                  -- while they move, where some of them may still be
    target TEXT,               -- while they move, the save_path that the torrent is to have
    PRIMARY KEY (info_hash, save_path)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Record:
    """What is kept of a torrent.

    Attributes:
        info_hash: as the wire carries it.
        save_path: where its files go, absolute.
        info: the raw info dictionary, or None.
        trackers: tiers.
        resume: saved progress (codec.resume), or None.
    """

    info_hash: bytes
    save_path: str
    info: bytes | None = None
    trackers: tuple[tuple[str, ...], ...] = ()
    resume: bytes | None = None


class Store:
    """The state file.

    Args:
        folder: that holds it; made when missing.

    Raises:
        ThreadLimitError: the system allows no thread for it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._thread = pool(1, "bittern-state")
        self._connection: sqlite3.Connection | None = None
        self._queue = asyncio.Semaphore(AT_A_TIME)

    async def open(self) -> None:
        """Open the file, or make it.

        Raises:
            StorageError: the folder or the file can not be used.
        """
        try:
            await self._run(self._open)
        except BaseException:
            self._thread.submit(self._close)  # who is cancelled has opened it all the same
            self._thread.shutdown()
            raise

    async def close(self) -> None:
        """Close the file, after what was asked before."""
        await self._run(self._close)
        self._thread.shutdown()

    async def load(self, info_hash: bytes, save_path: str) -> Record | None:
        """What is kept of a torrent; None when nothing is, or nothing that can be read."""
        return await self._run(lambda: self._load(info_hash, save_path))

    async def put(self, record: Record) -> None:
        """Keep `record`, in place of the one for the same torrent and place.

        Raises:
            StorageError: it can not be written.
        """
        row = (record.info_hash, record.save_path, record.info, json.dumps(record.trackers), record.resume)
        await self._write("INSERT OR REPLACE INTO torrents VALUES (?, ?, ?, ?, ?)", row)

    async def save(self, info_hash: bytes, save_path: str, resume: bytes) -> None:
        """Keep new progress of a torrent that is there.

        Raises:
            StorageError: it can not be written.
        """
        await self._write(
            "UPDATE torrents SET resume = ? WHERE info_hash = ? AND save_path = ?", (resume, info_hash, save_path)
        )

    async def delete(self, info_hash: bytes, save_path: str) -> None:
        """Forget a torrent.

        Raises:
            StorageError: it can not be written.
        """
        await self._write("DELETE FROM torrents WHERE info_hash = ? AND save_path = ?", (info_hash, save_path))
        await self._write("DELETE FROM layers WHERE info_hash = ?", (info_hash,))
        await self._write("DELETE FROM placements WHERE info_hash = ? AND save_path = ?", (info_hash, save_path))

    async def layers(self, info_hash: bytes) -> dict[bytes, bytes]:
        """The piece layers that are kept of a torrent, by root; none that can not be read."""

        def read() -> dict[bytes, bytes]:
            query = "SELECT root, row FROM layers WHERE info_hash = ?"
            try:
                found = self._connected().execute(query, (info_hash,)).fetchall()
            except sqlite3.DatabaseError:
                return {}
            # SQLite lets any kind of value stand in any column.
            return {root: row for root, row in found if isinstance(root, bytes) and isinstance(row, bytes)}

        return await self._run(read)

    async def keep_layers(self, info_hash: bytes, rows: Mapping[bytes, bytes]) -> None:
        """Keep piece layers of a torrent, by root.

        Raises:
            StorageError: they can not be written.
        """
        for root, row in rows.items():
            await self._write("INSERT OR REPLACE INTO layers VALUES (?, ?, ?)", (info_hash, root, row))

    async def rows(self, query: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        """What a query finds; nothing when the file can not be read."""

        def read() -> list[tuple[Any, ...]]:
            try:
                return self._connected().execute(query, values).fetchall()
            except sqlite3.DatabaseError:
                return []

        return await self._run(read)

    async def do_durably(self, statements: Sequence[tuple[str, tuple[object, ...]]]) -> None:
        """Do all of `statements` or none; what they did is on the disk when this returns, whatever happens then.

        Raises:
            StorageError: they can not be done.
        """

        def write() -> None:
            connection = self._connected()
            try:
                connection.execute("PRAGMA synchronous = FULL")
                with connection:
                    for statement, values in statements:
                        connection.execute(statement, values)
                connection.execute("PRAGMA synchronous = NORMAL")
            except sqlite3.Error as error:
                raise self._failure(error) from error

        await self._run(write)

    async def fact(self, name: str) -> str | None:
        """A single value that was kept under `name`; None when none is, or none that can be read."""

        def read() -> str | None:
            try:
                row = self._connected().execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
            except sqlite3.DatabaseError:
                return None
            return row[0] if row is not None and isinstance(row[0], str) else None

        return await self._run(read)

    async def keep_fact(self, name: str, value: str) -> None:
        """Keep a single value.

        Raises:
            StorageError: it can not be written.
        """
        await self._write("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    async def transact(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do `work` on the state file, in its thread and in one transaction.

        Raises:
            StorageError: the file can not be read or written.
        """
        return await self._run(lambda: self._transaction(work))

    def transact_now(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """As `transact`, but the caller waits."""
        return self._thread.submit(self._transaction, work).result()

    async def _run(self, work: Callable[[], T]) -> T:
        async with self._queue:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _write(self, statement: str, values: tuple[object, ...]) -> None:
        def write() -> None:
            try:
                with self._connected() as connection:
                    connection.execute(statement, values)
            except sqlite3.Error as error:
                raise self._failure(error) from error

        await self._run(write)

    def _transaction(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            with self._connected() as connection:
                return work(connection)
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def _open(self) -> None:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self.folder / FILE).touch(mode=0o600)  # SQLite gives its other files the same permissions
        except OSError as error:
            raise storage_error(error, str(self.folder)) from error
        try:
            self._connection = self._connect()
        except sqlite3.OperationalError as error:  # permissions, a full disk: nothing that moving it would cure
            raise self._failure(error) from error
        except (sqlite3.DatabaseError, UnicodeDecodeError):  # the latter where its words quote what is damaged
            self._set_aside()
            self._connection = self._connect()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.folder / FILE, timeout=_BUSY_SECONDS)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version not in (0, VERSION):
                raise sqlite3.DatabaseError(f"state of version {version}")  # noqa: TRY301 - as damage
            with connection:
                connection.executescript(_SCHEMA)
                connection.execute(f"PRAGMA user_version = {VERSION}")
            connection.execute("SELECT info_hash, save_path, info, trackers, resume FROM torrents LIMIT 1")
        except BaseException:
            connection.close()
            raise
        return connection

    def _set_aside(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            path = self.folder / (FILE + suffix)
            if path.exists():
                path.replace(path.with_name(f"{FILE}.damaged{suffix}"))

    def _load(self, info_hash: bytes, save_path: str) -> Record | None:
        query = "SELECT info, trackers, resume FROM torrents WHERE info_hash = ? AND save_path = ?"
        try:
            row = self._connected().execute(query, (info_hash, save_path)).fetchone()
            if row is None:
                return None
            info, trackers, resume = row
            if any(not isinstance(blob, bytes | None) for blob in (info, resume)):
                return None
            return Record(info_hash, save_path, info, _tiers(trackers), resume)
        except (sqlite3.DatabaseError, ValueError, TypeError):
            return None

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> sqlite3.Connection:
        assert self._connection is not None, "the store is not open"
        return self._connection

    def _failure(self, error: sqlite3.Error) -> StorageError:
        name = getattr(error, "sqlite_errorname", "")
        # Where the shared memory or the log can not grow, SQLite only says that it could not write.
        full = name == "SQLITE_FULL" or (name.startswith("SQLITE_IOERR") and _free_bytes(self.folder) < _LITTLE_BYTES)
        kind = StorageError.Kind.DISK_FULL if full else StorageError.Kind.IO
        kind = StorageError.Kind.PERMISSION if name.startswith("SQLITE_READONLY") else kind
        return StorageError(kind, str(self.folder / FILE), str(error))


def read_json(text: Any) -> Any:
    """What a value of the store says that should be JSON.

    Raises:
        ValueError, TypeError: it is none, or has more levels than anybody wrote.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("too many levels") from None


def _tiers(text: str) -> tuple[tuple[str, ...], ...]:
    tiers = tuple(map(tuple, read_json(text)))
    if not all(isinstance(url, str) for tier in tiers for url in tier):
        raise ValueError("a tracker that is no text")
    return tiers


def _free_bytes(folder: Path) -> int:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return _LITTLE_BYTES
