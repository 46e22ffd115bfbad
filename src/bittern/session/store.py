"""Saved state of all torrents: one SQLite file in the state folder, used by one thread.

What is asked for in one turn of the loop is done together, in one transaction: see `Clerk`.

What is in it only saves work. A damaged file is moved aside and begun anew: the content is checked instead.
Several processes may share a state folder; each row belongs to the process that holds the torrent's lock.
"""

import asyncio
import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from bittern.base.errors import StorageError
from bittern.io.disk.failures import storage_error

from .clerk import Clerk
from .lock import TorrentLock

VERSION = 1
FILE = "state.sqlite3"
_BUSY_SECONDS = 5.0
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
        self._clerk = Clerk("bittern-state", self._transaction)
        self._connection: sqlite3.Connection | None = None
        self._in_transaction = False

    async def open(self) -> None:
        """Open the file, or make it.

        Raises:
            StorageError: the folder or the file cannot be used.
        """
        try:
            await self._clerk.ask(self._open, alone=True)
        except BaseException:
            self._clerk.ask_now(self._close)  # who is cancelled has opened it all the same
            self._clerk.end()
            raise

    async def close(self) -> None:
        """Close the file, after what was asked before; at once for who is cancelled."""
        try:
            await self._clerk.ask(self._close, alone=True)
        except BaseException:
            self._clerk.ask_now(self._close)
            raise
        finally:
            self._clerk.end()

    async def lock(self, info_hash: bytes, place: str) -> TorrentLock:
        """The lock of a torrent: see `TorrentLock`; nobody has it where this is cancelled.

        Raises:
            AlreadyAddedError: another process, or another session of this one, holds it.
            StorageError: the lock file cannot be made.
        """
        taken: list[TorrentLock] = []

        def take() -> TorrentLock:
            if not taken:  # it is not undone with what was done together
                taken.append(TorrentLock(self.folder, info_hash, place))
            return taken[0]

        answer = self._clerk.ask(take)
        try:
            return await asyncio.shield(answer)
        except asyncio.CancelledError:
            answer.add_done_callback(_let_go)
            raise

    async def load(self, info_hash: bytes, save_path: str) -> Record | None:
        """What is kept of a torrent; None when nothing is, or nothing that can be read."""
        return await self.read(lambda connection: load(connection, info_hash, save_path), None)

    async def put(self, record: Record) -> None:
        """Keep `record`, in place of the one for the same torrent and place.

        Raises:
            StorageError: it cannot be written.
        """
        row = (record.info_hash, record.save_path, record.info, json.dumps(record.trackers), record.resume)
        await self._write("INSERT OR REPLACE INTO torrents VALUES (?, ?, ?, ?, ?)", row)

    async def save(self, info_hash: bytes, save_path: str, resume: bytes) -> None:
        """Keep new progress of a torrent that is there.

        Raises:
            StorageError: it cannot be written.
        """
        await self._write(
            "UPDATE torrents SET resume = ? WHERE info_hash = ? AND save_path = ?", (resume, info_hash, save_path)
        )

    async def delete(
        self, info_hash: bytes, save_path: str, also: Callable[[sqlite3.Connection], None] = lambda _: None
    ) -> None:
        """Forget a torrent, all of it or nothing.

        Args:
            info_hash: of the torrent.
            save_path: likewise.
            also: is done in the same transaction.

        Raises:
            StorageError: it cannot be written.
        """

        def delete(connection: sqlite3.Connection) -> None:
            also(connection)
            connection.execute("DELETE FROM torrents WHERE info_hash = ? AND save_path = ?", (info_hash, save_path))
            connection.execute("DELETE FROM layers WHERE info_hash = ?", (info_hash,))
            connection.execute("DELETE FROM placements WHERE info_hash = ? AND save_path = ?", (info_hash, save_path))

        await self.transact(delete)

    async def layers(self, info_hash: bytes) -> dict[bytes, bytes]:
        """The piece layers that are kept of a torrent, by root; none that cannot be read."""
        return await self.read(lambda connection: layers(connection, info_hash), {})

    async def keep_layers(self, info_hash: bytes, rows: Mapping[bytes, bytes]) -> None:
        """Keep piece layers of a torrent, by root.

        Raises:
            StorageError: they cannot be written.
        """
        values = [(info_hash, root, row) for root, row in rows.items()]
        statement = "INSERT OR REPLACE INTO layers VALUES (?, ?, ?)"
        await self.transact(lambda connection: connection.executemany(statement, values).close())

    async def rows(self, query: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        """What a query finds; nothing when the file cannot be read."""
        return await self.read(lambda connection: connection.execute(query, values).fetchall(), [])

    async def do_durably(self, statements: Sequence[tuple[str, tuple[object, ...]]]) -> None:
        """Do all of `statements` or none; what they did is on the disk when this returns, whatever happens then.

        Raises:
            StorageError: they cannot be done.
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

        await self._clerk.ask(write, alone=True)

    async def fact(self, name: str) -> str | None:
        """A single value that was kept under `name`; None when none is, or none that can be read."""
        rows = await self.rows("SELECT value FROM facts WHERE name = ?", (name,))
        return rows[0][0] if rows and isinstance(rows[0][0], str) else None

    async def keep_fact(self, name: str, value: str) -> None:
        """Keep a single value.

        Raises:
            StorageError: it cannot be written.
        """
        await self._write("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    async def transact(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do `work` on the state file, in its thread and in one transaction; once more if that is undone.

        Raises:
            StorageError: the file cannot be read or written.
        """
        return await self._clerk.ask(lambda: self._done(work))

    async def read(self, work: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        """As `transact`, but what it gives where the file cannot be read is `otherwise`."""
        try:
            return await self.transact(work)
        except StorageError:
            return otherwise

    def transact_now(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """As `transact`, but the caller waits."""
        return self._clerk.ask_now(lambda: self._done(work)).result()

    async def _write(self, statement: str, values: tuple[object, ...]) -> None:
        await self.transact(lambda connection: connection.execute(statement, values).close())

    def _done(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with self._transaction() as connection:
            return work(connection)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """One transaction for all that is done within, whatever asks for one of its own there."""
        connection = self._connected()
        if self._in_transaction:
            yield connection
            return
        self._in_transaction = True
        try:
            with connection:
                yield connection
        except sqlite3.Error as error:
            raise self._failure(error) from error
        finally:
            self._in_transaction = False

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

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> sqlite3.Connection:
        assert self._connection is not None, "the store is not open"
        return self._connection

    def _failure(self, error: sqlite3.Error) -> StorageError:
        name = getattr(error, "sqlite_errorname", "")
        # Where the shared memory or the log cannot grow, SQLite only says that it could not write.
        full = name == "SQLITE_FULL" or (name.startswith("SQLITE_IOERR") and _free_bytes(self.folder) < _LITTLE_BYTES)
        kind = StorageError.Kind.DISK_FULL if full else StorageError.Kind.IO
        kind = StorageError.Kind.PERMISSION if name.startswith("SQLITE_READONLY") else kind
        return StorageError(kind, str(self.folder / FILE), str(error))


def load(connection: sqlite3.Connection, info_hash: bytes, save_path: str) -> Record | None:
    """See `Store.load`; for who has other things to read as well."""
    query = "SELECT info, trackers, resume FROM torrents WHERE info_hash = ? AND save_path = ?"
    row = connection.execute(query, (info_hash, save_path)).fetchone()
    if row is None:
        return None
    info, trackers, resume = row
    # SQLite lets any kind of value stand in any column.
    if not isinstance(info, bytes | None) or not isinstance(resume, bytes | None):
        return None
    try:
        return Record(info_hash, save_path, info, _tiers(trackers), resume)
    except (ValueError, TypeError):
        return None


def layers(connection: sqlite3.Connection, info_hash: bytes) -> dict[bytes, bytes]:
    """See `Store.layers`; likewise."""
    found = connection.execute("SELECT root, row FROM layers WHERE info_hash = ?", (info_hash,))
    return {root: row for root, row in found if isinstance(root, bytes) and isinstance(row, bytes)}


def read_json(text: Any) -> Any:
    """What a value of the store says that should be JSON.

    Raises:
        ValueError, TypeError: it is none, or has more levels than anybody wrote.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("too many levels") from None


def _let_go(taken: asyncio.Future[TorrentLock]) -> None:
    if not taken.cancelled() and taken.exception() is None:
        taken.result().release()


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
