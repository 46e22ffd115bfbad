"""Waking torrents up and putting them to sleep: the only place where a torrent gets, or loses, its `Life`.

Asleep, a torrent is an `Entry` and a row in the store. A complete one that is to be in its swarm is in the engine's
dormitory, too: a connection for it, or a tracker that names leechers, wakes it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from bittern.base.address import Address
from bittern.base.errors import BitternError, SessionError, StorageError
from bittern.base.ids import InfoHashV1
from bittern.codec.magnet import Magnet
from bittern.codec.metainfo import Metainfo
from bittern.io.tasks import Tasks

from .entry import Entry, Mode
from .events import Failed
from .life import Life
from .lock import TorrentLock
from .options import AddOptions
from .roster import Roster
from .status import TROUBLED, State
from .surroundings import Surroundings


class Waking:
    """Who is awake, and how that changes.

    Args:
        surroundings: what all torrents share.
        roster: where the bytes of .torrent files are kept.
        changed: is told of entries whose state changed by a command.
    """

    def __init__(self, surroundings: Surroundings, roster: Roster, changed: Callable[[Entry], None]) -> None:
        self.awake: dict[InfoHashV1, Entry] = {}
        """Those that have a life, in the order in which they got it."""
        self._surroundings = surroundings
        self._roster = roster
        self._changed = changed
        self._tasks = Tasks()
        self._waking: dict[InfoHashV1, asyncio.Task[None]] = {}
        self._falling: dict[InfoHashV1, asyncio.Task[None]] = {}

    # --- from asleep to awake

    def begin(self, entry: Entry, source: Metainfo | Magnet, options: AddOptions, lock: TorrentLock) -> Life:
        """Give a torrent its life; it owns `lock` from now on."""
        entry.error = None
        if entry.limits is not None:
            options.limits = entry.limits
        options.super_seed = entry.super_seed
        options.priorities |= entry.file_priorities or {}
        publisher = entry.listen(self._surroundings.settings.event_buffer)
        entry.life = life = Life(source, options, lock, self._surroundings, publisher)
        self.awake[entry.info_hash] = entry
        life.start()
        self._changed(entry)
        return life

    def wake(self, entry: Entry, heard: tuple[Address, ...] = ()) -> None:
        """Begin to wake a torrent up, if it is not awake or on its way."""
        if entry.life is None and entry.info_hash not in self._waking:
            task = self._tasks.start(self._wake(entry, heard), f"wake {entry.info_hash}")
            self._waking[entry.info_hash] = task
            task.add_done_callback(lambda _: self._waking.pop(entry.info_hash, None))

    def rises(self, entry: Entry) -> bool:
        """Whether a torrent is on its way to being awake."""
        return entry.info_hash in self._waking

    async def awaken(self, entry: Entry) -> Life:
        """The life of a torrent, woken up if it has none.

        Raises:
            BitternError: why it does not wake up.
        """
        falling = self._falling.get(entry.info_hash)
        if falling is not None:
            await asyncio.wait([falling])
        self.wake(entry)
        task = self._waking.get(entry.info_hash)
        if task is not None:
            await asyncio.wait([task])
        if entry.life is None:
            raise entry.error or SessionError(f"{entry.name} is not in the session any more")
        return entry.life

    # --- from awake to asleep

    def lull(self, entry: Entry) -> None:
        """Begin to put a torrent to sleep that has nothing to do."""
        if entry.life is not None and entry.life.restful and entry.info_hash not in self._falling:
            task = self._tasks.start(self._lull(entry, entry.life), f"lull {entry.info_hash}")
            self._falling[entry.info_hash] = task
            task.add_done_callback(lambda _: self._falling.pop(entry.info_hash, None))

    def lie_down(self, entry: Entry) -> None:
        """Let a complete torrent that is asleep be reachable: it seeds."""
        runtime = self._surroundings.runtime
        if entry.info_hash not in runtime.core.dormitory:
            tiers = entry.tiers if self._surroundings.settings.use_trackers else ()
            sleeper = runtime.core.add_sleeping(entry.info_hash, tiers, runtime.now(), entry.also, entry.own_trackers)
            self._surroundings.listeners[sleeper.number] = entry
            runtime.turn.soon()
        entry.enter(State.SEEDING, time.monotonic())
        self._changed(entry)

    def stand_up(self, entry: Entry, state: State) -> None:
        """Let a torrent that is asleep not be reachable any more; its trackers are told."""
        runtime = self._surroundings.runtime
        if entry.info_hash in runtime.core.dormitory:
            number = runtime.core.remove_sleeping(entry.info_hash, runtime.now())
            if number is not None:
                self._surroundings.listeners.pop(number, None)
            runtime.turn.soon()
        entry.enter(state, time.monotonic())
        self._changed(entry)

    def miss(self, entry: Entry, error: StorageError) -> None:
        """Let a torrent that is asleep say that files of it are gone; it is not reachable any more."""
        entry.error = error
        self.stand_up(entry, State.MISSING_FILES)
        if entry.publisher is not None:
            entry.publisher.publish(Failed(error))

    # --- commands

    def pause(self, entry: Entry) -> None:
        """Leave the swarm until `resume`."""
        entry.mode = Mode.PAUSED
        self.stop(entry, State.PAUSED)

    def stop(self, entry: Entry, state: State) -> None:
        """Leave the swarm, for the reason that `state` says."""
        entry.unsaved = True
        if entry.life is None:
            self.stand_up(entry, state)
        elif state is State.PAUSED:
            entry.life.pause()
        else:
            entry.life.stand_by(state)
        self._changed(entry)

    def resume(self, entry: Entry, mode: Mode) -> None:
        """Join the swarm again, as far as the queue allows it."""
        entry.mode = mode
        entry.unsaved = True
        entry.goal_met = entry.goal_met or entry.state is State.FINISHED  # the user wants more than the goal
        if entry.life is not None:
            entry.life.resume()
        elif entry.state in TROUBLED or entry.error is not None:
            self.wake(entry)
        elif entry.complete:
            self.lie_down(entry)
        elif entry.state in (State.PAUSED, State.FINISHED):
            entry.enter(State.QUEUED, time.monotonic())
        self._changed(entry)

    def settle(self, entry: Entry) -> None:
        """Begin with a torrent of an earlier run."""
        if entry.mode is Mode.PAUSED:
            entry.state = State.PAUSED
        elif not entry.complete:
            entry.state = State.QUEUED
        elif entry.state is not State.FINISHED:
            self.lie_down(entry)

    async def remove(
        self, entry: Entry, erase: Callable[[], Awaitable[None]], forget: Callable[[str], Awaitable[None]]
    ) -> None:
        """Take a torrent out, `erase` what is to go with it, and `forget` what is kept of it by its place.

        Raises:
            StorageError: the state cannot be written.
        """
        for tasks in (self._waking, self._falling):
            task = tasks.get(entry.info_hash)
            if task is not None:
                await asyncio.wait([task])
        life = entry.life
        if life is not None:
            await life.remove(erase, forget)
            self.awake.pop(entry.info_hash, None)
        else:
            self.stand_up(entry, State.REMOVED)
            await erase()
            await forget(entry.place)
            if entry.publisher is not None:
                entry.publisher.end()
        entry.state = State.REMOVED

    async def close(self) -> None:
        """End all lives, with their progress saved."""
        await self._tasks.close()
        lives = [entry.life for entry in self.awake.values() if entry.life is not None]
        await asyncio.gather(*[life.end() for life in lives], return_exceptions=True)

    def let_go(self) -> None:
        """Hold no torrent's files any more, whatever kept their lives from ending."""
        for entry in self.awake.values():
            if entry.life is not None:
                entry.life.let_go()

    async def source(self, entry: Entry) -> Metainfo | Magnet:
        """What is known of a torrent that sleeps.

        Raises:
            BitternError: the store has nothing that could be used.
        """
        found = await self._roster.source(entry)
        if found is not None:
            return found
        if entry.link is not None:
            return Magnet.parse(entry.link)
        raise SessionError(f"{entry.name}: its .torrent is not in the state folder any more: add it again")

    async def _wake(self, entry: Entry, heard: tuple[Address, ...]) -> None:
        try:
            source = await self.source(entry)
            own = source.trackers if isinstance(source, Metainfo) else tuple((url,) for url in source.trackers)
            options = AddOptions(
                save_path=Path(entry.save_path),
                content=Path(entry.content) if entry.content is not None else None,
                select=entry.select,
                trackers=tuple(tier for tier in entry.tiers if tier not in own),
                paused=entry.mode is Mode.PAUSED,
                heard=heard,
            )
            lock = await self._surroundings.store.lock(entry.info_hash, options.place)
        except BitternError as error:
            entry.error = error
            self.stand_up(entry, State.FAILED)
            return
        if entry.state is State.REMOVED:
            lock.release()
            return
        self.begin(entry, source, options, lock)

    async def _lull(self, entry: Entry, life: Life) -> None:
        try:
            slept = await life.fall_asleep(entry)
        except StorageError:
            return  # told by the life
        if slept:
            entry.life = None
            self.awake.pop(entry.info_hash, None)
            if entry.publisher is not None and not entry.publisher.heard:
                entry.publisher = None
            self._changed(entry)
