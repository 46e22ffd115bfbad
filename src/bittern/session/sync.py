"""The library without asyncio, as `bittern.sync`: for plain scripts, threads, and notebooks with a running loop.

A session runs on a loop in a thread of its own; each call waits for its answer. Ctrl-C ends the wait, not the session.
All that `bittern.Session` and `bittern.Torrent` can do is here under the same names, with the same arguments.

    with bittern.sync.Session() as session:
        torrent = session.add("a.torrent", "downloads")
        torrent.completed(timeout=600)
"""

import functools
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar

from bittern.base.errors import SessionError
from bittern.base.ids import InfoHashV1
from bittern.codec.metainfo import File, Info, Metainfo
from bittern.engine.nat.lease import Lease

from . import dht as table
from . import events
from . import session as asynchronous
from . import torrent as handles
from .background import Background
from .goals import Goal
from .limits import Limits
from .settings import Settings
from .status import IpFilterStatus, PeerStatus, Status, TrackerStatus, WebSeedStatus

A = TypeVar("A")
P = ParamSpec("P")
T = TypeVar("T")


class _StandIn(Generic[A]):
    """Stands for something that lives on a loop in another thread.

    Attributes:
        inner: what it stands for; only for that loop.
    """

    inner: A

    def __repr__(self) -> str:
        return f"<sync {self.inner!r}>"

    def _wait(self, work: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
        raise NotImplementedError

    def _look(self, look: Callable[[A], T]) -> T:
        """What `look` finds, on the loop that owns what it looks at."""
        return self._wait(_now(lambda: look(self.inner)))


def _waits(method: Callable[Concatenate[A, P], Coroutine[Any, Any, T]]) -> Callable[Concatenate[_StandIn[A], P], T]:
    """As `method`, and waits until it is done."""

    @functools.wraps(method)
    def wait(self: _StandIn[A], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._wait(method(self.inner, *args, **kwargs))

    return wait


def _calls(method: Callable[Concatenate[A, P], T]) -> Callable[Concatenate[_StandIn[A], P], T]:
    """As `method`, called on the session's loop."""

    @functools.wraps(method)
    def call(self: _StandIn[A], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._look(lambda inner: method(inner, *args, **kwargs))

    return call


def _adds(
    method: Callable[Concatenate[asynchronous.Session, P], Coroutine[Any, Any, handles.Torrent]],
) -> Callable[Concatenate["Session", P], "Torrent"]:
    """As `method`, with a handle that waits."""

    @functools.wraps(method)
    def add(self: "Session", /, *args: P.args, **kwargs: P.kwargs) -> "Torrent":
        return self._handle(self._wait(method(self.inner, *args, **kwargs)))

    return add


class Session(_StandIn[asynchronous.Session]):
    """As `bittern.Session`, with calls that wait: `with bittern.sync.Session(Settings(...)) as session`.

    It may be used from several threads.

    ```python
    with bittern.sync.Session(bittern.Settings(keep_torrents=True)) as session:
        torrent = session.add("album.torrent", save_path="downloads")
        torrent.completed(timeout=3600)
        print(torrent.status.state)
    ```

    Args:
        settings: how it behaves.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.inner = asynchronous.Session(settings)
        self._background: Background | None = None

    def __enter__(self) -> Self:
        return self.open()

    def open(self) -> Self:
        """Begin; `with` calls it. See `bittern.Session.open`."""
        if self._background is not None:
            raise SessionError("the session is open already")
        self._background = background = Background(self.inner.close)
        try:
            background.start()
            background.wait(self.inner.open())
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def settings(self) -> Settings:
        """How it behaves."""
        return self.inner.settings

    @property
    def port(self) -> int:
        """The TCP port that is listened on."""
        return self._look(lambda inner: inner.port)

    @property
    def cut_off(self) -> str | None:
        """Why nothing is sent or received, where the interface that the session is bound to is gone."""
        return self._look(lambda inner: inner.cut_off)

    @property
    def port_mappings(self) -> tuple[Lease, ...]:
        """Ports of the router that lead to us, where it was asked for some (`Settings.port_mapping`)."""
        return self._look(lambda inner: inner.port_mappings)

    @property
    def searches_dht(self) -> bool:
        """Whether peers are looked for in the distributed hash table: `Settings.dht`, and a way there."""
        return self._look(lambda inner: inner.searches_dht)

    @property
    def proxy_trouble(self) -> str | None:
        """Why the proxy cannot be used, as far as it was tried; None while it works, or where there is none."""
        return self._look(lambda inner: inner.proxy_trouble)

    @property
    def searches_locally(self) -> bool:
        """Whether peers are looked for in a local network (BEP 14): wanted, and there is one to listen in."""
        return self._look(lambda inner: inner.searches_locally)

    @property
    def dht(self) -> "Dht":
        """The distributed hash table; its calls need `Settings.dht`."""
        return Dht(self.inner.dht, self._open())

    @property
    def torrents(self) -> tuple["Torrent", ...]:
        """All of them, in the order they were added."""
        return tuple([self._handle(each) for each in self._look(lambda inner: inner.torrents)])

    @property
    def limits(self) -> tuple[float, float]:
        """Bytes of content per second of all torrents together, down and up; `math.inf` for no limit."""
        return self._look(lambda inner: inner.limits)

    @property
    def groups(self) -> dict[str, tuple[float, float]]:
        """Each group and its limits in bytes per second, down and up; `math.inf` for no limit."""
        return self._look(lambda inner: inner.groups)

    @property
    def ip_filter(self) -> IpFilterStatus:
        """What the IP filter is made of, and whom it kept out so far."""
        return self._look(lambda inner: inner.ip_filter)

    @property
    def bans(self) -> dict[str, float | None]:
        """Banned addresses, and the seconds until each ban ends; None for good."""
        return self._look(lambda inner: inner.bans)

    def get(self, info_hash: InfoHashV1) -> "Torrent | None":
        """The torrent with this info hash, as the wire carries it; None when there is none."""
        found = self._look(lambda inner: inner.get(info_hash))
        return self._handle(found) if found is not None else None

    def remove(self, torrent: "Torrent", *, delete_data: bool = False) -> None:
        """Take a torrent out and forget its progress; see `bittern.Session.remove`."""
        self._wait(self.inner.remove(torrent.inner, delete_data=delete_data))

    def close(self) -> None:
        """Tell the trackers, save, and end everything; `with` calls it. Ctrl-C meanwhile shortens nothing of it.

        A second one ends the wait for it; what is not done yet goes on, and may be waited for with another call.
        """
        try:
            self._end()
        except BaseException:
            self._end()
            raise

    add = _adds(asynchronous.Session.add)
    find = _waits(asynchronous.Session.find)
    changes = _calls(asynchronous.Session.changes)
    set_places = _calls(asynchronous.Session.set_places)
    set_goal = _calls(asynchronous.Session.set_goal)
    set_limits = _calls(asynchronous.Session.set_limits)
    group = _calls(asynchronous.Session.group)
    ban = _calls(asynchronous.Session.ban)
    unban = _calls(asynchronous.Session.unban)
    reload_ip_filter = _waits(asynchronous.Session.reload_ip_filter)

    def _end(self) -> None:
        background = self._background
        if background is not None:
            background.close()
            self._background = None

    def _open(self) -> Background:
        if self._background is None:
            raise SessionError("the session is not open: use it as `with bittern.sync.Session() as session`")
        return self._background

    def _wait(self, work: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
        if self._background is None:
            work.close()
        return self._open().wait(work, timeout)

    def _handle(self, torrent: handles.Torrent) -> "Torrent":
        return Torrent(torrent, self._open())


class Torrent(_StandIn[handles.Torrent]):
    """As `bittern.Torrent`, with calls that wait."""

    def __init__(self, inner: handles.Torrent, background: Background) -> None:
        self.inner = inner
        self._background = background

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Torrent) and self.inner is other.inner

    def __hash__(self) -> int:
        return hash(self.inner)

    @property
    def info_hash(self) -> InfoHashV1:
        """What handshakes and trackers carry."""
        return self.inner.info_hash

    @property
    def name(self) -> str:
        """Of the file or root folder; the link's word, or the info hash, while the metadata is unknown."""
        return self.inner.name

    @property
    def info(self) -> Info | None:
        """What it is made of; None while that is unknown."""
        return self._look(lambda inner: inner.info)

    @property
    def metainfo(self) -> Metainfo | None:
        """As a .torrent file says it; None while it is unknown. See `bittern.Torrent.metainfo`."""
        return self._look(lambda inner: inner.metainfo)

    @property
    def files(self) -> tuple[File, ...]:
        """Its files without pads; empty while they are unknown."""
        return self._look(lambda inner: inner.files)

    @property
    def path(self) -> Path | None:
        """The file, or the root folder; None while the name is unknown."""
        return self._look(lambda inner: inner.path)

    @property
    def trackers(self) -> tuple[TrackerStatus, ...]:
        """Its trackers, in the order they are asked."""
        return self._look(lambda inner: inner.trackers)

    @property
    def web_seeds(self) -> tuple[WebSeedStatus, ...]:
        """Its web seeds (BEP 19), as far as they have http or https URLs; none while it sleeps."""
        return self._look(lambda inner: inner.web_seeds)

    @property
    def torrent_urls(self) -> tuple[str, ...]:
        """Where its link says that the .torrent file is, while it is asked for there."""
        return self._look(lambda inner: inner.torrent_urls)

    @property
    def found_by(self) -> dict[str, int]:
        """How many of the addresses in `Status.known_peers` are known from whom; see `bittern.Torrent.found_by`."""
        return self._look(lambda inner: inner.found_by)

    @property
    def peers(self) -> tuple[PeerStatus, ...]:
        """Those that it is connected to, in the order they came."""
        return self._look(lambda inner: inner.peers)

    @property
    def status(self) -> Status:
        """How it is right now."""
        return self._look(lambda inner: inner.status)

    @property
    def position(self) -> int:
        """Its place in the queue, from 0."""
        return self._look(lambda inner: inner.position)

    @property
    def priority(self) -> int:
        """What goes before its place in the queue; the higher runs first."""
        return self._look(lambda inner: inner.priority)

    @property
    def forced(self) -> bool:
        """Whether it runs whatever the queue says."""
        return self._look(lambda inner: inner.forced)

    @property
    def goal(self) -> Goal | None:
        """Its own goal; None for that of the session."""
        return self._look(lambda inner: inner.goal)

    @property
    def group(self) -> str | None:
        """The group whose limits it shares, or None."""
        return self._look(lambda inner: inner.group)

    @property
    def limits(self) -> Limits:
        """What it is held to by itself; see `bittern.Torrent.limits`."""
        return self._look(lambda inner: inner.limits)

    @property
    def ip_filtered(self) -> bool:
        """Whether the IP filter of the session is for it."""
        return self._look(lambda inner: inner.ip_filtered)

    @property
    def super_seeding(self) -> bool:
        """Whether it shows pieces one by one; see `bittern.Torrent.super_seeding`."""
        return self._look(lambda inner: inner.super_seeding)

    def metadata(self, timeout: float | None = None) -> Info:
        """Wait until it is known what the torrent is made of; see `bittern.Torrent.metadata`.

        Raises:
            TimeoutError: not within `timeout` seconds.
        """
        return self._wait(self.inner.metadata(), timeout)

    def checked(self, timeout: float | None = None) -> None:
        """Wait until it is known what is on the disk; see `bittern.Torrent.checked`.

        Raises:
            TimeoutError: not within `timeout` seconds.
        """
        self._wait(self.inner.checked(), timeout)

    def completed(self, timeout: float | None = None) -> None:
        """Wait until every wanted byte is in the files; see `bittern.Torrent.completed`.

        Raises:
            TimeoutError: not within `timeout` seconds.
        """
        self._wait(self.inner.completed(), timeout)

    def events(self, *kinds: type[events.Event], timeout: float | None = None) -> "EventStream":
        """What happens from now on: `for event in torrent.events()`. Ends with the torrent or the session.

        Args:
            kinds: classes of events that are wanted; none for all. To a slow reader `EventsLost` comes, too.
            timeout: seconds that each step waits at most for the next event; None for as long as it takes.
        """
        return EventStream(self._look(lambda inner: inner.events(*kinds)), self._background, timeout)

    pause = _waits(handles.Torrent.pause)
    resume = _waits(handles.Torrent.resume)
    recheck = _waits(handles.Torrent.recheck)
    select_files = _calls(handles.Torrent.select_files)
    set_file_priorities = _calls(handles.Torrent.set_file_priorities)
    set_deadline = _waits(handles.Torrent.set_deadline)
    set_limits = _calls(handles.Torrent.set_limits)
    set_peer_limits = _calls(handles.Torrent.set_peer_limits)
    set_ip_filtered = _waits(handles.Torrent.set_ip_filtered)
    set_super_seeding = _calls(handles.Torrent.set_super_seeding)
    join = _calls(handles.Torrent.join)
    move = _calls(handles.Torrent.move)
    set_priority = _calls(handles.Torrent.set_priority)
    set_goal = _calls(handles.Torrent.set_goal)
    move_to = _waits(handles.Torrent.move_to)
    rename = _waits(handles.Torrent.rename)
    rename_file = _waits(handles.Torrent.rename_file)
    cancel_move = _waits(handles.Torrent.cancel_move)
    pause_check = _waits(handles.Torrent.pause_check)
    resume_check = _waits(handles.Torrent.resume_check)
    cancel_check = _waits(handles.Torrent.cancel_check)

    def _wait(self, work: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
        return self._background.wait(work, timeout)


class Dht(_StandIn[table.Dht]):
    """As `bittern.dht.Dht`, with calls that wait."""

    def __init__(self, inner: table.Dht, background: Background) -> None:
        self.inner = inner
        self._background = background

    @property
    def nodes(self) -> int:
        """How many nodes are known now."""
        return self._look(lambda inner: inner.nodes)

    lookup = _waits(table.Dht.lookup)
    announce = _waits(table.Dht.announce)
    scrape = _waits(table.Dht.scrape)
    get = _waits(table.Dht.get)
    put = _waits(table.Dht.put)
    put_mutable = _waits(table.Dht.put_mutable)
    sample = _waits(table.Dht.sample)

    def _wait(self, work: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
        return self._background.wait(work, timeout)


class EventStream(_StandIn[events.EventStream]):
    """As `bittern.events.EventStream`: an iterator that waits. A step that took too long loses nothing."""

    def __init__(self, inner: events.EventStream, background: Background, timeout: float | None) -> None:
        self.inner = inner
        self._background = background
        self._timeout = timeout

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> events.Event:
        """The next event.

        Raises:
            StopIteration: the torrent, or the session, has ended.
            TimeoutError: nothing happened in time; the next step may be made all the same.
        """
        event = self._wait(_next(self.inner), self._timeout)
        if event is None:
            raise StopIteration
        return event

    take = _calls(events.EventStream.take)

    def _wait(self, work: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
        return self._background.wait(work, timeout)


async def _now(look: Callable[[], T]) -> T:
    return look()


async def _next(stream: events.EventStream) -> events.Event | None:
    return await anext(stream, None)
