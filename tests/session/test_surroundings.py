import asyncio
import threading
from pathlib import Path

from bittern.session.session import Session
from bittern.session.surroundings import AT_A_TIME, THREADS
from tests.session.rig import album, most_in_a_turn, settings, write_torrent


async def test_what_blocks_runs_in_a_thread_of_the_session(tmp_path: Path) -> None:
    async with Session(settings(tmp_path)) as session:
        name = await session._open().surroundings.in_thread(lambda: threading.current_thread().name)
        assert name.startswith("bittern-files")


async def test_what_follows_of_many_jobs_is_spread_over_turns_of_the_loop(tmp_path: Path) -> None:
    async with Session(settings(tmp_path)) as session:
        in_thread = session._open().surroundings.in_thread
        assert await most_in_a_turn(lambda: in_thread(lambda: None), 100) <= AT_A_TIME


async def test_torrents_are_added_however_many_jobs_take_long(tmp_path: Path) -> None:
    """Moves between file systems, say."""
    write_torrent(album(tmp_path / "content" / "album"), tmp_path / "album.torrent")
    over = threading.Event()
    async with Session(settings(tmp_path / "s")) as session:
        for_long = session._open().surroundings.in_thread_for_long
        moves = [asyncio.create_task(for_long(over.wait)) for _ in range(2 * THREADS)]
        try:
            async with asyncio.timeout(60):
                there = await session.add(tmp_path / "album.torrent", tmp_path / "content", trust=True)
                await there.completed()
        finally:
            over.set()
        assert await asyncio.gather(*moves) == [True] * len(moves)
