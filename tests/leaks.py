"""What a test leaves behind: tasks, threads and open files that were not there before it."""

import asyncio
import gc
import os
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

_FILES = Path("/proc/self/fd")
PATIENCE_SECONDS = 2.0
"""What was told to end may need so long."""


def open_files() -> dict[str, str]:
    """Open files of this process, by descriptor, where the system shows them."""
    found = {}
    for name in os.listdir(_FILES) if _FILES.exists() else []:  # noqa: PTH208 - names are all that is wanted
        try:
            found[name] = os.readlink(_FILES / name)  # noqa: PTH115 - as text: a socket's is no path
        except FileNotFoundError:
            continue  # that of the listing itself
    return found


def threads() -> set[threading.Thread]:
    """Threads of this process but those of asyncio's default executor, which live as long as their loop."""
    return {thread for thread in threading.enumerate() if not thread.name.startswith("asyncio_")}


def left_behind(before: dict[str, str], running: set[threading.Thread]) -> list[str]:
    """Names of what was not there before and is still there after some patience."""
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while True:
        files = [what for name, what in open_files().items() if before.get(name) != what]
        found = [thread.name for thread in threads() - running] + files
        if not found or time.monotonic() > give_up_at:
            return found
        gc.collect()
        time.sleep(0.01)


@pytest.fixture(autouse=True)
def leaves_nothing_behind() -> Iterator[None]:
    """Fail a test that leaves a thread or an open file."""
    before, running = open_files(), threads()
    yield
    found = left_behind(before, running)
    assert not found, f"left behind: {found}"


@pytest.fixture(autouse=True)
async def leaves_no_task() -> AsyncIterator[None]:
    """Fail a test that leaves a task on its loop."""
    before = asyncio.all_tasks()
    yield
    await tasks_end(before)


async def tasks_end(before: set[asyncio.Task[Any]]) -> None:
    """Fail when tasks that were not there before do not end, with some patience."""
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while left := asyncio.all_tasks() - before - {asyncio.current_task()}:
        assert time.monotonic() < give_up_at, f"left running: {[task.get_name() for task in left]}"
        await asyncio.sleep(0.01)
