import asyncio

import pytest

from bittern.io.tasks import Tasks


async def fail() -> None:
    raise RuntimeError("broken")


async def test_what_a_task_raises_is_logged_and_hurts_nobody(caplog: pytest.LogCaptureFixture) -> None:
    tasks = Tasks()
    await tasks.start(fail(), "dial 1")
    assert "task dial 1 failed" in caplog.text
    assert "broken" in caplog.text
    await tasks.close()


async def test_closing_cancels_what_runs_and_waits_for_its_end(caplog: pytest.LogCaptureFixture) -> None:
    tasks, story = Tasks(), list[str]()

    async def work() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0)
            story.append("cleaned up")

    tasks.start(work(), "work")
    await asyncio.sleep(0)
    await tasks.close()
    assert story == ["cleaned up"]
    assert caplog.text == ""
    await tasks.close()


async def test_a_task_that_ended_is_forgotten() -> None:
    tasks = Tasks()

    async def nothing() -> None:
        pass

    await tasks.start(nothing(), "nothing")
    await asyncio.sleep(0)
    assert tasks._running == {}
