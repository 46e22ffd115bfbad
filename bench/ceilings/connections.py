"""2,000 connections to one seed: they come, stay, another peer is served meanwhile, and go."""

import asyncio
import resource
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import bittern
from bench import workload

from .meter import MIB, Meter
from .rooms import open_session, reached, watched

PEERS = 2000
SHORT = 100
SECONDS, SHORT_SECONDS = 20.0, 1.0
"""While nothing happens."""
SIZE = 64 * MIB


async def play(meter: Meter, folder: Path, work: workload.Workload, peers: int, seconds: float) -> None:
    """All steps."""
    torrent = bittern.Metainfo.load(work.torrent)
    async with watched(meter), AsyncExitStack() as stack:
        many = {"max_peers": peers + 50, "max_connections": peers + 50}
        session = await stack.enter_async_context(open_session(folder / "seed", **many))
        seed = await session.add(torrent, work.folder)
        await seed.completed()
        with meter.step("nobody is there"):
            await asyncio.sleep(seconds)
        given = [str(session.port), torrent.info.wire_hash.hex(), str(peers)]
        with meter.step("they come"):
            crowd = await asyncio.create_subprocess_exec(
                *[sys.executable, "-m", "bench.ceilings.crowd", *given],
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
            assert crowd.stdin is not None
            assert crowd.stdout is not None
            assert await crowd.stdout.readline() == b"ready\n"
            await reached(lambda: len(seed.peers) == peers)
        with meter.step("they stay"):
            await asyncio.sleep(seconds)
        with meter.step("one more downloads 64 MiB"):
            leech = await stack.enter_async_context(open_session(folder / "leech"))
            got = await leech.add(torrent, folder / "out", peers=[f"127.0.0.1:{session.port}"])
            await got.completed()
        crowd.stdin.write(b"who\n")
        assert int(await crowd.stdout.readline()) == peers
        with meter.step("they go"):
            await leech.close()
            crowd.stdin.close()
            await crowd.wait()
            await reached(lambda: not seed.peers)


def run(meter: Meter, folder: Path, *, short: bool) -> None:
    """All steps."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    peers, seconds = (SHORT, SHORT_SECONDS) if short else (PEERS, SECONDS)
    with workload.single_file(folder, SIZE) as work:
        asyncio.run(play(meter, folder, work, peers, seconds))
