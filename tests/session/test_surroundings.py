import threading
from pathlib import Path

from bittern.session.session import Session
from bittern.session.surroundings import AT_A_TIME
from tests.session.rig import most_in_a_turn, settings


async def test_what_blocks_runs_in_a_thread_of_the_session(tmp_path: Path) -> None:
    async with Session(settings(tmp_path)) as session:
        name = await session._open().surroundings.in_thread(lambda: threading.current_thread().name)
        assert name.startswith("bittern-files")


async def test_what_follows_of_many_jobs_is_spread_over_turns_of_the_loop(tmp_path: Path) -> None:
    async with Session(settings(tmp_path)) as session:
        in_thread = session._open().surroundings.in_thread
        assert await most_in_a_turn(lambda: in_thread(lambda: None), 100) <= AT_A_TIME
