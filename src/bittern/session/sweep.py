"""The files of torrents that sleep since the start: looked at one after the other, none woken up that looks as it did.

Nothing is read from the files. Where sizes or times differ from what was saved the torrent wakes up, one at a time,
and what changed is hashed; where files are gone it says so, asleep, and is looked at again from time to time.
"""

import asyncio
import os
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bittern.base.errors import BitternError, StorageError
from bittern.base.ids import InfoHashV1
from bittern.codec.info import Info
from bittern.io.disk.handles import Handles
from bittern.io.disk.unfinished import SUFFIX

from .checking import miss, read_resume
from .content import Content
from .entry import Entry
from .placement import Placement
from .status import State
from .surroundings import Surroundings
from .waking import Waking

BATCH = 32
"""Torrents looked at between two pauses."""
PAUSE_SECONDS = 0.02
_RECORD = "SELECT info, resume FROM torrents WHERE info_hash = ? AND save_path = ?"
_PLACEMENT = "SELECT at, was FROM placements WHERE info_hash = ? AND (save_path = ? OR target = ?) ORDER BY was IS NULL"


@dataclass(frozen=True, slots=True)
class _Saved:
    """What the store has of a torrent: the raw info, saved progress, where its files are and were to be."""

    info: bytes | None
    resume: bytes | None
    at: str | None
    was: str | None


class Sweep:
    """Looks at what sleeps.

    Args:
        entries: all torrents; a live view.
        waking: wakes those up that changed.
        surroundings: with the store, and threads for what blocks.
    """

    def __init__(self, entries: Mapping[InfoHashV1, Entry], waking: Waking, surroundings: Surroundings) -> None:
        self._entries = entries
        self._waking = waking
        self._surroundings = surroundings

    async def run(self) -> None:
        """Look at all that sleep and seed; ends when nothing is missing."""
        await self._look(State.SEEDING)
        while any(map(_missing, self._entries.values())):
            await asyncio.sleep(self._surroundings.settings.retry_seconds)
            await self._look(State.MISSING_FILES)

    async def _look(self, state: State) -> None:
        """Look at those that sleep in one state, and do what follows."""
        left = [key for key, entry in self._entries.items() if entry.life is None and entry.state is state]
        changed: list[InfoHashV1] = []
        while left:
            batch, left = left[:BATCH], left[BATCH:]
            gone: list[InfoHashV1] = []
            for key, found in (await self._compare(batch, state)).items():
                if isinstance(found, StorageError):
                    gone.append(key)
                elif found:
                    changed.append(key)
                elif state is State.MISSING_FILES:
                    self._return(self._entries[key])
            if gone and state is State.SEEDING:  # they may have moved while they were looked at: look twice
                for key, found in (await self._compare(gone, state)).items():
                    if isinstance(found, StorageError):
                        self._waking.miss(self._entries[key], found)
            await asyncio.sleep(PAUSE_SECONDS)
        for key in changed:
            await self._check(key)

    async def _compare(self, keys: Sequence[InfoHashV1], state: State) -> dict[InfoHashV1, StorageError | bool]:
        """Whether files of torrents changed, or what is gone; only of those that still sleep in `state`."""
        entries = [entry for key in keys if (entry := self._entries.get(key)) is not None]
        saved = await self._surroundings.store.transact(lambda db: [_saved(db, entry) for entry in entries])
        handles = self._surroundings.runtime.handles
        found = await self._surroundings.in_thread(
            lambda: [_differs(entry, one, handles) for entry, one in zip(entries, saved, strict=True)]
        )
        return {
            entry.info_hash: each
            for entry, each in zip(entries, found, strict=True)
            if entry.life is None and entry.state is state
        }

    def _return(self, entry: Entry) -> None:
        """What was missing is there again, as it was."""
        entry.error = None
        self._waking.lie_down(entry)

    async def _check(self, key: InfoHashV1) -> None:
        """Wake a torrent up, and wait until its files are checked: one at a time is enough for a disk."""
        entry = self._entries.get(key)
        if entry is None or entry.life is not None:
            return
        with suppress(BitternError):  # told by the torrent
            life = await self._waking.awaken(entry)
            while life.state is State.CHECKING:
                await life.publisher.change()


def _missing(entry: Entry) -> bool:
    return entry.life is None and entry.state is State.MISSING_FILES


def _saved(connection: sqlite3.Connection, entry: Entry) -> _Saved:
    record = connection.execute(_RECORD, (entry.info_hash, entry.place)).fetchone()
    placement = connection.execute(_PLACEMENT, (entry.info_hash, entry.place, entry.place)).fetchone()
    # SQLite lets any kind of value stand in any column.
    info, resume = (each if isinstance(each, bytes) else None for each in record or (None, None))
    return _Saved(info, resume, *(placement or (None, None)))


def _differs(entry: Entry, saved: _Saved, handles: Handles) -> StorageError | bool:
    """Whether files look otherwise than they did when progress was saved, or the error that they are gone. Blocks."""
    if saved.info is None or saved.was is not None:
        return True  # nothing to compare with, or a move to be finished
    try:
        info = Info.parse(saved.info)
        given = Path(entry.content) if entry.content is not None else None
        content = Content(info, Path(entry.save_path), handles, entry.select, given)
        if saved.at is not None:
            at = Placement.decode(saved.at)
            content.place(at.folder / at.root, at.paths(info))
        stamps = content.look()
        resume = read_resume(saved.resume, info)
        if resume is None or resume.unchecked:
            return True
        if any(
            now is None and os.path.lexists(path + SUFFIX)
            for path, now in zip(content.storage.paths, stamps, strict=True)
        ):
            return True  # complete, but the last run did not come to give it its name
        miss(content, stamps, resume)
    except StorageError as error:
        return error if error.kind is StorageError.Kind.GONE else True
    except (BitternError, ValueError, TypeError):
        return True
    # Of files that are only in the part file, with negated times, and of those that were not there, nobody is promised
    # anything before the torrent wakes up and looks itself.
    return any(
        before is not None and before.mtime_ns >= 0 and before != now
        for before, now in zip(resume.files, stamps, strict=True)
    )
