"""A session that checks the files of one torrent, slowly: something to be killed in the middle of that.

python check.py TORRENT FOLDER STATE BYTES_PER_SECOND

It says `checking` when it is at it, and `checked` when it is through.
"""

import asyncio
import sys
from pathlib import Path

from bittern.session import events
from bittern.session.session import Session
from bittern.session.settings import Settings


def say(line: str) -> None:
    """One line to whoever drives us."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def main(torrent: str, folder: str, state: str, rate: str) -> None:
    """Check, and wait to be killed."""
    settings = Settings(state_dir=Path(state), listen=("127.0.0.1",), port=0, check_bytes_per_second=float(rate))
    said = ""
    async with Session(settings) as session:
        added = await session.add(torrent, folder)
        async for event in added.events(events.CheckProgress, events.Checked):
            now = "checked" if isinstance(event, events.Checked) else "checking"
            if now != said:
                say(now)
                said = now


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
