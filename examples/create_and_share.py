"""Make a torrent of a file or folder and share it: python examples/create_and_share.py PATH [TRACKER_URL ...]."""

import asyncio
import contextlib
import sys
from pathlib import Path

import bittern
from bittern.tools.create import CreateOptions, create
from bittern.tools.scan import scan


async def share(path: Path, trackers: list[str]) -> None:
    """Make the torrent, share it, print the link to it."""
    made = create(scan(path), CreateOptions(trackers=tuple((url,) for url in trackers)))
    async with bittern.Session() as session:
        torrent = await session.add(made.metainfo, content=path, trust=True)
        await torrent.completed()
        print(f"{made.metainfo.to_magnet().to_uri()}&x.pe=127.0.0.1:{session.port}", flush=True)
        async for event in torrent.events():
            print(event, flush=True)


with contextlib.suppress(KeyboardInterrupt):
    asyncio.run(share(Path(sys.argv[1]), sys.argv[2:]))
