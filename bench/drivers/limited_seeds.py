"""Seeds of one torrent, each a session of its own with a limit of its own.

    python limited_seeds.py TORRENT FOLDER [LEVEL:RATE ...]

It says `ready PORT PORT ...`, one port for each LEVEL:RATE, which is how fast that seed may upload in bytes per
second; `none:0` has no limit. The end of its input ends it.
"""

import asyncio
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

import bittern

SETTINGS = {"listen": ("127.0.0.1",), "port": 0, "use_trackers": False}


def limit(session: bittern.Session, torrent: bittern.Torrent, level: str, **rate: float) -> None:
    """Set the limit of one level of the tree: `down=` or `up=` bytes per second."""
    if level == "session":
        session.set_limits(**rate)
    elif level == "group":
        session.group("some", **rate)
        torrent.join("some")
    elif level == "torrent":
        torrent.set_limits(**rate)
    elif level == "peer":
        torrent.set_limits(**{f"peer_{way}": value for way, value in rate.items()})


async def run(source: str, folder: str, limits: list[str], state: str) -> None:
    """Seed until standard input ends."""
    meta = bittern.Metainfo.load(source)
    async with AsyncExitStack() as stack:
        ports = []
        for number, given in enumerate(limits):
            level, _, rate = given.partition(":")
            settings = bittern.Settings(state_dir=Path(state) / str(number), **SETTINGS)  # type: ignore[arg-type]  # of many types
            session = await stack.enter_async_context(bittern.Session(settings))
            torrent = await session.add(meta, save_path=folder, trust=True)
            await torrent.completed()
            limit(session, torrent, level, up=float(rate) or float("inf"))
            ports.append(str(session.port))
        print("ready", *ports, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def main() -> None:
    """The command line, with state that is gone afterwards."""
    source, folder, *limits = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="bittern-state-", dir=Path(source).parent) as state:
        asyncio.run(run(source, folder, limits, state))


if __name__ == "__main__":
    main()
