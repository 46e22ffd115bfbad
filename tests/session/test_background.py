import asyncio
import threading
import time
from asyncio import BaseEventLoop
from typing import Any

import pytest

from bittern.base.errors import SessionError
from bittern.session.background import Background


async def answer(seconds: float = 0.0) -> int:
    await asyncio.sleep(seconds)
    return 42


async def at_once() -> int:
    return 42


async def nothing() -> None:
    pass


def begun() -> Background:
    background = Background(nothing)
    background.start()
    return background


def test_one_that_never_began_can_be_closed() -> None:
    Background(nothing).close()


def test_one_whose_start_was_interrupted_can_be_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """How far the thread is by then is left to chance: it may not have begun, or run already."""

    def interrupted(_: threading.Event, __: float | None = None) -> bool:
        raise KeyboardInterrupt

    before = set(threading.enumerate())
    for _ in range(50):
        background = Background(nothing)
        with monkeypatch.context() as patch:
            patch.setattr(threading.Event, "wait", interrupted)
            with pytest.raises(KeyboardInterrupt):
                background.start()
        background.close()
    give_up_at = time.monotonic() + 5
    while set(threading.enumerate()) - before and time.monotonic() < give_up_at:
        time.sleep(0.001)
    assert set(threading.enumerate()) == before


def test_what_fails_at_the_end_is_told_once() -> None:
    async def fail() -> None:
        raise SessionError("no room")

    background = Background(fail)
    background.start()
    with pytest.raises(SessionError, match="no room"):
        background.close()
    background.close()


def test_what_was_begun_comes_to_its_end_although_nobody_waits_for_it() -> None:
    background, done = begun(), list[str]()

    async def work() -> None:
        try:
            await asyncio.sleep(30)
        finally:  # cancelled: it clears up
            await asyncio.sleep(0.05)
            done.append("cleared up")

    with pytest.raises(TimeoutError, match=r"not within 0\.01 s"):
        background.wait(work(), 0.01)
    background.close()
    background.close()
    assert done == ["cleared up"]


def test_work_is_called_off_though_its_handing_over_was_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    background, started, ended = begun(), list[int](), list[int]()
    hand_over = BaseEventLoop.call_soon_threadsafe

    def then_interrupted(loop: BaseEventLoop, *words: Any, **more: Any) -> None:
        hand_over(loop, *words, **more)
        monkeypatch.undo()
        raise KeyboardInterrupt

    async def work(number: int) -> None:
        started.append(number)
        try:
            await asyncio.sleep(30)
        finally:
            ended.append(number)

    for number in range(20):  # whether it has begun by then is left to chance
        monkeypatch.setattr(BaseEventLoop, "call_soon_threadsafe", then_interrupted)
        with pytest.raises(KeyboardInterrupt):
            background.wait(work(number))
    background.wait(asyncio.sleep(0))
    assert background.wait(answer()) == 42
    assert ended == started
    background.close()


def test_after_the_end_only_what_needs_no_waiting_is_done() -> None:
    background = begun()
    assert background.wait(answer()) == 42
    background.close()
    assert background.wait(at_once()) == 42
    with pytest.raises(SessionError, match="closed"):
        background.wait(asyncio.sleep(0))


def test_an_error_of_the_work_is_that_of_the_wait() -> None:
    background = begun()

    async def slow() -> None:
        raise TimeoutError("a tracker took too long")

    with pytest.raises(TimeoutError, match="tracker"):
        background.wait(slow(), 5)
    background.close()


def test_many_threads_may_wait_while_it_ends_and_none_is_left_waiting() -> None:
    background, answers = begun(), list[int]()

    def ask() -> None:
        while True:
            try:
                answers.append(background.wait(answer()))
            except SessionError:
                return

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    time.sleep(0.05)
    background.close()
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)
    assert set(answers) == {42}
