"""What a session keeps of each torrent in memory, awake or asleep: a row, small enough for a hundred thousand."""

from dataclasses import dataclass, field
from enum import Enum, unique
from math import inf
from typing import TYPE_CHECKING

from bittern.base.errors import BitternError
from bittern.base.ids import InfoHashV1
from bittern.codec.magnet import Magnet
from bittern.codec.metainfo import Info
from bittern.engine import events as told
from bittern.engine.swarm.names import Names

from . import events, telling
from .goals import Goal
from .limits import Limits
from .options import AddOptions
from .status import TROUBLED, State, Status

if TYPE_CHECKING:
    from .life import Life

Tiers = tuple[tuple[str, ...], ...]


@unique
class Mode(Enum):
    """What the user wants of a torrent."""

    AUTO = "auto"
    """It runs when the queue has a place for it."""
    PAUSED = "paused"
    FORCED = "forced"
    """It runs, whatever the queue says."""


def other_name(info_hash: InfoHashV1, source: Info | Magnet) -> InfoHashV1 | None:
    """What the wire carries of a hybrid beside `info_hash`; None where there is nothing, or it is not known."""
    if source.info_hash_v1 is None or source.info_hash_v2 is None:
        return None
    names = Names(info_hash)
    names.learn(source.info_hash_v1, source.info_hash_v2)
    return names.other


@dataclass(slots=True, eq=False, kw_only=True)
class Entry:
    """A torrent of a session.

    Attributes:
        number: unique among those that are kept; ascending in the order they were added.
        info_hash: what the wire carries.
        save_path: folder of its file or root folder, absolute.
        content: the file or root folder itself, where it has another name or place.
        name: of the file or root folder; a stand-in while the metadata is unknown.
        tiers: all its trackers.
        own_tiers: how many of those, the first ones, the user named.
        select: numbers of wanted files, or None for all.
        also: the other info hash of a hybrid, by which peers call it, too; None while it is not known.
        private: whether it belongs to its trackers (BEP 27); None while that is not known.
        sought_at: when the distributed hash table was told of it last, on the monotonic clock.
        link: the magnet link, while the metadata is unknown.
        mode: what the user wants.
        position: in the queue, from 0.
        priority: goes before the position; the higher runs first.
        file_priorities: how much single files are wanted (see AddOptions), or None.
        limits: how fast it may be, or None.
        super_seed: whether pieces are shown to peers one by one while nobody else has everything (BEP 16).
        goal: its own, in place of the one in the settings.
        goal_met: the goal is behind it: reached, or the user resumed it after that.
        state: what it is doing.
        done_bytes: wanted bytes that are stored.
        total_bytes: wanted bytes; 0 while the metadata is unknown.
        uploaded: bytes of blocks ever sent.
        downloaded: bytes of blocks ever received.
        complete: whether every wanted byte is stored.
        seeded_seconds: it was complete and in its swarm for so long, up to `seeding_since`.
        seeding_since: when it began to be that again, on the monotonic clock; None while it is not.
        moved_at: when payload went last, on the monotonic clock.
        error: why it is FAILED, while it is asleep.
        life: while it is awake.
        publisher: while somebody listens.
        unsaved: whether it differs from what is in the store.
    """

    number: int
    info_hash: InfoHashV1
    save_path: str
    content: str | None = None
    name: str = ""
    tiers: Tiers = ()
    own_tiers: int = 0
    select: tuple[int, ...] | None = None
    link: str | None = None
    mode: Mode = Mode.AUTO
    position: int = 0
    priority: int = 0
    file_priorities: dict[int, int] | None = None
    limits: Limits | None = None
    super_seed: bool = False
    goal: Goal | None = None
    goal_met: bool = False
    state: State = State.QUEUED
    done_bytes: int = 0
    total_bytes: int = 0
    uploaded: int = 0
    downloaded: int = 0
    complete: bool = False
    seeded_seconds: float = 0.0
    also: InfoHashV1 | None = None
    private: bool | None = None
    sought_at: float = -inf
    seeding_since: float | None = None
    moved_at: float = 0.0
    error: BitternError | None = None
    life: "Life | None" = None
    publisher: events.Publisher | None = field(default=None, repr=False)
    unsaved: bool = True

    @property
    def place(self) -> str:
        """What tells the same torrent in two places apart (see AddOptions)."""
        return self.content or self.save_path

    def status(self) -> Status:
        """How it is while it sleeps."""
        return Status(
            state=self.state,
            name=self.name,
            done_bytes=self.done_bytes,
            total_bytes=self.total_bytes,
            downloaded=self.downloaded,
            uploaded=self.uploaded,
            complete=self.complete and self.state not in TROUBLED,
            error=self.error,
        )

    @property
    def now_doing(self) -> State:
        """What it is doing, to the moment."""
        return self.life.state if self.life is not None else self.state

    def seeded(self, now: float) -> float:
        """Seconds that it was complete and in its swarm, all runs together."""
        return self.seeded_seconds + (now - self.seeding_since if self.seeding_since is not None else 0.0)

    def idle(self, now: float) -> float:
        """Seconds since payload went, or since it began to seed in this run."""
        return now - max(self.moved_at, self.seeding_since or 0.0)

    def listen(self, most: int) -> events.Publisher:
        """Who tells listeners; made when there is none.

        Args:
            most: events kept for one slow reader.
        """
        if self.publisher is None:
            self.publisher = events.Publisher(most)
            if self.state is State.REMOVED:
                self.publisher.end()
        return self.publisher

    def follow(self, options: AddOptions, info: Info | None) -> None:
        """Take over where its files are, and what else it is called."""
        if self.private is None and info is not None:
            self.also, self.private, self.unsaved = other_name(self.info_hash, info), info.private, True
        save_path, content = str(options.save_path), str(options.content) if options.content is not None else None
        if (save_path, content) != (self.save_path, self.content):
            self.save_path, self.content, self.unsaved = save_path, content, True

    @property
    def own_trackers(self) -> frozenset[str]:
        """Those of its trackers that the user named."""
        return frozenset(url for tier in self.tiers[: self.own_tiers] for url in tier)

    def note(self, status: Status, now: float) -> None:
        """Take over what is known while it is awake."""
        if (status.uploaded, status.downloaded) != (self.uploaded, self.downloaded):
            self.moved_at = now
        if (status.state, status.complete, status.done_bytes, status.uploaded, status.downloaded, status.name) != (
            self.state, self.complete, self.done_bytes, self.uploaded, self.downloaded, self.name
        ):  # fmt: skip
            self.unsaved = True
        self._count_seeding(status.state, now)
        self.state, self.name, self.complete = status.state, status.name, status.complete
        self.uploaded, self.downloaded = status.uploaded, status.downloaded
        self.done_bytes, self.total_bytes = status.done_bytes, status.total_bytes

    def enter(self, state: State, now: float) -> None:
        """Change the state of a torrent that sleeps."""
        self._count_seeding(state, now)
        if state is not self.state:
            self.state = state
            self.unsaved = True
            if self.publisher is not None:
                self.publisher.publish(events.StateChanged(state))
                self.publisher.wake()

    def _count_seeding(self, state: State, now: float) -> None:
        if state is not State.SEEDING:
            self.seeded_seconds, self.seeding_since = self.seeded(now), None
        elif self.seeding_since is None:
            self.seeding_since = now

    def on_event(self, event: told.Event) -> None:
        """Something happened to a torrent that sleeps: its trackers are all that can speak."""
        if self.publisher is not None and (public := telling.public(event)) is not None:
            self.publisher.publish(public)
