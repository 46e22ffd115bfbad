"""A thread that works for the loop, one job after the other: those of one turn are handed over together.

To hand something over, and to wake the loop for the answer, costs more than most jobs take. Of thousands no more than a
few go together: the loop does in one turn what follows of them, and nobody else is served meanwhile.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from bittern.io.threads import pool

AT_A_TIME = 8
"""Jobs that are handed over together."""

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Job(Generic[T]):
    """Something to be done, and what came of it.

    Attributes:
        work: is done in the thread, again where others that it was done with failed.
        alone: whether nothing is done with it.
        answer: is waited for, by the loop.
        result: what `work` gave.
        error: what it raised, instead.
    """

    work: Callable[[], T]
    alone: bool
    answer: asyncio.Future[T]
    result: T | None = None
    error: BaseException | None = None

    def do(self) -> None:
        try:
            self.result = self.work()
        except BaseException as error:  # noqa: BLE001 - it is raised where the answer is waited for
            self.error = error


class Clerk:
    """The thread.

    Args:
        name: of the thread.
        around: is entered around jobs that are done together; where it, or one of them, raises anything, each is done
            by itself.

    Raises:
        ThreadLimitError: the system allows no thread.
    """

    def __init__(self, name: str, around: Callable[[], AbstractContextManager[object]]) -> None:
        self._thread = pool(1, name)
        self._around = around
        self._waiting: deque[_Job[Any]] = deque()
        self._busy = False  # with a hand-over, or soon

    def ask(self, work: Callable[[], T], *, alone: bool = False) -> asyncio.Future[T]:
        """Have `work` done, after what was asked for before; not at all if the answer is cancelled in time.

        Args:
            work: may be done twice, if the first time is undone: see `around`.
            alone: it may not, or cannot be done together with others.
        """
        loop = asyncio.get_running_loop()
        job = _Job(work, alone, loop.create_future())
        self._waiting.append(job)
        if not self._busy:
            self._busy = True
            loop.call_soon(self._hand_over, loop)
        return job.answer

    def ask_now(self, work: Callable[[], T]) -> Future[T]:
        """Have `work` done before what was not handed over yet, for whoever is not on the loop or does not wait."""
        return self._thread.submit(work)

    def end(self) -> None:
        """End the thread, after what was handed over."""
        self._thread.shutdown()

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        jobs = self._take()
        self._busy = bool(jobs)
        if jobs:
            try:
                self._thread.submit(self._work, jobs, loop)
            except RuntimeError as error:  # the thread has ended
                for job in jobs:
                    job.error = error
                self._answer(jobs, loop)

    def _take(self) -> list[_Job[Any]]:
        """The next jobs that go together."""
        jobs: list[_Job[Any]] = []
        while self._waiting and len(jobs) < AT_A_TIME and not (jobs and (jobs[-1].alone or self._waiting[0].alone)):
            job = self._waiting.popleft()
            if not job.answer.done():  # cancelled
                jobs.append(job)
        return jobs

    def _work(self, jobs: list[_Job[Any]], loop: asyncio.AbstractEventLoop) -> None:
        if len(jobs) == 1 or not self._worked_together(jobs):
            for job in jobs:
                job.do()
        with suppress(RuntimeError):  # the loop may be closed by now
            loop.call_soon_threadsafe(self._answer, jobs, loop)

    def _worked_together(self, jobs: list[_Job[Any]]) -> bool:
        try:
            with self._around():
                for job in jobs:
                    job.result = job.work()
        except Exception:  # noqa: BLE001 - who has a fault meets it again, alone
            return False
        return True

    def _answer(self, jobs: list[_Job[Any]], loop: asyncio.AbstractEventLoop) -> None:
        for job in jobs:
            if job.answer.done():  # cancelled
                continue
            if job.error is not None:
                job.answer.set_exception(job.error)
            else:
                job.answer.set_result(job.result)
        self._hand_over(loop)
