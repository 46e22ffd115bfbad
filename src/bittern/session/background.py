"""An event loop in a thread of its own, for callers that wait."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Generic, TypeVar

from bittern.base.errors import SessionError
from bittern.io.threads import starting

PATIENCE_SECONDS = 30.0
"""What goes on at the end may take so long; then it is cancelled."""

T = TypeVar("T")


class Background:
    """A loop that runs from `start` to `close`, whoever is interrupted meanwhile.

    Args:
        end: is done last, however it comes to the end.
    """

    def __init__(self, end: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._end = end
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._ended = threading.Event()
        self._begun = self._runs = False
        self._abandoned = False  # before it ran
        self._over = False
        self._error: BaseException | None = None
        self._turnstile = threading.Lock()  # nobody hands work to a loop that has stopped taking any
        self._thread = threading.Thread(target=self._run, name="bittern-sync", daemon=True)

    def start(self) -> None:
        """Begin.

        Raises:
            ThreadLimitError: the system allows no more threads.
        """
        with starting():
            self._thread.start()
        self._begun = True

    def wait(self, work: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
        """What `work` gives, done on the loop; it is cancelled when the wait ends early, by Ctrl-C for example.

        When the loop has ended, what needs no waiting is still done: what was known can be read.

        Raises:
            TimeoutError: it took longer than `timeout` seconds.
            SessionError: it would have to wait, and the loop has ended, or it is the loop that calls.
        """
        if threading.current_thread() is self._thread:
            work.close()
            raise SessionError("a call of bittern.sync waits: it must not be made on the session's own loop")
        errand = _Errand(work, self._loop)
        try:
            with self._turnstile:
                over = self._over
                if not over:
                    errand.hand_over()
            return _at_once(work) if over else errand.result(timeout)
        finally:
            errand.call_off()

    def close(self) -> None:
        """Do what is to be done last, let what was begun come to its end, and end the thread. May be called again.

        Ctrl-C ends the wait for it, and nothing else: who calls it again waits for the rest.
        """
        with self._turnstile:  # a start that was interrupted leaves open whether there is a thread, and how far it is
            self._abandoned = not (self._begun or self._runs)
        if self._abandoned:
            self._loop.close()
            return
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._stop.set)
        self._ended.wait()  # not `join`, which takes an interrupt for the end of the thread (bpo-45274)
        self._thread.join()
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _run(self) -> None:
        with self._turnstile:
            if self._abandoned:
                return
            self._runs = True
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._serve())
        finally:
            self._ended.set()

    async def _serve(self) -> None:
        await self._stop.wait()
        try:
            await self._end()
        except Exception as error:  # noqa: BLE001 - it is raised again by `close`
            self._error = error
        with self._turnstile:
            self._over = True
        await asyncio.sleep(0)  # what was handed over before begins
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if left:
            await asyncio.wait(left, timeout=PATIENCE_SECONDS)


class _Errand(Generic[T]):
    """Work for a loop in another thread, which can be called off at any time.

    Whoever hands work over may be interrupted when it has begun, and asyncio.run_coroutine_threadsafe has not told yet
    what to cancel.
    """

    def __init__(self, work: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> None:
        self._work = work
        self._loop = loop
        self._task: asyncio.Task[T] | None = None
        self._off = False
        self._answer: concurrent.futures.Future[T] = concurrent.futures.Future()

    def hand_over(self) -> None:
        self._loop.call_soon_threadsafe(self._begin)

    def result(self, timeout: float | None) -> T:
        try:
            return self._answer.result(timeout)
        except concurrent.futures.TimeoutError:
            if self._answer.done():
                raise
            raise TimeoutError(f"not within {timeout:g} s") from None

    def call_off(self) -> None:
        """Nothing where it is done."""
        if self._answer.done():
            return
        self._off = True
        try:
            self._loop.call_soon_threadsafe(self._end)
        except RuntimeError:  # the loop has ended
            self._work.close()

    def _begin(self) -> None:
        if not self._off:
            self._task = self._loop.create_task(self._work)
            self._task.add_done_callback(self._tell)

    def _end(self) -> None:
        if self._task is None:
            self._work.close()
        else:
            self._task.cancel()

    def _tell(self, task: asyncio.Task[T]) -> None:
        if task.cancelled():
            self._answer.cancel()
        elif (error := task.exception()) is not None:
            self._answer.set_exception(error)
        else:
            self._answer.set_result(task.result())


def _at_once(work: Coroutine[Any, Any, T]) -> T:
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    work.close()
    raise SessionError("the session is closed: nothing will happen any more")
