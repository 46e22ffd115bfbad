"""10,000 seeding torrents: added, idle, started again, some of them removed; and the same with libtorrent."""

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path

import libtorrent as lt

import bittern
from bench.drivers import libtorrent_many
from bench.many_torrents import make_torrents

from .meter import Meter
from .rooms import open_session, reached, watched

TORRENTS = 10_000
SHORT = 300
SECONDS, SHORT_SECONDS = 20.0, 0.5
REMOVED = 10
"""One in so many is removed."""
SETTLE_SECONDS, SETTLE_SECONDS_EACH = 3.0, 0.001
"""For what a client does once after a start."""


async def play(meter: Meter, folder: Path, seconds: float) -> None:
    """All steps with bittern."""
    files = sorted((folder / "torrents").glob("*.torrent"))
    settle = SETTLE_SECONDS_EACH * len(files) + min(seconds, SETTLE_SECONDS)

    def seeding(session: bittern.Session) -> bool:
        return all(torrent.status.state is bittern.State.SEEDING for torrent in session.torrents)

    async with watched(meter), AsyncExitStack() as stack:
        async with open_session(folder / "state", sleep_seconds=0.0) as session:
            with meter.step("add them"):
                for file in files:
                    await session.add(file, folder / "torrents" / "content", trust=True)
                await reached(lambda: seeding(session))
        with meter.step("start again"):
            session = await stack.enter_async_context(open_session(folder / "state", sleep_seconds=0.0))
            await reached(lambda: seeding(session))
        with meter.step("their files are looked at"):
            await asyncio.sleep(settle)
        with meter.step("they are idle"):
            await asyncio.sleep(seconds)
        with meter.step("remove one in 10, with its files"):
            for torrent in session.torrents[::REMOVED]:
                await session.remove(torrent, delete_data=True)
    assert len(list((folder / "torrents" / "content").iterdir())) == len(files) - len(files[::REMOVED])


def run(meter: Meter, folder: Path, *, short: bool) -> None:
    """All steps with bittern."""
    make_torrents(folder / "torrents", SHORT if short else TORRENTS)
    asyncio.run(play(meter, folder, SHORT_SECONDS if short else SECONDS))


def run_libtorrent(meter: Meter, folder: Path, *, short: bool) -> None:
    """The same steps with libtorrent: no ceilings, but what to compare with."""
    torrents, count = folder / "torrents", SHORT if short else TORRENTS
    make_torrents(torrents, count)
    with meter.step("add them, and save resume data"):
        libtorrent_many.fill(folder / "state", torrents)
    with meter.step("start again"):
        session = libtorrent_many.open_session()
        for file in (folder / "state").glob("*.resume"):
            session.async_add_torrent(lt.read_resume_data(file.read_bytes()))
        libtorrent_many.wait_until_seeding(session, count)
    session.apply_settings({"alert_mask": 0})
    session.pop_alerts()
    time.sleep(SETTLE_SECONDS)
    with meter.step("they are idle"):
        time.sleep(SHORT_SECONDS if short else SECONDS)
    with meter.step("remove one in 10, with its files"):
        removed = session.get_torrents()[::REMOVED]
        for handle in removed:
            session.remove_torrent(handle, lt.options_t.delete_files)
        while len(list((torrents / "content").iterdir())) > count - len(removed):
            time.sleep(0.01)
