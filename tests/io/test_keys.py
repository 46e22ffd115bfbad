"""Secrets worked out beside the loop."""

import asyncio
import threading

import pytest

from bittern.engine.effects import WorkOut
from bittern.io.keys import KeyThread
from bittern.io.tasks import Tasks
from bittern.io.turn import Turn
from bittern.wire.mse.keys import public_key, shared_secret

OURS, THEIRS = b"o" * 20, public_key(b"t" * 20)


class Ear:
    """Stands for the core."""

    def __init__(self) -> None:
        self.heard: dict[int, bytes] = {}

    def worked_out(self, ticket: int, secret: bytes, now: float) -> None:
        self.heard[ticket] = secret


async def test_each_wish_is_answered_once_those_that_come_meanwhile_too() -> None:
    ear, tasks = Ear(), Tasks()
    keys = KeyThread(Turn(asyncio.get_running_loop()), ear, tasks)  # type: ignore[arg-type]  # it listens, as a core does
    for ticket in range(20):
        keys.work_out(WorkOut(ticket, OURS, THEIRS))
        if ticket % 5 == 0:
            await asyncio.sleep(0)
    async with asyncio.timeout(20):
        while len(ear.heard) < 20:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.001)
    assert ear.heard == dict.fromkeys(range(20), shared_secret(OURS, THEIRS))
    keys.work_out(WorkOut(20, OURS, THEIRS))
    await asyncio.sleep(0)
    await tasks.close()
    keys.close()


async def test_the_loop_goes_on_meanwhile() -> None:
    ear, tasks = Ear(), Tasks()
    keys = KeyThread(Turn(asyncio.get_running_loop()), ear, tasks)  # type: ignore[arg-type]  # as above
    for ticket in range(300):
        keys.work_out(WorkOut(ticket, OURS, THEIRS))
    turns = 0
    async with asyncio.timeout(20):
        while len(ear.heard) < 300:
            turns += 1
            await asyncio.sleep(0)
    assert turns > 20
    await tasks.close()
    keys.close()


async def test_without_a_thread_the_loop_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    ear, tasks = Ear(), Tasks()
    keys = KeyThread(Turn(asyncio.get_running_loop()), ear, tasks)  # type: ignore[arg-type]  # as above
    keys.work_out(WorkOut(1, OURS, THEIRS))
    async with asyncio.timeout(20):
        while not ear.heard:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.001)
    assert ear.heard == {1: shared_secret(OURS, THEIRS)}
    await tasks.close()
    keys.close()
