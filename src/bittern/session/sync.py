"""The library without asyncio, as `bittern.sync`: for plain scripts, threads, and notebooks with a running loop.

A session runs on a loop in a thread of its own; each call waits for its answer. Ctrl-C ends the wait, not the session.

    with bittern.sync.Session() as session:
        torrent = session.add("a.torrent", "downloads")
        torrent.completed(timeout=600)
"""

import asyncio
import concurrent.futures
import os
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self, TypeVar

from bittern.base.errors import SessionError
from bittern.base.ids import InfoHashV1
from bittern.codec.metainfo import File, Info

from . import session as asynchronous
from . import torrent as handles
from .events import Event, EventStream
from .goals import Goal
from .queue import Places
from .settings import Settings
from .sources import TorrentSource
from .status import Status, StatusChanges, TrackerStatus

T = TypeVar("T")


class _Loop:
    """An event loop in a thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="bittern-sync", daemon=True)
        self._thread.start()

    def wait(self, work: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
        """What `work` gives, done on the loop; it is cancelled when the wait ends early.

        Raises:
            TimeoutError: it took longer than `timeout` seconds.
        """
        if threading.current_thread() is self._thread:
            work.close()
            raise SessionError("a call of bittern.sync waits: it must not be made on the session's own loop")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(timeout)
        except concurrent.futures.TimeoutError:
            if future.done():
                raise
            raise TimeoutError(f"not within {timeout:g} s") from None
        finally:
            future.cancel()

    def close(self) -> None:
        """End the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
        finally:
            self._loop.close()


class Session:
    """As `bittern.Session`, with calls that wait: `with bittern.sync.Session(Settings(...)) as session`.

    It may be used from several threads.

    Args:
        settings: how it behaves.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self._inner = asynchronous.Session(settings)
        self._loop: _Loop | None = None

    def __enter__(self) -> Self:
        loop = _Loop()
        try:
            loop.wait(self._inner.__aenter__())
        except BaseException:
            loop.close()
            raise
        self._loop = loop
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<sync {self._inner!r}>"

    @property
    def settings(self) -> Settings:
        """How it behaves."""
        return self._inner.settings

    @property
    def port(self) -> int:
        """The TCP port that is listened on."""
        return self._wait(_now(lambda: self._inner.port))

    @property
    def torrents(self) -> tuple["Torrent", ...]:
        """All of them, in the order they were added."""
        found = self._wait(_now(lambda: self._inner.torrents))
        return tuple([Torrent(each, self._open()) for each in found])

    def get(self, info_hash: InfoHashV1) -> "Torrent | None":
        """The torrent with this info hash, as the wire carries it; None when there is none."""
        found = self._wait(_now(lambda: self._inner.get(info_hash)))
        return Torrent(found, self._open()) if found is not None else None

    def add(
        self,
        source: TorrentSource,
        save_path: str | os.PathLike[str] | None = None,
        *,
        content: str | os.PathLike[str] | None = None,
        peers: Sequence[str] = (),
        select: Sequence[int] | None = None,
        priorities: Mapping[int, int] = MappingProxyType({}),
        trackers: Sequence[Sequence[str]] = (),
        paused: bool = False,
        trust: bool = False,
        overwrite: bool = False,
    ) -> "Torrent":
        """Take a torrent in; arguments and errors are those of `bittern.Session.add`."""
        adding = self._inner.add(
            source,
            save_path,
            content=content,
            peers=peers,
            select=select,
            priorities=priorities,
            trackers=trackers,
            paused=paused,
            trust=trust,
            overwrite=overwrite,
        )
        return Torrent(self._wait(adding), self._open())

    def remove(self, torrent: "Torrent", *, delete_data: bool = False) -> None:
        """Take a torrent out and forget its progress; see `bittern.Session.remove`."""
        self._wait(self._inner.remove(torrent.inner, delete_data=delete_data))

    def changes(self, since: int = 0) -> StatusChanges:
        """The torrents that changed after a revision; see `bittern.Session.changes`."""
        return self._wait(_now(lambda: self._inner.changes(since)))

    def set_places(self, places: Places) -> None:
        """Let more, or fewer, torrents run at a time from now on."""
        self._wait(_now(lambda: self._inner.set_places(places)))

    def set_goal(self, goal: Goal) -> None:
        """From now on, torrents without a goal of their own have this one."""
        self._wait(_now(lambda: self._inner.set_goal(goal)))

    def close(self) -> None:
        """Tell the trackers, save, and end everything; `with` calls it."""
        loop, self._loop = self._loop, None
        if loop is not None:
            try:
                loop.wait(self._inner.close())
            finally:
                loop.close()

    def _open(self) -> _Loop:
        if self._loop is None:
            raise SessionError("the session is not open: use it as `with bittern.sync.Session() as session`")
        return self._loop

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop is None:
            work.close()
        return self._open().wait(work)


class Torrent:
    """As `bittern.Torrent`, with calls that wait.

    Attributes:
        inner: the handle it stands for; only for the session's loop.
    """

    def __init__(self, inner: handles.Torrent, loop: _Loop) -> None:
        self.inner = inner
        self._loop = loop

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Torrent) and self.inner is other.inner

    def __hash__(self) -> int:
        return hash(self.inner)

    def __repr__(self) -> str:
        return repr(self.inner)

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
        return self._loop.wait(_now(lambda: self.inner.info))

    @property
    def files(self) -> tuple[File, ...]:
        """Its files without pads; empty while they are unknown."""
        return self._loop.wait(_now(lambda: self.inner.files))

    @property
    def path(self) -> Path | None:
        """The file, or the root folder; None while the name is unknown."""
        return self._loop.wait(_now(lambda: self.inner.path))

    @property
    def trackers(self) -> tuple[TrackerStatus, ...]:
        """Its trackers, in the order they are asked."""
        return self._loop.wait(_now(lambda: self.inner.trackers))

    @property
    def status(self) -> Status:
        """How it is right now."""
        return self._loop.wait(_now(lambda: self.inner.status))

    def metadata(self, timeout: float | None = None) -> Info:
        """Wait until it is known what the torrent is made of; see `bittern.Torrent.metadata`.

        Raises:
            TimeoutError: not within `timeout` seconds.
        """
        return self._loop.wait(self.inner.metadata(), timeout)

    def checked(self, timeout: float | None = None) -> None:
        """Wait until it is known what is on the disk; see `bittern.Torrent.checked`.

        Raises:
            TimeoutError: not within `timeout` seconds.
        """
        self._loop.wait(self.inner.checked(), timeout)

    def completed(self, timeout: float | None = None) -> None:
        """Wait until every wanted byte is in the files; see `bittern.Torrent.completed`.

        Raises:
            TimeoutError: not within `timeout` seconds.
        """
        self._loop.wait(self.inner.completed(), timeout)

    def events(self, *kinds: type[Event]) -> Iterator[Event]:
        """What happens from now on, until the torrent or the session ends; each step waits for the next event."""
        stream = self._loop.wait(_now(lambda: self.inner.events(*kinds)))
        return self._each(stream)

    def pause(self) -> None:
        """Leave the swarm; a check goes on."""
        self._loop.wait(self.inner.pause())

    def resume(self, *, force: bool = False) -> None:
        """Join the swarm again; with `force` whatever the queue says."""
        self._loop.wait(self.inner.resume(force=force))

    def recheck(self) -> None:
        """Hash everything that is there; returns when that is done."""
        self._loop.wait(self.inner.recheck())

    def move(self, position: int) -> None:
        """Take another place in the queue; see `bittern.Torrent.move`."""
        self._loop.wait(_now(lambda: self.inner.move(position)))

    def set_priority(self, priority: int) -> None:
        """Run before those of a lower priority."""
        self._loop.wait(_now(lambda: self.inner.set_priority(priority)))

    def set_goal(self, goal: Goal | None) -> None:
        """Set a goal of its own; None for that of the session."""
        self._loop.wait(_now(lambda: self.inner.set_goal(goal)))

    def _each(self, stream: EventStream) -> Iterator[Event]:
        while True:
            event = self._loop.wait(_next(stream))
            if event is None:
                return
            yield event


async def _now(look: Callable[[], T]) -> T:
    """What `look` gives, on the loop that owns what it looks at."""
    return look()


async def _next(stream: EventStream) -> Event | None:
    return await anext(stream, None)
