"""What one torrent is busy with: one thing at a time, and the next begins when the one before has ended."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from bittern.base.errors import BitternError, SessionError

_log = logging.getLogger("bittern.session")

Work = Callable[[], Awaitable[None]]


class Errand:
    """The task of one torrent.

    Args:
        name: of the torrent, for the log.
        failed: is told why the work failed.
    """

    def __init__(self, name: str, failed: Callable[[BitternError], None]) -> None:
        self._name = name
        self._failed = failed
        self._task: asyncio.Task[None] | None = None

    @property
    def busy(self) -> bool:
        """Whether something is being done."""
        return self._task is not None and not self._task.done()

    def run(self, work: Work) -> asyncio.Task[None]:
        """Make `work` what is done; what was done before is cancelled, and ends first."""
        loop, before = asyncio.get_running_loop(), self._task
        self._task = loop.create_task(self._guard(work, before), name=f"torrent {self._name}")
        self._task.add_done_callback(self._done)
        return self._task

    async def end(self) -> None:
        """Cancel what is done, and wait until it has ended."""
        if self._task is not None:
            await _cancelled(self._task)

    async def _guard(self, work: Work, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await _cancelled(before)
        try:
            await work()
        except BitternError as error:
            self._failed(error)

    def _done(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log.error("torrent %s: internal error", self._name, exc_info=error)
            self._failed(SessionError(f"internal error, {type(error).__name__}: {error}"))


async def _cancelled(task: asyncio.Task[None]) -> None:
    """End `task` and wait until it has ended."""
    task.cancel()
    await asyncio.wait([task])
