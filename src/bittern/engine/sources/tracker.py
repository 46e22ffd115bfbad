"""When to ask which tracker for peers (BEP 3, BEP 12): tiers in order, backoff with jitter, each event once."""

from dataclasses import dataclass
from enum import Enum, unique
from math import inf
from typing import TYPE_CHECKING

from bittern.base.errors import TrackerError
from bittern.wire.announce import AnnounceReply, Event

if TYPE_CHECKING:
    from random import Random

FIRST_RETRY_SECONDS = 15.0
RETRY_MOST_SECONDS = 3600.0
HURRY_SECONDS = 60.0
"""Without any peer we ask again after so long, if the tracker allows it."""


@unique
class Phase(Enum):
    """What the trackers know of us."""

    FRESH = "fresh"
    STARTED = "started"
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(slots=True, eq=False)
class TrackerState:
    """One tracker of one torrent.

    Attributes:
        url: as in the torrent.
        failures: in a row.
        due: when it may be asked.
        not_before: what its `min interval` allows.
        told_started: it answered a `started` and got no `stopped` since.
        tracker_id: to be sent back to it.
        message: what it said last that people should read.
    """

    url: str
    failures: int = 0
    due: float = 0.0
    not_before: float = 0.0
    told_started: bool = False
    tracker_id: bytes | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Announcement:
    """An announce to make now."""

    url: str
    event: Event | None
    tracker_id: bytes | None

    @property
    def goodbye(self) -> bool:
        """Whether it tells that we leave: no peers are wanted, and no answer matters."""
        return self.event is Event.STOPPED


class TrackerSource:
    """The trackers of one torrent.

    Args:
        tiers: URLs in tiers; each tier is shuffled (BEP 12).
        rng: shuffles and jitters.
        now: nothing is due before.
    """

    def __init__(self, tiers: tuple[tuple[str, ...], ...], rng: "Random", now: float) -> None:
        self._rng = rng
        self._tiers: list[list[TrackerState]] = []
        for tier in tiers:
            states = [TrackerState(url, due=now) for url in tier if url.startswith(("http://", "https://"))]
            rng.shuffle(states)
            if states:
                self._tiers.append(states)
        self.unsupported = tuple(url for tier in tiers for url in tier if not url.startswith(("http://", "https://")))
        """Trackers of other protocols, which are not asked."""
        self._phase = Phase.FRESH
        self._complete_owed = False
        self._busy: TrackerState | None = None
        self._event: Event | None = None

    @property
    def trackers(self) -> list[TrackerState]:
        """All of them, in the order they are asked."""
        return [state for tier in self._tiers for state in tier]

    def completed(self) -> None:
        """The download ended during this run: trackers are told once (BEP 3)."""
        starting = self._busy is not None and self._event is Event.STARTED  # which said that something was left
        self._complete_owed = self._phase is Phase.STARTED or starting

    def stop(self) -> None:
        """Say goodbye to those who know of us; `next` gives these announces first."""
        if self._busy is not None:
            self._busy.told_started = True  # perhaps it was: better one goodbye too many
        self._phase = Phase.STOPPING if any(state.told_started for state in self.trackers) else Phase.STOPPED
        self._busy = None

    def restart(self, now: float) -> None:
        """We are back: everyone is told of us as soon as that is allowed."""
        self._phase = Phase.FRESH
        self._busy = None
        for state in self.trackers:
            state.told_started = False
            state.due = max(now, state.not_before) if state.failures else now

    def next(self, now: float) -> Announcement | None:
        """The announce to make now, which then is under way until `answered` or `failed`.

        Goodbyes are all given at once, so that one that hangs holds up no other; their answers do not matter.
        """
        if self._phase is Phase.STOPPING:
            return self._goodbye()
        if self._busy is not None or self._phase is Phase.STOPPED:
            return None
        for state in self.trackers:
            if self._due_of(state) <= now:
                self._busy = state
                self._event = None
                if not state.told_started:
                    self._event = Event.STARTED
                elif self._complete_owed:
                    self._event = Event.COMPLETED
                return Announcement(state.url, self._event, state.tracker_id)
            if not state.failures:
                return None  # a tracker that works is asked in its time; those behind it are in reserve
        return None

    def answered(self, reply: AnnounceReply, now: float) -> None:
        """The tracker under way answered."""
        state, self._busy = self._busy, None
        if state is None:
            return
        state.failures = 0
        state.message = reply.warning
        state.told_started = True
        if self._event is Event.COMPLETED:
            self._complete_owed = False
        self._phase = Phase.STARTED
        state.tracker_id = reply.tracker_id or state.tracker_id
        state.due = now + reply.interval
        state.not_before = now + (reply.min_interval or min(reply.interval, HURRY_SECONDS))
        for tier in self._tiers:
            if state in tier:
                tier.remove(state)
                tier.insert(0, state)  # BEP 12: who answers moves to the front of its tier

    def failed(self, error: TrackerError, now: float) -> float:
        """The tracker under way did not answer or refused; the seconds until it is asked again."""
        state, self._busy = self._busy, None
        if state is None:
            return inf
        state.failures += 1
        state.message = str(error)
        wait: float = min(FIRST_RETRY_SECONDS * 2 ** min(state.failures - 1, 20), RETRY_MOST_SECONDS)
        wait *= 0.75 + self._rng.random() / 2
        if error.retry_in is not None:
            wait = max(wait, error.retry_in)
        state.due = state.not_before = now + wait
        return wait

    def hurry(self, now: float) -> None:
        """We have no peers: ask again as soon as the trackers allow."""
        for state in self.trackers:
            if not state.failures:
                state.due = min(state.due, max(now, state.not_before))

    def next_due(self) -> float | None:
        """When `next` will give something; None for never or after an answer."""
        if self._phase is Phase.STOPPING:
            return 0.0
        if self._busy is not None or self._phase is Phase.STOPPED:
            return None
        due = inf
        for tier in self._tiers:
            for state in tier:
                at = self._due_of(state)
                due = at if at < due else due  # noqa: FURB136 - each turn: no call
                if not state.failures:
                    return due if due != inf else None
        return due if due != inf else None

    def _due_of(self, state: TrackerState) -> float:
        """When a tracker is to be asked: at once with news for it, unless it failed to take them before."""
        news = self._complete_owed and state.told_started and not state.failures
        return 0.0 if news else state.due

    def _goodbye(self) -> Announcement | None:
        for state in self.trackers:
            if state.told_started:
                state.told_started = False
                return Announcement(state.url, Event.STOPPED, state.tracker_id)
        self._phase = Phase.STOPPED
        return None
