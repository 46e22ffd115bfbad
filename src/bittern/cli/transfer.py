"""Following one torrent of a session until it is where the user wants it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from bittern.session.events import Checked, Event, PeerDropped, StateChanged
from bittern.session.session import Session
from bittern.session.status import TROUBLED, State, Status
from bittern.session.torrent import Torrent

from .failures import NoPeersError
from .output import printable
from .reports import KINDS, Report
from .search import Search

T = TypeVar("T")


class StoppedError(Exception):
    """The user, or the system, ended the command."""


class Watch:
    """A torrent under the user's eyes.

    Args:
        torrent: to follow.
        session: that it is in.
        report: is told how it goes.
        stop: set when the user has enough.
    """

    def __init__(self, torrent: Torrent, session: Session, report: Report, stop: asyncio.Event) -> None:
        self._torrent = torrent
        self._session = session
        self._report = report
        self._stop = stop
        self._events = torrent.events(*KINDS)
        self._peers = torrent.events(PeerDropped)  # thousands may fail at once: they must push out nothing else
        status = torrent.status
        known = status.state in (State.DOWNLOADING, State.SEEDING)  # before anybody listened
        checked, entered = Checked(status.done_bytes, status.total_bytes), StateChanged(status.state)
        self._missed: list[Event] = [checked, entered] if known else []
        self._moved_at = time.monotonic()
        self._moved_to: tuple[object, ...] = ()

    async def until(self, milestone: Awaitable[object], idle_seconds: float | None = None) -> None:
        """Report until `milestone` is reached.

        Raises:
            StoppedError: the user stopped it before.
            NoPeersError: nothing came for `idle_seconds`.
            BitternError: what `milestone` raised.
        """
        reached = asyncio.ensure_future(milestone)
        stopped = asyncio.ensure_future(self._stop.wait())
        self._moved_at = time.monotonic()
        try:
            while True:
                done, _ = await asyncio.wait(
                    (reached, stopped), timeout=self._report.interval, return_when=asyncio.FIRST_COMPLETED
                )
                self.refresh()
                if reached in done:
                    reached.result()
                    return
                if stopped in done:
                    raise StoppedError
                self._check_idle(self._torrent.status, idle_seconds)
        finally:
            for task in (reached, stopped):
                task.cancel()
            await asyncio.wait((reached, stopped))

    def refresh(self) -> None:
        """Report what happened and how it stands."""
        missed, self._missed = self._missed, []
        for event in (*missed, *self._events.take(), *self._peers.take()):
            self._report.tell(event)
        self._report.show(self._torrent.status, Search.of(self._torrent, self._session))

    async def until_state(self, wanted: Callable[[State], bool]) -> None:
        """Report until the torrent is in a state that is `wanted`; raises as `until`."""

        async def reached() -> None:
            stream = self._torrent.events()
            while not wanted(self._torrent.status.state):
                await anext(stream)

        await self.until(reached())

    def _check_idle(self, status: Status, idle_seconds: float | None) -> None:
        now = time.monotonic()
        moved_to = (status.downloaded, status.done_bytes, status.metadata)
        if moved_to != self._moved_to or status.state is State.CHECKING:
            self._moved_to, self._moved_at = moved_to, now
        if idle_seconds is not None and now - self._moved_at >= idle_seconds:
            raise NoPeersError(f"nothing came for {idle_seconds:g} s{why_idle(self._torrent)}")


async def unless_stopped(work: Awaitable[T], stop: asyncio.Event) -> T:
    """What `work` gives.

    Raises:
        StoppedError: the user stopped it before.
    """
    task = asyncio.ensure_future(work)
    stopped = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise StoppedError
        return task.result()
    finally:
        for each in (task, stopped):
            each.cancel()
        await asyncio.wait((task, stopped))


def why_idle(torrent: Torrent) -> str:
    """What is known of why nobody sends: the last words of web seeds and trackers."""
    said = [(seed.url, seed.message) for seed in torrent.web_seeds]
    said += [(tracker.url, tracker.message) for tracker in torrent.trackers]
    words = [f"{printable(url, 120)}: {printable(message, 200)}" for url, message in said if message]
    return f" ({'; '.join(words[:3])})" if words else ""


def searching(session: Session) -> str:
    """Where peers of any torrent are looked for that is not private, in words; empty for nowhere."""
    places = ["in the DHT"] if session.searches_dht else []
    if session.searches_locally:
        places.append("in the local network")
    return " and ".join(places)


async def find_ways(watch: Watch, torrent: Torrent, session: Session, report: Report) -> None:
    """Wait until a torrent that was just added is in its swarm; say so, or end, where nobody can name peers.

    Raises:
        StoppedError: the user stopped it before.
        NoPeersError: there is no way to any peer.
        BitternError: the torrent failed.
    """
    if torrent.info is not None:
        await watch.until(torrent.checked())
    else:
        await watch.until_state(lambda state: state is not State.CHECKING)
    status, asked = torrent.status, session.settings.use_trackers
    nowhere = no_way_to_peers(torrent, trackers_asked=asked)
    if nowhere is not None and not status.complete and status.state not in TROUBLED:
        places = searching(session)
        if no_way_to_peers(torrent, searching=bool(places)) is None:
            report.say(f"looking for peers {places}: {nowhere}")
        elif session.settings.port is None or not session.port:
            raise NoPeersError(f"{printable(torrent.name)}: {nowhere}; name a peer with --peer HOST:PORT")
        else:
            report.say(f"waiting for peers that come to port {session.port}: {nowhere}")


def no_way_to_peers(torrent: Torrent, *, searching: bool = False, trackers_asked: bool = True) -> str | None:
    """Why no peer can ever be found, or None when one can.

    Args:
        torrent: in its swarm.
        searching: whether peers are looked for everywhere, as those of private torrents never are.
        trackers_asked: whether trackers are asked at all.
    """
    if searching and not (torrent.info is not None and torrent.info.private):
        return None
    trackers = torrent.trackers
    if torrent.status.known_peers or torrent.torrent_urls or any(tracker.supported for tracker in trackers):
        return None
    if torrent.info is not None and any(not seed.banned for seed in torrent.web_seeds):
        return None
    if torrent.info is not None and torrent.web_seeds and not trackers:
        seed = torrent.web_seeds[0]
        return f"web seed {printable(seed.url, 120)}: {printable(seed.message or '', 200)}; --recheck asks it again"
    if trackers:
        return "its trackers speak neither HTTP nor UDP, and no peer is named"
    if torrent.info is None and torrent.web_seeds:
        return "web seeds do not tell what it is made of; it names no tracker, no peer and no .torrent file (xs)"
    if torrent.info is None and torrent.name == str(torrent.info_hash):
        # What is left of a link in a shell that took its first & for the end of the command.
        longer = "if the link was longer, quote it: a shell cuts it at the first &"
        return f"it names no tracker, and no peer is named; {longer}"
    return f"{'it names no tracker' if trackers_asked else 'no tracker is asked'}, and no peer is named"
