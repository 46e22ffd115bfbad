"""A tracker of several processes: starts its workers, starts again who ends, and ends them all.

All sockets are made here, and stay open while a worker is started again: what comes for it in the meantime waits.
"""

import asyncio
import logging
import secrets
import socket
import sys
import time
from collections import deque
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Self

from bittern.base.errors import BitternError
from bittern.io.tasks import Tasks
from bittern.tracker.policy import Policy
from bittern.tracker.settings import TrackerSettings
from bittern.tracker.window import Audience

from .listening import Places, announce_urls, bound
from .lists import Lists
from .post import inboxes
from .state import forget_further
from .worker import READ_LISTS, READY, Order

MAX_WORKERS: Final = 64
MAX_ENDS: Final = 5
"""A worker that ends so often within `ENDS_SECONDS` is not started again: the tracker ends."""
ENDS_SECONDS: Final = 60.0
_STOP_SECONDS = 60.0  # to write millions of peers to a slow disk

_log = logging.getLogger("bittern.io")


class WorkerError(BitternError):
    """A worker does not stay alive."""


class TrackerWorkers:
    """A tracker of several processes, for the time of an `async with` block.

    Args:
        settings: how it behaves; each worker takes its share of `max_peers`, and counts `per_ip` for itself.
        lists: of private mode.
        places: where it is asked.
        count: workers, 2 to `MAX_WORKERS`.
        state: the file that keeps the swarms from one run to the next, or None; further workers have further ones.
        audience: who may look at its figures.

    Attributes:
        urls: where it is asked: announce URLs, HTTP before UDP.
    """

    def __init__(
        self,
        settings: TrackerSettings,
        lists: Lists,
        places: Places,
        count: int,
        state: Path | None = None,
        audience: Audience = Audience.LOCAL,
    ) -> None:
        self.urls: list[str] = []
        self._settings = replace(settings, max_peers=-(-settings.max_peers // count))
        self._lists = lists
        self._places = places
        self._count = count
        self._state = state
        self._audience = audience
        self._open = ExitStack()
        self._tasks = Tasks()
        self._workers: list[_Worker] = []

    @property
    def processes(self) -> list[int]:
        """Their numbers, of those that are there."""
        return [each.process.pid for each in self._workers if each.process is not None]

    async def __aenter__(self) -> Self:
        """Start the workers; they have taken in the swarms that were kept, and listen.

        Raises:
            NetworkError: an address cannot be listened at, or not by several processes.
            WorkerError: a worker ended at once; it has said why.
        """
        with ExitStack() as stack:
            sockets = stack.enter_context(bound(self._places, self._count))
            self.urls = announce_urls(sockets[0])
            ours, theirs = inboxes(self._count)
            for sock in (*ours, *theirs):
                stack.enter_context(sock)
            key, began = secrets.token_bytes(32).hex(), time.monotonic()
            for index in range(self._count):
                order = Order(
                    settings=self._settings,
                    audience=self._audience.value,
                    state=_text(self._state),
                    allow=_text(self._lists.allow),
                    passkeys=_text(self._lists.passkeys),
                    index=index,
                    sockets=_descriptors(sockets[index]),
                    inbox=ours[index].fileno(),
                    outboxes=_descriptors(theirs),
                    key=key,
                    began=began,
                )
                self._workers.append(_Worker(order))
            self._open = stack.pop_all()
        for worker in self._workers:
            self._tasks.start(worker.live(), f"worker {worker.order.index}")
        try:
            await asyncio.gather(*(worker.ready for worker in self._workers))
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Let the workers keep their swarms, and end."""
        well = await self._end()
        if well and self._state is not None:
            forget_further(self._state, self._count)

    async def serve_until(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set.

        Raises:
            WorkerError: a worker does not stay alive.
        """
        stopped = asyncio.ensure_future(stop.wait())
        ends: list[asyncio.Future[Any]] = [stopped, *(worker.failed for worker in self._workers)]
        try:
            done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
        for each in done:
            each.result()

    def read_lists(self) -> None:
        """Let all workers read their lists again.

        Raises:
            OSError: a list cannot be read.
            ValueError: one makes no sense; the workers keep what they have.
        """
        self._lists.read_into(Policy())
        for worker in self._workers:
            worker.tell(READ_LISTS)

    async def _end(self) -> bool:
        """End all; whether they ended well."""
        well = await asyncio.gather(*(worker.end() for worker in self._workers))
        await self._tasks.close()
        self._open.close()
        return all(well)


class _Worker:
    """One process after the other, with the same order.

    Attributes:
        order: what it is told.
        process: that runs now.
        ready: done when the first serves.
        failed: done when there will be no other.
    """

    def __init__(self, order: Order) -> None:
        loop = asyncio.get_running_loop()
        self.order = order
        self.process: asyncio.subprocess.Process | None = None
        self.ready: asyncio.Future[None] = loop.create_future()
        self.failed: asyncio.Future[None] = loop.create_future()
        self._ending = False

    async def live(self) -> None:
        """Keep one running."""
        ends: deque[float] = deque(maxlen=MAX_ENDS)
        while not self._ending:
            code = await self._run()
            ends.append(time.monotonic())
            if self._ending:
                return
            how = f"by signal {-code}" if code < 0 else f"with status {code}"
            if not self.ready.done():
                self.ready.set_exception(WorkerError(f"worker {self.order.index} ended at once, {how}"))
                return
            if len(ends) == MAX_ENDS and ends[-1] - ends[0] < ENDS_SECONDS:
                words = f"worker {self.order.index} ended {MAX_ENDS} times within a minute, at last {how}"
                self.failed.set_exception(WorkerError(words))
                return
            _log.warning("worker %d ended %s, and is started again", self.order.index, how)

    def tell(self, line: bytes) -> None:
        """Say a line to the process that runs, if one does; the next will read the lists anyway."""
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.write(line)

    async def end(self) -> bool:
        """End it; whether it ended well."""
        self._ending = True
        for future in (self.ready, self.failed):
            future.cancel()
        process = self.process
        if process is None or process.stdin is None:
            return False
        process.stdin.close()
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                return await process.wait() == 0
        except TimeoutError:
            process.kill()
            return False

    async def _run(self) -> int:
        """Start one; its exit status."""
        self.process = process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bittern.io.tracker.worker"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=self.order.descriptors,
            process_group=0,  # Ctrl-C is for us
        )
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(self.order.encode())
        if await process.stdout.readline() == READY and not self.ready.done():
            self.ready.set_result(None)
        return await process.wait()


def _descriptors(sockets: list[socket.socket]) -> tuple[int, ...]:
    return tuple(sock.fileno() for sock in sockets)


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path.absolute())
