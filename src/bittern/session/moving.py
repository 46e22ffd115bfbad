"""Moving and renaming a torrent's files: written down first, then file by file, then written down as done.

After a crash at any moment the store says from where to where, and each file is whole at one of the two: the next
start goes on. What fails, or is stopped, is moved back.
"""

import asyncio
import os
import shutil
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from threading import Event

from bittern.base.errors import MoveCancelledError, StorageError
from bittern.codec.metainfo import Info
from bittern.io.disk.failures import storage_error
from bittern.io.disk.moving import MoveStoppedError
from bittern.io.disk.unfinished import SUFFIX
from bittern.io.tasks import to_its_end

from . import events
from .content import Content, stored
from .deleting import remove_empty_folders
from .journal import Journal
from .lock import TorrentLock
from .options import AddOptions
from .placement import Move, Placement, begin_move, end_move
from .surroundings import Surroundings


class Mover:
    """Moves one torrent's files.

    Args:
        options: where they are; changed when they are elsewhere.
        lock: on that place, owned from now on.
        journal: of the torrent.
        publisher: is told how it goes.
        surroundings: for threads and the store.
    """

    def __init__(
        self,
        options: AddOptions,
        lock: TorrentLock,
        journal: Journal,
        publisher: events.Publisher,
        surroundings: Surroundings,
    ) -> None:
        self._options = options
        self._lock = lock
        self._journal = journal
        self._publisher = publisher
        self._surroundings = surroundings
        self._stop = Event()
        self.progress: tuple[int, int] | None = None
        """Bytes moved and to be moved, while that goes on."""

    def release(self) -> None:
        """Let others have the files."""
        self._lock.release()

    def cancel(self) -> None:
        """Stop; files that were moved go back."""
        self._stop.set()

    async def finish(self, info: Info, open_content: Callable[[], Awaitable[Content]]) -> None:
        """Go on with a move that was interrupted by the end of the process, and find renamed files.

        Raises:
            StorageError: a file cannot be moved; the next attempt goes on.
            AlreadyAddedError: another process is at work there.
        """
        store, info_hash, move = self._surroundings.store, info.wire_hash, self._journal.move
        if move is None:
            return
        if move.was is None or move.target is None:
            move.at.apply(info, self._options)
            return
        there = self._lock.place == move.target
        other = None
        if move.place != move.target:
            other = await store.lock(info_hash, move.place if there else move.target)
        try:
            move.was.apply(info, self._options)
            content = await open_content()
            await self._carry(content, move.at)
            await self._conclude(content, move.place, move.target, move.at, None if there else other)
        except BaseException:
            if other is not None and other is not self._lock:
                other.release()
            raise
        if other is not None and there:
            other.release()
        self._publisher.publish(events.Moved(content.path))

    async def run(self, content: Content, to: Placement, saving: AbstractAsyncContextManager[None]) -> None:
        """Move or rename.

        Args:
            content: the files; nothing may be written to them meanwhile, reading is all right.
            to: where they go.
            saving: held while the saved state changes its key.

        Raises:
            StorageError: something is in the way, there is no room, or the system refuses; all is as it was.
            MoveCancelledError: `cancel` was called; all is as it was.
            AlreadyAddedError: another process is at work there.
        """
        info, store, in_thread = content.info, self._surroundings.store, self._surroundings.in_thread
        was = Placement.of(info, self._options)
        planned = replace(self._options)
        to.apply(info, planned)
        place, target = self._journal.place, planned.place
        await in_thread(_refuse, content, to)
        other = await store.lock(info.wire_hash, target) if target != place else None
        self._stop = Event()
        try:
            await begin_move(store, info.wire_hash, Move(place, to, was, target))
            try:
                await self._carry(content, to)
            except (StorageError, MoveCancelledError):
                self._stop = Event()
                await self._carry(content, was)
                await end_move(store, info.wire_hash, place, place, was)
                raise
            async with saving:
                await self._conclude(content, place, target, to, other)
        except BaseException:
            if other is not None and other is not self._lock:
                other.release()
            raise
        self._publisher.publish(events.Moved(content.path))

    async def _conclude(
        self, content: Content, place: str, target: str, at: Placement, lock: TorrentLock | None
    ) -> None:
        """Write down that all files are `at`, and act on it: whoever is cancelled meanwhile, both happen or neither."""

        async def conclude() -> None:
            await end_move(self._surroundings.store, content.info.wire_hash, place, target, at)
            self._arrive(content, at)
            self._own(lock)

        await to_its_end(asyncio.ensure_future(conclude()))

    def _arrive(self, content: Content, at: Placement) -> None:
        at.apply(content.info, self._options)
        self._journal.place = self._options.place
        self._journal.move = Move(self._journal.place, at)
        content.path = at.folder / at.root

    def _own(self, lock: TorrentLock | None) -> None:
        """Hold another lock instead, if it is another."""
        if lock is not None:
            self._lock.release()
            self._lock = lock

    async def _carry(self, content: Content, to: Placement) -> None:
        loop, stop = asyncio.get_running_loop(), self._stop
        total = content.info.total_size

        def tell(done: int) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._told, done, total, stop)

        self._told(0, total, stop)
        work = asyncio.ensure_future(self._surroundings.in_thread_for_long(_carry_all, content, to, stop, tell))
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:  # the session ends: leave no file half moved, the next start goes on
            stop.set()
            await asyncio.gather(work, return_exceptions=True)
            raise
        except MoveStoppedError:
            raise MoveCancelledError("the move was cancelled: everything is where it was") from None
        finally:
            self.progress = None

    def _told(self, done: int, total: int, stop: Event) -> None:
        if stop is self._stop:
            self.progress = (min(done, total), total)
            self._publisher.publish(events.MoveProgress(*self.progress))


def _carry_all(content: Content, to: Placement, stop: Event, tell: Callable[[int], None]) -> None:
    info, storage = content.info, content.storage
    left, old_root, links = list(storage.paths), str(storage.where.root), storage.links.own()
    storage.move(to.paths(info), to.parts(info), str(to.folder), stop, tell)
    if info.multi_file:
        storage.where.root = to.folder / to.root
        content.relink(links)
        remove_empty_folders(left, old_root)


def _refuse(content: Content, to: Placement) -> None:
    """Make sure that nothing is in the way, and that there is room.

    Raises:
        StorageError: it is, or there is not.
    """
    storage, info = content.storage, content.info
    needed = 0
    base = to.folder
    while not base.exists() and base != base.parent:
        base = base.parent
    try:
        device = base.stat().st_dev
        for number, target in enumerate(to.paths(info)):
            source = storage.paths[number]
            if source == target or not stored(info.files[number]):
                continue
            for place in [target, target + SUFFIX] if number in storage.suffixed else [target]:
                if os.path.lexists(place) and not (os.path.lexists(source) and os.path.samefile(source, place)):
                    raise StorageError(StorageError.Kind.EXISTS, place)
            if os.path.lexists(source):
                status = os.lstat(source)
                if status.st_dev != device:
                    needed += getattr(status, "st_blocks", 0) * 512 or status.st_size
        free = shutil.disk_usage(base).free
    except OSError as error:
        raise storage_error(error, str(to.folder)) from error
    if needed > free:
        raise StorageError(StorageError.Kind.DISK_FULL, str(to.folder), f"{needed} bytes are needed, {free} are free")
