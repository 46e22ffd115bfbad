"""A session with many torrents of one file each.

    python host.py STATE INTO CONTENT DOWN_LIMIT TORRENT...

Every second one is a download into INTO, the others are seeds of what is in CONTENT. Says `ready PORT`, then answers
each line of its input with one of JSON, and ends with its input. How late the loop was, and how long Python's
collections of garbage took, are the most since the last answer.
"""

import asyncio
import gc
import json
import sys
import time
from collections import Counter
from pathlib import Path

import bittern

_TICK_SECONDS = 0.01


class Lateness:
    """How late the loop was, and how much of that were collections of garbage, which stop everything."""

    def __init__(self) -> None:
        self._late = self._collected = self._since = 0.0
        gc.callbacks.append(self._collects)

    async def watch(self) -> None:
        """For ever."""
        while True:
            begun = time.monotonic()
            await asyncio.sleep(_TICK_SECONDS)
            self._late = max(self._late, time.monotonic() - begun - _TICK_SECONDS)

    def take(self) -> dict[str, float]:
        """Seconds at most since the last call."""
        taken = {"late_seconds": self._late, "collection_seconds": self._collected}
        self._late = self._collected = 0.0
        return taken

    def _collects(self, phase: str, _info: object) -> None:
        if phase == "start":
            self._since = time.monotonic()
        else:
            self._collected = max(self._collected, time.monotonic() - self._since)


async def host(state: Path, into: Path, content: Path, down: float, torrents: list[Path]) -> None:
    """Add all, and stay."""
    settings = bittern.Settings(
        state_dir=state,
        keep_torrents=True,
        listen=("127.0.0.1",),
        port=0,
        max_connections=10_000,
        max_peers=200,
        down_bytes_per_second=down,
        use_lsd=False,
        utp=False,
        encryption_out="off",
    )
    lateness = Lateness()
    async with bittern.Session(settings) as session, asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(lateness.watch())
        for number, torrent in enumerate(torrents):
            seeds = bool(number % 2)
            await session.add(torrent, content if seeds else into, trust=seeds)
        print(f"ready {session.port}", flush=True)
        loop = asyncio.get_running_loop()
        while await loop.run_in_executor(None, sys.stdin.readline):
            found = [torrent.status for torrent in session.torrents]
            tally = {
                "states": Counter(status.state.name for status in found),
                "peers": sum(status.peers for status in found),
                "done_bytes": sum(status.done_bytes for status in found),
                **lateness.take(),
            }
            print(json.dumps(tally), flush=True)
        watching.cancel()


def main() -> None:
    """The command line."""
    state, into, content = map(Path, sys.argv[1:4])
    asyncio.run(host(state, into, content, float(sys.argv[4]), list(map(Path, sys.argv[5:]))))


if __name__ == "__main__":
    main()
