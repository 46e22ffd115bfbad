"""Share files until Ctrl-C, and say who comes: python examples/seed.py TORRENT FOLDER."""

import asyncio
import contextlib
import sys

import bittern


async def seed(torrent_file: str, folder: str) -> None:
    """Seed what is in `folder`."""
    async with bittern.Session(bittern.Settings(save_path=folder)) as session:
        torrent = await session.add(torrent_file)
        await torrent.completed()
        print("seeding on port", session.port, flush=True)
        async for event in torrent.events(bittern.events.PeerJoined, bittern.events.PeerDropped):
            print(event, flush=True)


with contextlib.suppress(KeyboardInterrupt):
    asyncio.run(seed(*sys.argv[1:]))
