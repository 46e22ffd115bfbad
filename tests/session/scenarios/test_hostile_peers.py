"""Peers that break the protocol over real sockets: a session that goes on keeps no task, no thread, no open file."""

import asyncio
from collections import Counter
from pathlib import Path

from bittern.codec.metainfo import Metainfo
from bittern.session.session import Session
from tests.faults.rigs import torrent as content
from tests.faults.rigs.hostile import HostilePeer, Proxy
from tests.faults.test_hostile_peers import OFFENCES, Deed
from tests.leaks import open_files, threads
from tests.session.rig import eventually, settings

SECONDS = 6


def held() -> list[str]:
    """Names of tasks, open files and threads, but for those that wait for the next file to work on."""
    tasks = [task.get_name() for task in asyncio.all_tasks()]
    working = [thread.name for thread in threads() if not thread.name.startswith("bittern-files")]
    return [*tasks, *working, *open_files().values()]


async def comes_back_to(before: list[str]) -> None:
    """Wait until no more is held than then."""
    try:
        await eventually(lambda: len(held()) <= len(before), SECONDS)
    except AssertionError:
        assert Counter(held()) - Counter(before) == Counter()
        raise


async def test_downloads_from_peers_that_break_the_protocol_leave_nothing_behind(tmp_path: Path) -> None:
    """Each deed to a download of its own, an honest seed beside it; when that is done nothing of either is left."""
    torrent = content.make(tmp_path / "content", content.MIB)
    meta = Metainfo.load(torrent.path)

    async def meet(session: Session, port: int, number: int, deed: Deed) -> None:
        address = f"127.0.1.{1 + number}"
        with (
            HostilePeer(torrent.info_hash, lambda peer: deed(peer, torrent), address) as hostile,
            Proxy(port, shut=True) as honest,
        ):
            got = await session.add(meta, tmp_path / f"{number}", peers=[hostile.address, honest.address])
            await eventually(hostile.done.is_set, SECONDS)
            honest.open()
            await asyncio.wait_for(got.completed(), SECONDS)
            await session.remove(got)
        assert (tmp_path / f"{number}" / content.NAME).read_bytes() == torrent.data

    plainly = settings(tmp_path / "b", encryption_out="off")  # what is done to it is done in the clear
    async with Session(settings(tmp_path / "a")) as seed, Session(plainly) as session:
        await (await seed.add(meta, torrent.folder)).completed()
        assert seed.port is not None
        before: list[str] = []
        for again in range(2):  # after the first time all threads are there that ever are
            for number, (deed, _) in enumerate(OFFENCES):
                await meet(session, seed.port, again * len(OFFENCES) + number, deed)
            before = before or held()
        await comes_back_to(before)
