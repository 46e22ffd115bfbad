"""What the torrents of a session share."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import ParamSpec, Protocol, TypeVar

from bittern.engine.events import Event
from bittern.io.route import Route
from bittern.io.runtime import Runtime

from .settings import Settings
from .store import Store

AT_A_TIME = 8
"""Jobs that are given to threads, which are fewer. Thousands of torrents begin, and end, together: were all their jobs
done at once, the loop would do what follows of all in one turn, and nobody else would be served meanwhile."""

THREADS = 4
"""One of them is always left for what is soon done."""

P = ParamSpec("P")
T = TypeVar("T")


class Listener(Protocol):
    """Is told what happens in one swarm."""

    def on_event(self, event: Event) -> None:
        """`event` happened."""
        ...


@dataclass(slots=True, eq=False)
class Surroundings:
    """The surroundings of a torrent.

    Attributes:
        settings: of the session.
        runtime: the engine and its world.
        route: how we get out.
        store: saved state.
        threads: for what blocks: looking at files, syncing, hashing; `THREADS` of them.
        listeners: by the engine's number, who is told what happens in a swarm.
        checking: one check at a time, unless told otherwise: each uses all processors and wants the disk for itself.
    """

    settings: Settings
    runtime: Runtime
    route: Route
    store: Store
    threads: ThreadPoolExecutor
    listeners: dict[int, Listener] = field(default_factory=dict)
    checking: asyncio.Semaphore = field(init=False)
    _queue: asyncio.Semaphore = field(init=False)
    _long: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self.checking = asyncio.Semaphore(self.settings.active_checks)
        self._queue = asyncio.Semaphore(AT_A_TIME)
        self._long = asyncio.Semaphore(THREADS - 1)

    async def in_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run what blocks off the loop."""
        async with self._queue:
            return await asyncio.get_running_loop().run_in_executor(self.threads, lambda: work(*args, **kwargs))

    async def in_thread_for_long(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run what may take minutes: however many do, torrents are still added and progress is saved."""
        async with self._long:
            return await self.in_thread(work, *args, **kwargs)
