"""A session that moves a torrent's files: something to be killed in the middle of that, in a process of its own.

python -m tests.session.mover FOLDER OLD NEW same|other

FOLDER holds `t.torrent`, the state, and the torrent's content below OLD or NEW. It says `go`, and `moved` when it is
all in NEW; `other` lets them be on different file systems.
"""

import asyncio
import os
import sys
from pathlib import Path

from bittern.session.session import Session
from bittern.session.settings import Settings
from tests.io.disk.elsewhere import refuse_to_cross


def say(line: str) -> None:
    """One line to whoever drives us."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def main(folder: Path, old: str, new: str) -> None:
    """Find it, go on with what was interrupted, move it."""
    async with Session(Settings(state_dir=folder / "state", listen=("127.0.0.1",), port=0)) as session:
        torrent = await session.add(folder / "t.torrent", folder / old)
        await torrent.completed()
        say("go")
        if torrent.path != folder / new / torrent.name:
            await torrent.move_to(folder / new)
        say("moved")


if __name__ == "__main__":
    if sys.argv[4] == "other":
        os.rename = refuse_to_cross  # type: ignore[assignment]  # takes what the module gives
    asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:4]))
