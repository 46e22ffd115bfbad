"""A bittern client with many torrents, for benches.

    python bittern_many.py fill|run STATE TORRENTS

TORRENTS holds .torrent files and, in `content`, what they are of. `fill` adds them all, waits until they seed and
ends. `run` starts again on the same STATE, says `ready SECONDS` when as many torrents seed as there are (from the
first line of this program's main), and ends with its input.
"""

import asyncio
import sys
import time
from pathlib import Path

import bittern


def settings(state: Path) -> bittern.Settings:
    """Torrents that are there again, asleep as soon as they can be."""
    return bittern.Settings(state_dir=state, listen=("127.0.0.1",), port=0, keep_torrents=True, sleep_seconds=0.0)


async def fill(state: Path, content: Path, files: list[Path]) -> None:
    """Add everything."""
    async with bittern.Session(settings(state)) as session:
        for file in files:
            torrent = await session.add(file, content, trust=True)
            await torrent.completed()
    print(f"ready {len(files)}", flush=True)


async def run(state: Path, began: float) -> None:
    """Start again, and stay."""
    async with bittern.Session(settings(state)) as session:
        running = sum(torrent.status.state is bittern.State.SEEDING for torrent in session.torrents)
        print(f"ready {time.monotonic() - began!r} {running} {session.port}", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def main() -> None:
    """The command line."""
    began = time.monotonic()
    role, state, torrents = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    if role == "fill":
        asyncio.run(fill(state, torrents / "content", sorted(torrents.glob("*.torrent"))))
    else:
        asyncio.run(run(state, began))


if __name__ == "__main__":
    main()
