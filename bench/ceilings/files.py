"""A torrent of 100,000 files: made, read, added, checked, downloaded in part and whole, moved, removed."""

import asyncio
import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random

import bittern

from .meter import Meter
from .rooms import open_session, reached, watched

FILES = 100_000
SHORT = 3000
LENGTH = 1000
A_FOLDER = 1000
SOME = 50
"""One in so many files is selected first."""


def make(folder: Path, files: int) -> None:
    """The files, small ones, and a hybrid torrent of them."""
    rng = Random(1)
    for number in range(files):
        inner = folder / "whole" / "many" / f"{number // A_FOLDER:03}"
        if number % A_FOLDER == 0:
            inner.mkdir(parents=True)
        (inner / f"{number:06}.bin").write_bytes(rng.randbytes(LENGTH))


def create(folder: Path) -> None:
    """Create the torrent, as a user does."""
    source, target = str(folder / "whole" / "many"), str(folder / "many.torrent")
    given = ["--v1", "--piece-size", "16k", "-o", target]
    subprocess.run([sys.executable, "-m", "bittern", "create", source, *given], check=True, stdout=subprocess.PIPE)


async def play(meter: Meter, folder: Path, files: int) -> None:
    """All steps that need a session."""
    with meter.step("read the .torrent file"):
        torrent = bittern.Metainfo.load(folder / "many.torrent")
    async with watched(meter), AsyncExitStack() as stack:
        session = await stack.enter_async_context(open_session(folder / "seed"))
        with meter.step("add and check it"):
            seed = await session.add(torrent, folder / "whole")
            await seed.completed()
        async with open_session(folder / "leech") as leech:
            with meter.step("fetch one file in 50"):
                chosen = range(0, files, SOME)
                there = f"127.0.0.1:{session.port}"
                got = await leech.add(torrent, folder / "out", select=chosen, peers=[there])
                await got.completed()
            with meter.step("select half of them, and all of them"):
                got.select_files(range(files // 2))
                got.select_files(None)
            with meter.step("fetch the others"):
                await got.completed()
            with meter.step("move it"):
                await got.move_to(folder / "moved")
        with meter.step("start again"):
            leech = await stack.enter_async_context(open_session(folder / "leech"))
            (got,) = leech.torrents
            await reached(lambda: got.status.state is bittern.State.SEEDING)
        with meter.step("remove it with its files"):
            await leech.remove(got, delete_data=True)
    assert not any((folder / "moved").iterdir())


def run(meter: Meter, folder: Path, *, short: bool) -> None:
    """All steps."""
    files = SHORT if short else FILES
    make(folder, files)
    with meter.step("create the torrent (another process)"):
        create(folder)
    asyncio.run(play(meter, folder, files))
