"""bittern sessions beside each other, each of which can be reached, and reaches others, in one way only.

    python bittern_ways.py PLAN.json

The plan is a list; each entry has `way` (its name), `torrent`, `folder`, `address`, `utp`, `encryption`, `state` and
maybe `peer`. Each session says lines of JSON: where it listens, with whom it is connected and how, that it is
complete. The end of standard input ends them all.
"""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import bittern


def say(way: str, **what: object) -> None:
    """One line to whoever drives us."""
    sys.stdout.write(json.dumps({"way": way, **what}) + "\n")
    sys.stdout.flush()


async def run(plan: dict[str, Any]) -> None:
    """One session, until it is cancelled."""
    settings = bittern.Settings(
        save_path=plan["folder"],
        state_dir=plan["state"],
        listen=(plan["address"],),
        source=plan["address"],
        port=0,
        tcp=not plan["utp"],
        utp=plan["utp"],
        encryption_in=plan["encryption"],
        encryption_out=plan["encryption"],
        dht=False,
        use_pex=False,
        use_lsd=False,
        use_trackers=False,
    )
    async with bittern.Session(settings) as session, asyncio.TaskGroup() as group:
        torrent = await session.add(plan["torrent"], peers=plan["peers"])
        say(plan["way"], event="listening", port=session.port)
        group.create_task(tell(plan["way"], torrent))
        await torrent.completed()
        say(plan["way"], event="complete")


async def tell(way: str, torrent: bittern.Torrent) -> None:
    """Say how peers come."""
    async for event in torrent.events(bittern.events.PeerJoined):
        if isinstance(event, bittern.events.PeerJoined):
            say(way, event="joined", transport=event.transport.value, encrypted=event.encrypted)


async def main(plans: list[dict[str, Any]]) -> None:
    """All sessions."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(0, lambda: ended.set() if not os.read(0, 1) else None)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(run(plan)) for plan in plans]
        await ended.wait()
        for task in tasks:
            task.cancel()


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text())))
