"""What the ceilings have in common: sessions on loopback, and waiting."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import bittern

from .meter import Meter

LOOK_SECONDS = 0.005


def open_session(state: Path, **more: Any) -> bittern.Session:
    """A session on loopback that keeps its torrents and finds nobody by itself."""
    given = {"utp": False, "use_lsd": False, "use_trackers": False, "keep_torrents": True} | more
    return bittern.Session(bittern.Settings(state_dir=state, listen=("127.0.0.1",), port=0, **given))


@asynccontextmanager
async def watched(meter: Meter) -> AsyncIterator[None]:
    """The loop is watched inside."""
    watching = asyncio.create_task(meter.watch())
    try:
        yield
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


async def reached(so: Callable[[], bool]) -> None:
    """Wait until something is so."""
    while not so():  # noqa: ASYNC110 - of many things, none of which tells
        await asyncio.sleep(LOOK_SECONDS)
