"""A session that moves a torrent's files: something to be killed in the middle of that, in a process of its own.

python mover.py FOLDER OLD NEW same|other

FOLDER holds `t.torrent`, the state, and the torrent's content below OLD or NEW. It says `go`, and `moved` when it is
all in NEW; `other` lets them be on different file systems.
"""

import asyncio
import errno
import os
import sys
from pathlib import Path

from bittern.session.session import Session
from bittern.session.settings import Settings

_rename = os.rename


def _elsewhere(source: str, target: str) -> None:
    if os.path.dirname(source) != os.path.dirname(target):  # noqa: PTH120 - as the module that calls it has them
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), source)
    _rename(source, target)


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
        if torrent.path.parent != folder / new:
            await torrent.move_to(folder / new)
        say("moved")


if __name__ == "__main__":
    if sys.argv[4] == "other":
        os.rename = _elsewhere  # type: ignore[assignment]  # takes what the module gives
    asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:4]))
