"""What the ceilings have in common: sessions on loopback, and waiting."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
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


@asynccontextmanager
async def restarted_seed(
    meter: Meter, torrent: bittern.Metainfo, folder: Path
) -> AsyncIterator[tuple[bittern.Session, bittern.Torrent]]:
    """A session that has all of `torrent` from the session before it; both beginnings are steps."""
    async with open_session(folder / "seed") as session:
        with meter.step("add what is complete"):
            seed = await session.add(torrent, folder / "whole", trust=True)
            await seed.completed()
    async with AsyncExitStack() as stack:
        with meter.step("start again"):
            session = await stack.enter_async_context(open_session(folder / "seed"))
            (seed,) = session.torrents
            await reached(lambda: seed.status.state is bittern.State.SEEDING)
        yield session, seed
