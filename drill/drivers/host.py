"""A session with many torrents of one file each.

    python host.py STATE INTO CONTENT DOWN_LIMIT TORRENT...

Every second one is a download into INTO, the others are seeds of what is in CONTENT. Says `ready PORT`, then answers
each line of its input with one of JSON, and ends with its input.
"""

import asyncio
import json
import sys
from collections import Counter
from pathlib import Path

import bittern


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
    async with bittern.Session(settings) as session:
        for number, torrent in enumerate(torrents):
            seeds = bool(number % 2)
            await session.add(torrent, content if seeds else into, trust=seeds)
        print(f"ready {session.port}", flush=True)
        loop = asyncio.get_running_loop()
        while await loop.run_in_executor(None, sys.stdin.readline):
            began = loop.time()
            await asyncio.sleep(0)
            found = [torrent.status for torrent in session.torrents]
            tally = {
                "states": Counter(status.state.name for status in found),
                "peers": sum(status.peers for status in found),
                "done_bytes": sum(status.done_bytes for status in found),
                "turn_seconds": loop.time() - began,
            }
            print(json.dumps(tally), flush=True)


def main() -> None:
    """The command line."""
    state, into, content = map(Path, sys.argv[1:4])
    asyncio.run(host(state, into, content, float(sys.argv[4]), list(map(Path, sys.argv[5:]))))


if __name__ == "__main__":
    main()
