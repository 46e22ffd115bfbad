"""What the handle of a torrent may do in its session."""

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from bittern.base.errors import NoSuchTorrentError, SessionError, StorageError
from bittern.codec.info import Info
from bittern.codec.metainfo import Metainfo
from bittern.engine.sources.tracker import TrackerSource
from bittern.engine.web.seeds import WebSeeds

from .entry import Entry, Mode
from .events import Publisher
from .filtering import Filtering
from .goals import Goal
from .life import Life
from .limits import Limits
from .options import check_priorities
from .placement import Placement, path_now
from .queue import moved
from .roster import Roster
from .status import State
from .steward import Steward
from .surroundings import Surroundings
from .waking import Waking


class Hand:
    """The commands of one session's handles.

    Args:
        entries: all torrents, in the order they were added; a live view.
        surroundings: what they share.
        waking: who is awake.
        steward: is told of changes.
        roster: of what sleeps.
        filtering: the IP filter.
    """

    def __init__(
        self,
        entries: Callable[[], Iterable[Entry]],
        surroundings: Surroundings,
        waking: Waking,
        steward: Steward,
        roster: Roster,
        filtering: Filtering,
    ) -> None:
        self._entries = entries
        self._surroundings = surroundings
        self._waking = waking
        self._steward = steward
        self._roster = roster
        self._filtering = filtering
        self._closed = False

    def close(self) -> None:
        """The session is closed: what is known of its torrents can still be read."""
        self._closed = True

    def publisher(self, entry: Entry) -> Publisher:
        """Who tells listeners of a torrent; it has ended when the torrent, or the session, has."""
        publisher = entry.listen(self._surroundings.settings.event_buffer)
        if self._closed and not publisher.ended:
            publisher.end()
        return publisher

    def stored(self, entry: Entry) -> Metainfo | None:
        """What is kept of a torrent that sleeps, read while the loop waits: about a millisecond.

        Raises:
            SessionError: it cannot be read, or is damaged.
        """
        try:
            return self._roster.source_now(entry) if not self._closed else None
        except StorageError as error:
            raise SessionError(f"what was saved of {entry.name} cannot be read: {error}") from error

    def stored_info(self, entry: Entry) -> Info | None:
        """What a torrent that sleeps is made of, read likewise."""
        found = self.stored(entry)
        return found.info if found is not None else None

    def path(self, entry: Entry) -> Path | None:
        """Where a torrent is that sleeps, renamed perhaps: read while the loop waits."""
        if not entry.total_bytes:
            return None
        found = path_now(self._surroundings.store, entry.info_hash, entry.place) if not self._closed else None
        return found or Path(entry.save_path) / entry.name

    def trackers(self, entry: Entry) -> TrackerSource | None:
        """What is known of the trackers of a torrent; None before it was in its swarm."""
        if entry.life is not None:
            return entry.life.swarm.trackers if entry.life.swarm is not None else None
        dormitory = self._surroundings.runtime.core.dormitory
        if entry.info_hash not in dormitory:
            return None
        announcer = dormitory.of(entry.info_hash).announcer
        return announcer.trackers if announcer is not None else None

    def web_seeds(self, entry: Entry) -> WebSeeds | None:
        """The web seeds of a torrent; None while it is not in its swarm, or asleep."""
        return entry.life.swarm.web if entry.life is not None and entry.life.swarm is not None else None

    def pause(self, entry: Entry) -> None:
        """See Waking.pause."""
        self._check(entry)
        self._waking.pause(entry)
        self._steward.keep(entry)

    def resume(self, entry: Entry, mode: Mode) -> None:
        """See Waking.resume."""
        self._check(entry)
        self._waking.resume(entry, mode)
        self._steward.keep(entry)

    def wake(self, entry: Entry) -> None:
        """Begin to wake a torrent up, in whatever state it is then."""
        self._check(entry)
        self._waking.wake(entry)

    async def awaken(self, entry: Entry) -> Life:
        """The life of a torrent, woken up if it has none.

        Raises:
            BitternError: why it does not wake up.
        """
        self._check(entry)
        return await self._waking.awaken(entry)

    def move(self, entry: Entry, position: int) -> None:
        """Give a torrent another place in the queue."""
        self._check(entry)
        order = sorted(self._entries(), key=lambda each: (each.position, each.number))
        for place, each in enumerate(moved(order, entry, position)):
            if each.position != place:
                each.position = place
                self._changed(each)

    def rank(self, entry: Entry, priority: int) -> None:
        """Let a torrent go before those of a lower priority."""
        self._check(entry)
        entry.priority = priority
        self._changed(entry)

    def aim(self, entry: Entry, goal: Goal | None) -> None:
        """Give a torrent a goal of its own, which is ahead of it; None for that of the session."""
        self._check(entry)
        entry.goal, entry.goal_met = goal, False
        self._changed(entry)

    def limit(self, entry: Entry, limits: Limits) -> None:
        """Hold a torrent to `limits` from now on, awake or asleep."""
        self._check(entry)
        entry.limits = limits
        if entry.life is not None:
            entry.life.options.limits = limits
            entry.life.apply_limits()
        self._changed(entry)

    def ip_filtered(self, entry: Entry) -> bool:
        """Whether the IP filter is for a torrent."""
        return not self._filtering.exempts(entry.info_hash)

    async def filter_addresses(self, entry: Entry, *, on: bool) -> None:
        """Let the IP filter be for a torrent, or not."""
        self._check(entry)
        self._filtering.exempt(entry.info_hash, on=not on)
        await self._filtering.keep()

    def super_seed(self, entry: Entry, *, on: bool) -> None:
        """Begin or end super-seeding, now or when a torrent wakes up."""
        self._check(entry)
        entry.super_seed = on
        if entry.life is not None:
            entry.life.super_seed(on=on)
        self._changed(entry)

    def prioritize(self, entry: Entry, priorities: Mapping[int, int]) -> None:
        """Want files so much from now on; a torrent that sleeps wakes up for it.

        Raises:
            SessionError: no such file or priority, or the files are not known yet.
        """
        self._check(entry)
        if entry.life is not None:
            entry.life.prioritize(priorities)
        else:
            info = self.stored_info(entry)
            if info is None:
                raise SessionError("what the torrent is made of is not known yet")
            check_priorities(info, priorities)
            self._waking.wake(entry)
        entry.file_priorities = {**(entry.file_priorities or {}), **priorities}
        self._changed(entry)

    async def relocate(self, entry: Entry, choose: Callable[[Info, Placement], Placement]) -> None:
        """Move or rename the files of a torrent, which wakes up for it; see `Torrent.move_to`."""
        life = await self._checked(entry)
        try:
            await life.relocate(choose)
        finally:
            entry.follow(life.options, life.info)
            self._changed(entry)

    async def set_deadline(self, entry: Entry, piece: int, seconds: float | None) -> None:
        """Need a piece of a torrent in time, which wakes up for it; see `Torrent.set_deadline`."""
        began = time.monotonic()
        life = await self._checked(entry)
        life.set_deadline(piece, None if seconds is None else seconds - (time.monotonic() - began))

    async def _checked(self, entry: Entry) -> Life:
        """The life of a torrent, woken up if it has none, when its files have been checked or that has failed."""
        life = await self.awaken(entry)
        while life.state is State.CHECKING and not life.publisher.ended:
            await life.publisher.change()
        return life

    def _changed(self, entry: Entry) -> None:
        """Something was set that is to be kept, and that the queue may depend on."""
        self._steward.keep(entry)
        self._steward.look_again(entry)

    def _check(self, entry: Entry) -> None:
        if self._closed or entry.state is State.REMOVED:
            raise NoSuchTorrentError(f"{entry.name} is not in the session any more")
