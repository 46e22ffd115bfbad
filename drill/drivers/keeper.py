"""A session that keeps its torrents: says `open`, or why not, and ends with its input.

python keeper.py STATE
"""

import asyncio
import sys
from pathlib import Path

import bittern


async def keep(state: Path) -> None:
    """Open, wait, close."""
    settings = bittern.Settings(
        state_dir=state, keep_torrents=True, listen=("127.0.0.1",), port=0, use_lsd=False, use_trackers=False
    )
    try:
        async with bittern.Session(settings):
            print("open", flush=True)
            await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    except bittern.BitternError as error:
        print(f"refused: {error}", flush=True)


if __name__ == "__main__":
    asyncio.run(keep(Path(sys.argv[1])))
