"""Sessions of ours, many at once, each with its own settings.

    python proxied_sessions.py FOLDER

Each line of the input is JSON: `seconds`, and `jobs` with `settings`, `source` and `peers`. It is answered with a line
when all have all content, or after that time: what became of each, and how many sockets listened meanwhile.
"""

import asyncio
import json
import sys
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from bittern.base.errors import BitternError
from bittern.session.session import Session
from bittern.session.settings import Settings

LISTENING = "0A"
NUMBERS = count()


def listening() -> int:
    """TCP sockets of this network namespace that accept connections."""
    tables = [Path(f"/proc/self/net/{name}").read_text("ascii").splitlines()[1:] for name in ("tcp", "tcp6")]
    return sum(line.split()[3] == LISTENING for table in tables for line in table)


async def run(folder: Path, job: dict[str, Any], seconds: float) -> str:
    """The state that one came to."""
    place = folder / f"session-{next(NUMBERS)}"
    settings = Settings(save_path=place / "content", state_dir=place / "state", goodbye_seconds=0.5, **job["settings"])
    try:
        async with Session(settings) as session, asyncio.timeout(seconds):
            torrent = await session.add(job["source"], peers=job["peers"])
            await torrent.completed()
            return "complete"
    except TimeoutError:
        return "waiting"
    except BitternError as error:
        return str(error)


async def main() -> None:
    """Until the end of the input."""
    folder = Path(sys.argv[1])
    while line := await asyncio.to_thread(sys.stdin.readline):
        wish = json.loads(line)
        running = [asyncio.create_task(run(folder, job, wish["seconds"])) for job in wish["jobs"]]
        most = 0
        while not all(task.done() for task in running):
            most = max(most, listening())
            await asyncio.wait(running, timeout=0.2)
        with suppress(BrokenPipeError):
            sys.stdout.write(json.dumps({"states": [task.result() for task in running], "listening": most}) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
