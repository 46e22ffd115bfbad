import asyncio

import pytest

from bittern.io.tasks import Tasks, to_its_end


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


async def hold_on(work: asyncio.Future[str]) -> tuple[asyncio.Task[str], list[str]]:
    story = list[str]()

    async def wait() -> str:
        try:
            return await to_its_end(work)
        finally:
            story.append("let go")

    waiting = asyncio.create_task(wait())
    await asyncio.sleep(0)
    return waiting, story


async def test_what_must_not_stop_half_way_gives_its_result_and_what_it_raises() -> None:
    good, bad = (asyncio.get_running_loop().create_future() for _ in range(2))
    good.set_result("done")
    bad.set_exception(RuntimeError("broken"))
    assert await to_its_end(good) == "done"
    with pytest.raises(RuntimeError, match="broken"):
        await to_its_end(bad)


async def test_who_is_cancelled_meanwhile_is_so_when_it_is_done() -> None:
    work = asyncio.get_running_loop().create_future()
    waiting, story = await hold_on(work)
    waiting.cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert story == []
    work.set_result("done")
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_who_is_cancelled_twice_waits_no_longer_and_the_work_goes_on() -> None:
    work = asyncio.get_running_loop().create_future()
    waiting, story = await hold_on(work)
    for _ in range(2):
        waiting.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert story == ["let go"]
    assert not work.done()
