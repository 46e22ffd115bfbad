"""Show what a link leads to, and download the files named: python examples/choose_files.py MAGNET FOLDER NAME ..."""

import asyncio
import sys

import bittern


async def choose(link: str, folder: str, *names: str) -> None:
    """Fetch those files of the torrent that have one of these names."""
    async with bittern.Session() as session:
        torrent = await session.add(link, save_path=folder, metadata_only=True)
        await torrent.metadata()
        for file in torrent.files:
            print("/".join(file.path), file.length, "bytes", flush=True)
        torrent.select_files([number for number, file in enumerate(torrent.files) if file.path[-1] in names])
        await torrent.resume()
        await torrent.completed()


asyncio.run(choose(*sys.argv[1:]))
