import threading
from pathlib import Path

from bittern.session.session import Session
from tests.session.rig import settings


async def test_what_blocks_runs_in_a_thread_of_the_session(tmp_path: Path) -> None:
    async with Session(settings(tmp_path)) as session:
        name = await session._open().surroundings.in_thread(lambda: threading.current_thread().name)
        assert name.startswith("bittern-files")
