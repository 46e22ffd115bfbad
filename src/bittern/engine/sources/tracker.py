"""When to ask which tracker for peers (BEP 3, BEP 12): tiers in order, backoff with jitter, each event once."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
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
PATIENCE_SECONDS = 5.0
"""A tracker that does not answer its first question for so long is waited for, but the next one is asked, too."""
PROTOCOLS = ("http://", "https://", "udp://")


@unique
class Phase(Enum):
    """What the trackers know of us."""

    TAKING_PART = "announced in their time"
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(slots=True, eq=False)
class TrackerState:
    """One tracker of one torrent.

    Attributes:
        url: as in the torrent.
        trusted: whether the user named it: it may be anywhere in our network.
        failures: in a row.
        due: when it may be asked.
        not_before: what its `min interval` allows.
        told_started: it answered a `started` and got no `stopped` since.
        complete_owed: it is to be told that the download ended.
        busy: an announce to it is under way.
        event: of that announce.
        asked_at: when that began.
        knows_us_by: the families of addresses (IPv6 or not) by which it answered: a goodbye by others would hang.
        tracker_id: to be sent back to it.
        message: what it said last that people should read.
    """

    url: str
    trusted: bool = False
    failures: int = 0
    due: float = 0.0
    not_before: float = 0.0
    told_started: bool = False
    complete_owed: bool = False
    busy: bool = False
    event: Event | None = None
    asked_at: float = 0.0
    knows_us_by: dict[bool | None, None] = field(default_factory=dict)
    tracker_id: bytes | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Announcement:
    """An announce to make now."""

    tracker: TrackerState
    event: Event | None

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
        trusted: URLs that the user named.
        to_all: whether all trackers are announced to, each in its time; else only the first that works.
    """

    def __init__(
        self,
        tiers: tuple[tuple[str, ...], ...],
        rng: "Random",
        now: float,
        trusted: Collection[str] = (),
        *,
        to_all: bool = False,
    ) -> None:
        self._rng = rng
        self._to_all = to_all
        self._tiers: list[list[TrackerState]] = []
        for tier in tiers:
            states = [TrackerState(url, url in trusted, due=now) for url in tier if _spoken(url)]
            rng.shuffle(states)
            if states:
                self._tiers.append(states)
        self.unsupported = tuple(url for tier in tiers for url in tier if not _spoken(url))
        """Trackers of other protocols, which are not asked."""
        self._phase = Phase.TAKING_PART
        self._held_until = -inf  # who is being asked may still answer
        self._due: float | None = None
        self._stale = True  # something changed since that was found

    @property
    def trackers(self) -> list[TrackerState]:
        """All of them, in the order they are asked."""
        return [state for tier in self._tiers for state in tier]

    def add(self, urls: Iterable[str], now: float) -> None:
        """Ask those of `urls` that are new, too, after all others; nothing is due before `now`."""
        self._stale = True
        known = {state.url for state in self.trackers} | set(self.unsupported)
        new = [url for url in dict.fromkeys(urls) if url not in known]
        tier = [TrackerState(url, due=now) for url in new if _spoken(url)]
        self._rng.shuffle(tier)
        if tier:
            self._tiers.append(tier)
        self.unsupported += tuple([url for url in new if not _spoken(url)])

    def completed(self) -> None:
        """The download ended during this run: trackers that heard of its beginning are told once (BEP 3)."""
        self._stale = True
        for state in self.trackers:
            # Who is being told of the start hears that something was left.
            state.complete_owed = state.told_started or (state.busy and state.event is Event.STARTED)

    def stop(self) -> None:
        """Say goodbye to those who know of us; `next` gives these announces first."""
        for state in self.trackers:
            if state.busy:
                state.told_started = True  # perhaps it was: better one goodbye too many
            state.busy = False
        self._hold()
        self._phase = Phase.STOPPING if any(state.told_started for state in self.trackers) else Phase.STOPPED

    def restart(self, now: float) -> None:
        """We are back: everyone is told of us as soon as that is allowed."""
        self._phase = Phase.TAKING_PART
        for state in self.trackers:
            state.busy = state.told_started = False
            state.due = max(now, state.not_before) if state.failures else now
        self._hold()

    def next(self, now: float) -> Announcement | None:
        """The announce to make now, which then is under way until `answered` or `failed`.

        Where one tracker is enough, the next is asked when those before it have failed, or hang at their first
        announce. Goodbyes are all given at once, so that one that hangs holds up no other; their answers do not matter.
        """
        if self._phase is Phase.STOPPING:
            return self._goodbye()
        if self._phase is Phase.STOPPED or now < self._held_until:
            return None
        for state in self.trackers:
            if state.busy:
                continue
            if _due_of(state) <= now:
                state.busy = True
                state.asked_at = now
                state.event = None
                if not state.told_started:
                    state.event = Event.STARTED
                elif state.complete_owed:
                    state.event = Event.COMPLETED
                self._hold()
                return Announcement(state, state.event)
            if not state.failures and not self._to_all:
                return None  # a tracker that works is asked in its time; those behind it are in reserve
        return None

    def answered(self, state: TrackerState, reply: AnnounceReply, now: float) -> None:
        """A tracker that is being asked answered."""
        if not state.busy:
            return
        state.busy = False
        self._hold()
        state.failures = 0
        state.message = reply.warning
        state.told_started = True
        if state.event is Event.COMPLETED:
            state.complete_owed = False
        state.tracker_id = reply.tracker_id or state.tracker_id
        state.not_before = now + (reply.min_interval or min(reply.interval, HURRY_SECONDS))
        state.due = max(now + reply.interval, state.not_before)
        for tier in self._tiers:
            if state in tier:
                tier.remove(state)
                tier.insert(0, state)  # BEP 12: who answers moves to the front of its tier

    def failed(self, state: TrackerState, error: TrackerError, now: float) -> float:
        """A tracker that is being asked did not answer or refused; the seconds until it is asked again."""
        if not state.busy:
            return inf
        state.busy = False
        self._hold()
        state.failures += 1
        state.message = str(error)
        wait: float = min(FIRST_RETRY_SECONDS * 2 ** min(state.failures - 1, 20), RETRY_MOST_SECONDS)
        wait *= 0.75 + self._rng.random() / 2
        if error.retry_in is not None:
            wait = max(wait, error.retry_in)
        state.due = state.not_before = now + wait
        return wait

    def again(self, now: float, *, failed_too: bool = False) -> None:
        """We are reached elsewhere: those who know of us are told at once, whatever distance they ask for.

        Args:
            now: the time.
            failed_too: whether those are asked again as well that did not answer: it was not their fault.
        """
        self._stale = True
        for state in self.trackers:
            if failed_too:
                state.failures, state.not_before = 0, min(state.not_before, now)
            if (state.told_started or failed_too) and not state.failures and not state.busy:
                state.due = now

    def hurry(self, now: float) -> None:
        """We have no peers: ask again as soon as the trackers allow."""
        self._stale = True
        for state in self.trackers:
            if not state.failures:
                state.due = min(state.due, max(now, state.not_before))

    @property
    def leaving(self) -> bool:
        """Whether `next` gives goodbyes."""
        return self._phase is Phase.STOPPING

    def next_due(self) -> float | None:
        """When `next` will give something; None for never or after an answer."""
        if self._stale:  # each turn asks, and a torrent may have a thousand trackers
            self._stale, self._due = False, self._find_due()
        return self._due

    def _find_due(self) -> float | None:
        if self._phase is Phase.STOPPING:
            return 0.0
        held = self._held_until
        if self._phase is Phase.STOPPED or held == inf:
            return None
        due = inf
        for tier in self._tiers:
            for state in tier:
                if state.busy:
                    continue
                due = min(due, _due_of(state))
                if not state.failures and not self._to_all:
                    return max(due, held) if due != inf else None
        return max(due, held) if due != inf else None

    def _hold(self) -> None:
        """Somebody is asked, or no longer: until when is nobody else?"""
        self._stale = True
        busy = [state for state in self.trackers if state.busy] if not self._to_all else []
        waits = [state.asked_at + PATIENCE_SECONDS if state.event is Event.STARTED else inf for state in busy]
        self._held_until = max(waits, default=-inf)

    def _goodbye(self) -> Announcement | None:
        for state in self.trackers:
            if state.told_started:
                state.told_started = False
                return Announcement(state, Event.STOPPED)
        self._phase, self._stale = Phase.STOPPED, True
        return None


def _spoken(url: str) -> bool:
    return url[:8].lower().startswith(PROTOCOLS)


def _due_of(state: TrackerState) -> float:
    """When a tracker is to be asked: at once with news for it, unless it failed to take them before."""
    return 0.0 if state.complete_owed and state.told_started and not state.failures else state.due
