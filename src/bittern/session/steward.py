"""What a session does in its own time: saves, goals, the queue, sleep. It decides by `queue` and `goals`."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

from bittern.base.errors import BitternError, StorageError
from bittern.base.ids import InfoHashV1

from .board import Board
from .entry import Entry, Mode
from .events import SaveFailed
from .goals import AtGoal, Goal, reached
from .life import Life
from .queue import Kind, Queued, who_runs
from .roster import Roster
from .settings import Settings
from .snapshot import status_of
from .status import State, Status
from .waking import Waking

TICK_SECONDS = 1.0
ROUND_SECONDS = 10.0
"""Torrents that sleep are looked at so often: their goals, and whether they are to be saved."""
SLOW_AFTER_SECONDS = 60.0
"""A torrent of the queue is slow when it moved nothing worth a place for so long."""
DECIDE_SECONDS_EACH = 20e-6
"""The queue is decided so long after a command, for each that is awake or waits: some ten times what that takes."""

_IN_SWARM = (State.METADATA, State.DOWNLOADING, State.SEEDING)
_RANKED = (State.QUEUED, State.CHECKING, *_IN_SWARM)  # what is checked has its place, for what it does then


class Steward:
    """The clockwork of a session.

    Args:
        settings: of the session; `places` and `goal` may change later.
        entries: all torrents.
        waking: changes who is awake.
        roster: where torrents are kept.
        board: is told what changed.
        remove: takes a torrent out of the session.
    """

    def __init__(
        self,
        settings: Settings,
        entries: Mapping[InfoHashV1, Entry],
        waking: Waking,
        roster: Roster,
        board: Board[InfoHashV1],
        remove: Callable[[Entry], Awaitable[None]],
    ) -> None:
        self.places = settings.places()
        self.goal = settings.goal()
        self._settings = settings
        self._entries = entries
        self._waking = waking
        self._roster = roster
        self._board = board
        self._remove = remove
        self._saves: dict[Life, asyncio.Task[None]] = {}
        self._seen: dict[InfoHashV1, Status] = {}
        self._quiet_since: dict[InfoHashV1, float] = {}
        self._moved_at: dict[InfoHashV1, float] = {}
        self._queue: dict[InfoHashV1, Entry] = {}  # those that wait, asleep
        self._round_due = 0.0
        self._deciding = False  # between `begin` and `rest`
        self._decision: asyncio.TimerHandle | None = None
        self._urgent: dict[InfoHashV1, Entry] = {}  # to be saved now
        self._saving: asyncio.Task[None] | None = None
        self.on_round: Callable[[], None] = lambda: None
        """Called with each round."""

    def begin(self) -> None:
        """Decide the queue from now on: all torrents of an earlier run are there."""
        self._deciding = True
        self.decide()

    def rest(self) -> None:
        """Start and stop nothing more: the session ends."""
        self._deciding = False
        self._cancel_decision()

    async def run(self) -> None:
        """Tick until cancelled."""
        period = min(TICK_SECONDS, self._settings.save_seconds)
        try:
            while True:
                await asyncio.sleep(period)
                await self.tick(time.monotonic())
        finally:
            if self._saves:
                await asyncio.wait(list(self._saves.values()))

    def look_again(self, entry: Entry) -> None:
        """A command changed `entry`: the queue is decided anew in a moment, once for all that come at once."""
        if entry.state is not State.REMOVED:
            self._board.touch(entry.info_hash)
        if entry.life is None:
            self._forget(entry)
        if entry.life is None and entry.state is State.QUEUED:
            self._queue[entry.info_hash] = entry
        else:
            self._queue.pop(entry.info_hash, None)
        if self._deciding and self._decision is None:
            seconds = (len(self._waking.awake) + len(self._queue)) * DECIDE_SECONDS_EACH
            self._decision = asyncio.get_running_loop().call_later(seconds, self.decide)

    def keep(self, entry: Entry) -> None:
        """Write down soon what the user said of a torrent: it is to outlive a crash that comes next."""
        entry.unsaved = True
        if self._settings.keep_torrents:
            self._urgent[entry.info_hash] = entry
            if self._saving is None or self._saving.done():
                self._saving = asyncio.get_running_loop().create_task(self._save_urgent(), name="bittern save")

    async def _save_urgent(self) -> None:
        while self._urgent:
            urgent, self._urgent = self._urgent, {}
            await self._save([entry for key, entry in urgent.items() if self._entries.get(key) is entry])

    async def tick(self, now: float) -> None:
        """Do what time demands."""
        awake = list(self._waking.awake.values())
        for entry in awake:
            if entry.life is not None:
                self._watch(entry, entry.life, now)
        self._saves = {life: task for life, task in self._saves.items() if not task.done()}
        self.decide()
        whole = self._round_due <= now
        if whole:
            self._round_due = now + ROUND_SECONDS
        await self._meet_goals(list(self._entries.values()) if whole else awake, now)
        if whole:
            self.on_round()
            await self.save()

    async def save(self) -> None:
        """Write down what changed of torrents that are kept; what goes wrong is tried again."""
        if self._saving is not None:
            await asyncio.wait([self._saving])
        unsaved = [entry for entry in self._entries.values() if entry.unsaved]
        if self._settings.keep_torrents:
            await self._save(unsaved)

    async def _save(self, entries: list[Entry]) -> None:
        try:
            if entries:
                await self._roster.save(entries)
        except StorageError as error:
            for entry in entries:
                if entry.publisher is not None:
                    entry.publisher.publish(SaveFailed(str(error)))

    def note(self, now: float) -> None:
        """Take over what is known of torrents that are awake, for the last save."""
        for entry in self._waking.awake.values():
            if entry.life is not None:
                entry.note(status_of(entry.life, entry.life.name, now), now)
                entry.follow(entry.life.options, entry.life.info)

    async def save_moved(self) -> None:
        """Write down where files are that were being moved when the last save began; lives have ended."""
        for entry in self._waking.awake.values():
            if entry.life is not None:
                entry.follow(entry.life.options, entry.life.info)
        await self.save()

    def decide(self) -> None:
        """Let those run that the queue has places for."""
        self._cancel_decision()
        now = time.monotonic()
        # Who sleeps and seeds takes no place and needs none: thousands of them are not looked at.
        concerned = {**self._waking.awake, **self._queue}.values()
        torrents = [e for e in concerned if e.mode is not Mode.PAUSED and e.now_doing in _RANKED]
        waiting = {e.number for e in torrents if e.now_doing is State.QUEUED and not self._waking.rises(e)}
        if self.places.unlimited and not waiting:
            return
        running = who_runs([self._queued(entry, now) for entry in torrents], self.places)
        for entry in torrents:
            if entry.number in running and entry.number in waiting:
                self._start(entry)
            elif entry.number not in running and entry.now_doing in _IN_SWARM:
                self._waking.stop(entry, State.QUEUED)

    def _cancel_decision(self) -> None:
        if self._decision is not None:
            self._decision.cancel()
            self._decision = None

    def _start(self, entry: Entry) -> None:
        self._moved_at[entry.info_hash] = time.monotonic()
        if entry.life is not None:
            entry.life.resume()
        elif entry.complete:
            self._waking.lie_down(entry)
        else:
            self._waking.wake(entry)
        self._board.touch(entry.info_hash)

    def _queued(self, entry: Entry, now: float) -> Queued:
        state = entry.now_doing
        running = state is not State.QUEUED
        asleep = entry.life is None and state is State.SEEDING
        moved_at = self._moved_at.get(entry.info_hash, now)
        return Queued(
            number=entry.number,
            kind=Kind.SEED if entry.complete else Kind.DOWNLOAD,
            priority=entry.priority,
            position=entry.position,
            forced=entry.mode is Mode.FORCED,
            running=running,
            slow=asleep or (running and now - moved_at >= SLOW_AFTER_SECONDS),
        )

    def _watch(self, entry: Entry, life: Life, now: float) -> None:
        if life.tick(now) and life not in self._saves:
            self._saves[life] = asyncio.get_running_loop().create_task(life.save())
        status = status_of(life, life.name, now)
        key = entry.info_hash
        if self._seen.get(key) != status:
            self._seen[key] = status
            self._board.touch(key)
        entry.note(status, now)
        entry.follow(life.options, life.info)
        if status.state is State.CHECKING or status.down_rate + status.up_rate >= self._settings.slow_bytes_per_second:
            self._moved_at[key] = now
        self._moved_at.setdefault(key, now)
        if not life.restful:
            self._quiet_since.pop(key, None)
        elif self._settings.sleep_seconds is not None:
            since = self._quiet_since.setdefault(key, now)
            if now - since >= self._settings.sleep_seconds:
                self._waking.lull(entry)

    def _forget(self, entry: Entry) -> None:
        for known in (self._seen, self._quiet_since, self._moved_at):
            known.pop(entry.info_hash, None)

    async def _meet_goals(self, entries: list[Entry], now: float) -> None:
        for entry in entries:
            goal = entry.goal if entry.goal is not None else self.goal
            if entry.state is State.SEEDING and not entry.goal_met and not goal.never and self._met(goal, entry, now):
                entry.goal_met = entry.unsaved = True
                if goal.then is AtGoal.REMOVE:
                    try:
                        await self._remove(entry)
                    except BitternError:
                        continue  # it is out of the session; what could not be deleted is found at the next start
                else:
                    self._waking.stop(entry, State.FINISHED)

    @staticmethod
    def _met(goal: Goal, entry: Entry, now: float) -> bool:
        swarm = entry.life.swarm if entry.life is not None else None
        return reached(
            goal,
            uploaded=entry.uploaded - (swarm.unsent if swarm is not None else 0),  # who waits for the last gets it
            total_bytes=entry.total_bytes,
            seeded_seconds=entry.seeded(now),
            idle_seconds=entry.idle(now),
        )
