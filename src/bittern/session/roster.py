"""The torrents of a session in its store: read whole at the start, in chunks; written a batch at a time."""

import json
import sqlite3
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import astuple
from functools import partial

from bittern.base.errors import BencodeError, BitternError, MagnetError, MetainfoError, SessionError
from bittern.base.ids import InfoHashV1
from bittern.codec.info import Info
from bittern.codec.magnet import Magnet
from bittern.codec.metainfo import Metainfo

from .entry import Entry, Mode, Tiers
from .goals import AtGoal, Goal
from .limits import Limits, check_limit
from .status import State
from .store import Store, read_json

CHUNK = 2000
"""Rows read at a time: a few milliseconds of work between two turns of the loop."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS members (
    number INTEGER PRIMARY KEY,
    info_hash BLOB NOT NULL UNIQUE,
    save_path TEXT NOT NULL,
    content TEXT,
    name TEXT NOT NULL,
    tiers TEXT NOT NULL,       -- as JSON; before them how many of them the user named, if any
    selection TEXT,            -- as JSON; NULL for all files
    file_priorities TEXT,      -- as JSON, or NULL
    limits TEXT,               -- as JSON, or NULL
    link TEXT,
    mode TEXT NOT NULL,
    position INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    goal TEXT,                 -- as JSON; NULL for that of the settings
    goal_met INTEGER NOT NULL,
    state TEXT NOT NULL,
    done_bytes INTEGER NOT NULL,
    total_bytes INTEGER NOT NULL,
    uploaded INTEGER NOT NULL,
    downloaded INTEGER NOT NULL,
    complete INTEGER NOT NULL,
    seeded_seconds REAL NOT NULL,
    super_seed INTEGER NOT NULL DEFAULT 0,
    also BLOB,                 -- the other info hash of a hybrid, as the wire carries it, or NULL
    private INTEGER            -- NULL while it is not known
);
CREATE TABLE IF NOT EXISTS sources (info_hash BLOB PRIMARY KEY, torrent BLOB NOT NULL) WITHOUT ROWID;
"""
_LATER = {"super_seed": "INTEGER NOT NULL DEFAULT 0", "also": "BLOB", "private": "INTEGER"}
"""Columns that tables of earlier versions lack, and what they are. Those versions can still use the table."""

_COLUMNS = (
    "number, info_hash, save_path, content, name, tiers, selection, file_priorities, limits, link, mode, "
    "position, priority, goal, goal_met, state, done_bytes, total_bytes, uploaded, downloaded, complete, "
    "seeded_seconds, super_seed, also, private"
)


class Roster:
    """The kept torrents of one state folder.

    Args:
        store: an open one.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    async def open(self) -> None:
        """Make what is missing.

        Raises:
            StorageError: the store cannot be used.
        """
        await self._store.transact(_prepare)

    async def load(self) -> AsyncIterator[list[Entry]]:
        """All torrents in the order they were added, a chunk at a time; a row that makes no sense is left out.

        Raises:
            StorageError: the store cannot be read.
        """
        reader = _Reader()
        last: int | None = -1
        while last is not None:
            entries, last = await self._store.transact(partial(reader.chunk, after=last))
            if entries:
                yield entries

    async def save(self, entries: Iterable[Entry]) -> None:
        """Write torrents down as they are now.

        Raises:
            StorageError: they cannot be written; they stay `unsaved`.
        """
        batch = list(entries)
        rows = [_row_of(entry) for entry in batch]
        for entry in batch:
            entry.unsaved = False
        try:
            await self._store.transact(partial(_save, rows=rows))
        except BaseException:
            for entry in batch:
                entry.unsaved = True
            raise

    async def enter(self, entry: Entry, found: Metainfo | Magnet, *, kept: bool) -> None:
        """Write a new torrent down: what it was found to be, and itself if it is `kept`.

        Raises:
            StorageError: it cannot be written; it stays `unsaved`.
        """
        rows = [_row_of(entry)] if kept else []

        def enter(connection: sqlite3.Connection) -> None:
            if isinstance(found, Metainfo):
                values = (entry.info_hash, found.to_bytes())
                connection.execute("INSERT OR REPLACE INTO sources VALUES (?, ?)", values)
            _save(connection, rows)

        entry.unsaved = False
        try:
            await self._store.transact(enter)
        except BaseException:
            entry.unsaved = True
            raise

    async def delete(self, entry: Entry, place: str, *, kept: bool = True) -> None:
        """Forget a torrent, and its progress.

        Args:
            entry: the torrent.
            place: what that is kept by.
            kept: whether it is one of those that are kept; else what is kept of the same torrent by another session
                stays.

        Raises:
            StorageError: it cannot be written.
        """

        def delete(connection: sqlite3.Connection) -> None:
            if kept:
                connection.execute("DELETE FROM members WHERE info_hash = ?", (entry.info_hash,))
            connection.execute(
                "DELETE FROM sources WHERE info_hash = ? AND info_hash NOT IN (SELECT info_hash FROM members)",
                (entry.info_hash,),
            )

        await self._store.delete(entry.info_hash, place, delete)

    async def source(self, entry: Entry) -> Metainfo | None:
        """The torrent as it was added, or what peers told of it; None when its metadata is not known.

        Raises:
            StorageError: the store cannot be read.
            SessionError: what is in it makes no sense, or is of another torrent.
        """
        # Read and understood off the loop: there may be a hundred thousand files.
        return await self._store.transact(lambda connection: _metainfo(_source(connection, entry), entry))

    def source_now(self, entry: Entry) -> Metainfo | None:
        """As `source`, but the caller waits."""
        found = self._store.transact_now(lambda connection: _source(connection, entry))
        return _metainfo(found, entry)


class _Reader:
    """Makes entries of rows; what many have in common is one object."""

    def __init__(self) -> None:
        self._tiers: dict[str, tuple[int, Tiers]] = {}
        self._texts: dict[str, str] = {}

    def chunk(self, connection: sqlite3.Connection, after: int) -> tuple[list[Entry], int | None]:
        """The entries behind row `after`, and the last row that was read; None when there are no more."""
        query = f"SELECT {_COLUMNS} FROM members WHERE number > ? ORDER BY number LIMIT ?"  # noqa: S608 - constants
        rows = connection.execute(query, (after, CHUNK)).fetchall()
        entries = [entry for row in rows if (entry := self._entry(row)) is not None]
        return entries, rows[-1][0] if len(rows) == CHUNK else None

    def _entry(self, row: Sequence[object]) -> Entry | None:
        number, info_hash, save_path, content, name, tiers, selection, priorities, limits, link, mode = row[:11]
        position, priority, goal, goal_met, state, done, total, uploaded, downloaded, complete, seeded = row[11:22]
        try:
            own_tiers, trackers = self._tiers_of(str(tiers))
            return Entry(
                number=_int(number),
                info_hash=InfoHashV1(_bytes(info_hash)),
                save_path=self._text(str(save_path)),
                content=None if content is None else str(content),
                name=str(name),
                tiers=trackers,
                own_tiers=own_tiers,
                select=None if selection is None else tuple(map(_int, read_json(str(selection)))),
                file_priorities=None
                if priorities is None
                else {_int(at): _int(value) for at, value in read_json(str(priorities))},
                limits=None if limits is None else _limits_of(str(limits)),
                link=None if link is None else str(link),
                mode=Mode(mode),
                position=_int(position),
                priority=_int(priority),
                goal=None if goal is None else _goal_of(str(goal)),
                goal_met=bool(goal_met),
                state=State(state),
                done_bytes=_int(done),
                total_bytes=_int(total),
                uploaded=_int(uploaded),
                downloaded=_int(downloaded),
                complete=bool(complete),
                seeded_seconds=float(str(seeded)),
                super_seed=bool(row[22]),
                also=None if row[23] is None else InfoHashV1(_bytes(row[23])),
                private=None if row[24] is None else bool(row[24]),
                unsaved=False,
            )
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, BitternError):
            return None

    def _text(self, text: str) -> str:
        return self._texts.setdefault(text, text)

    def _tiers_of(self, text: str) -> tuple[int, Tiers]:
        if text not in self._tiers:
            said = read_json(text)
            own = said.pop(0) if said and isinstance(said[0], int) else 0
            self._tiers[text] = own, tuple(tuple(map(str, tier)) for tier in said)
        return self._tiers[text]


def _prepare(connection: sqlite3.Connection) -> None:
    """Make the tables that are missing, and the columns that one of an earlier version lacks."""
    connection.executescript(_SCHEMA)
    present = {row[1] for row in connection.execute("PRAGMA table_info(members)")}
    for name, kind in _LATER.items():
        if name not in present:
            connection.execute(f"ALTER TABLE members ADD COLUMN {name} {kind}")


def _source(connection: sqlite3.Connection, entry: Entry) -> tuple[bytes | None, bytes | None]:
    """A .torrent file, and the raw info dictionary alone, as far as they were kept."""
    torrent = connection.execute("SELECT torrent FROM sources WHERE info_hash = ?", (entry.info_hash,)).fetchone()
    query = "SELECT info FROM torrents WHERE info_hash = ? AND save_path = ?"
    info = connection.execute(query, (entry.info_hash, entry.place)).fetchone()
    return _blob(torrent), _blob(info)


def _blob(row: tuple[object] | None) -> bytes | None:
    """What the row holds, if that is what was written: SQLite lets any kind of value stand in any column."""
    return row[0] if row is not None and isinstance(row[0], bytes) else None


def _metainfo(found: tuple[bytes | None, bytes | None], entry: Entry) -> Metainfo | None:
    try:
        metainfo = _understood(*found, entry)
    except (BencodeError, MetainfoError, MagnetError) as error:
        raise _damaged(entry, str(error)) from error
    if metainfo is not None and entry.info_hash not in _names(metainfo.info):
        raise _damaged(entry, "it is of another torrent")
    return metainfo


def _damaged(entry: Entry, reason: str) -> SessionError:
    cure = "remove it without its files, and add it again"
    return SessionError(f"what was saved of {entry.name} is damaged ({reason}): {cure}")


def _names(info: Info) -> tuple[InfoHashV1 | None, ...]:
    """What the wire may call a torrent."""
    return info.info_hash_v1, info.info_hash_v2.truncated() if info.info_hash_v2 is not None else None


def _understood(torrent: bytes | None, info: bytes | None, entry: Entry) -> Metainfo | None:
    if torrent is not None:
        return Metainfo.from_bytes(torrent)
    if info is None:
        return None
    web_seeds = Magnet.parse(entry.link).web_seeds if entry.link is not None else ()
    return Metainfo.from_info(Info.parse(info), entry.tiers, web_seeds)


def _save(connection: sqlite3.Connection, rows: Sequence[tuple[object, ...]]) -> None:
    marks = ", ".join("?" * len(_COLUMNS.split(", ")))
    statement = f"INSERT OR REPLACE INTO members ({_COLUMNS}) VALUES ({marks})"  # noqa: S608 - constants
    connection.executemany(statement, rows)


def _row_of(entry: Entry) -> tuple[object, ...]:
    return (
        entry.number,
        bytes(entry.info_hash),
        entry.save_path,
        entry.content,
        entry.name,
        json.dumps([entry.own_tiers, *entry.tiers] if entry.own_tiers else entry.tiers),
        None if entry.select is None else json.dumps(entry.select),
        None if entry.file_priorities is None else json.dumps(list(entry.file_priorities.items())),
        None if entry.limits is None else _limits_text(entry.limits),
        entry.link,
        entry.mode.value,
        entry.position,
        entry.priority,
        None if entry.goal is None else _goal_text(entry.goal),
        entry.goal_met,
        entry.state.value,
        entry.done_bytes,
        entry.total_bytes,
        entry.uploaded,
        entry.downloaded,
        entry.complete,
        entry.seeded_seconds,
        entry.super_seed,
        None if entry.also is None else bytes(entry.also),
        entry.private,
    )


def _goal_text(goal: Goal) -> str:
    return json.dumps([goal.ratio, goal.seed_minutes, goal.idle_minutes, goal.then.value])


def _limits_text(limits: Limits) -> str:
    *most, peers = astuple(limits)
    return json.dumps([*most, peers] if peers else most)  # earlier versions know none of single peers


def _limits_of(text: str) -> Limits:
    down, up, peer_down, peer_up, group, *peers = read_json(text)
    own = {str(host): (own_down, own_up) for host, (own_down, own_up) in (peers[0] if peers else {}).items()}
    for limit in (down, up, peer_down, peer_up, *(each for both in own.values() for each in both)):
        check_limit("limit", limit, zero=True)
    return Limits(down, up, peer_down, peer_up, None if group is None else str(group), own)


def _goal_of(text: str) -> Goal:
    ratio, seed_minutes, idle_minutes, then = read_json(text)
    return Goal(ratio=ratio, seed_minutes=seed_minutes, idle_minutes=idle_minutes, then=AtGoal(then))


def _int(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(value)
    return value


def _bytes(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError(value)
    return value
