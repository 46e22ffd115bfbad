"""Tasks that belong to somebody: none is forgotten, none fails in silence."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
_log = logging.getLogger("bittern.io")


class Tasks:
    """The running tasks of one owner."""

    def __init__(self) -> None:
        self._running: dict[asyncio.Task[None], None] = {}

    def start(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run `work`; what it raises is logged."""
        task = asyncio.get_running_loop().create_task(self._guard(work, name), name=name)
        self._running[task] = None
        task.add_done_callback(lambda done: self._running.pop(done, None))
        return task

    async def close(self) -> None:
        """Cancel what runs and wait for its end."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    @staticmethod
    async def _guard(work: Coroutine[Any, Any, None], name: str) -> None:
        try:
            await work
        except asyncio.CancelledError:
            raise
        except Exception:  # noqa: BLE001 - here what nobody awaits becomes a log entry
            _log.exception("task %s failed", name)


async def to_its_end(work: asyncio.Future[T]) -> T:
    """The result of what must not stop half way: who is cancelled meanwhile is so when it is done.

    It may be called only for what ends soon. A second time ends the wait, and the work goes on.
    """
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:  # the loop may end with whoever is cancelled, and `work` with the loop
        await asyncio.wait([work])
        raise
