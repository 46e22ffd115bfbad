"""Content, torrents and sessions for these tests: small, on 127.0.0.1, each with its own state."""

import asyncio
import socket
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bittern.codec.metainfo import Metainfo
from bittern.session.life import Life
from bittern.session.session import Session
from bittern.session.settings import Settings
from bittern.session.torrent import Torrent
from bittern.tools.create import CreateOptions, Version, create
from bittern.tools.scan import scan
from tests.interop.rigs.tracker import Tracker, serve

PIECE = 32768


def fill(path: Path, size: int, seed: int = 1) -> Path:
    """A file of repeatable noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(Random(seed).randbytes(size))
    return path


def torrent(path: Path, *trackers: str, version: Version = Version.V1, piece_size: int = PIECE) -> Metainfo:
    """The torrent of a file or folder."""
    tiers = tuple((url,) for url in trackers)
    return create(scan(path), CreateOptions(version=version, piece_size=piece_size, trackers=tiers)).metainfo


def write_torrent(content: Path, target: Path, *trackers: str) -> Metainfo:
    """A .torrent file for `content`."""
    tiers = tuple((url,) for url in trackers)
    made = create(scan(content), CreateOptions(version=Version.V1, piece_size=PIECE, trackers=tiers))
    target.write_bytes(made.data)
    return made.metainfo


def album(root: Path) -> Path:
    """A folder of files that share pieces, with an empty one."""
    fill(root / "one.bin", 100_000, 1)
    fill(root / "two" / "b.bin", 10, 2)
    fill(root / "two" / "c.bin", 70_001, 3)
    (root / "two" / "empty.txt").touch()
    return root


def settings(state: Path, **changes: Any) -> Settings:
    """A session of a test: local, saving often, with short good-byes."""
    given = {"listen": ("127.0.0.1",), "port": 0, "save_seconds": 0.1, "goodbye_seconds": 2.0, "seed": 1, **changes}
    return Settings(state_dir=state, **given)


def change_defaults(monkeypatch: pytest.MonkeyPatch, **changes: object) -> None:
    """Let settings that a program makes for itself differ from what users get."""
    defaults = Settings.__init__.__kwdefaults__
    assert defaults is not None
    for name, value in changes.items():
        assert name in defaults
        monkeypatch.setitem(defaults, name, value)


def life_of(session: Session, torrent: Torrent) -> Life:
    """What goes on inside a torrent that is awake."""
    life = session._entries[torrent.info_hash].life
    assert life is not None
    return life


@contextmanager
def tracking() -> Iterator[Tracker]:
    """A tracker on 127.0.0.1."""
    with socket.create_server(("127.0.0.1", 0)) as listening, serve(listening) as tracker:
        yield tracker


@contextmanager
def seeding(meta: Metainfo, folder: Path, state: Path, **changes: Any) -> Iterator[str]:
    """A seed in a thread of its own; where it listens."""
    ready, stop, address = threading.Event(), asyncio.Event(), list[str]()
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        async with Session(settings(state, **changes)) as session:
            await (await session.add(meta, folder)).completed()
            loops.append(asyncio.get_running_loop())
            address.append(f"127.0.0.1:{session.port}")
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(30)
        yield address[0]
    finally:
        loops[0].call_soon_threadsafe(stop.set)
        thread.join()


async def eventually(true: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until something is so; the test fails when it is not in time."""
    give_up_at = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < give_up_at, "it did not come to that"
        await asyncio.sleep(0.01)


async def most_in_a_turn(work: Callable[[], Awaitable[object]], count: int) -> int:
    """How many of `count` works, begun together, go on in one turn of the loop at most, which is busy meanwhile."""
    turn, turns = 0, list[int]()

    async def one() -> None:
        await work()
        turns.append(turn)

    works = [asyncio.ensure_future(one()) for _ in range(count)]
    while len(turns) < count:
        time.sleep(0.01)  # noqa: ASYNC251 - so that threads are done with all that they were given
        turn += 1
        await asyncio.sleep(0)
    await asyncio.gather(*works)
    return max(Counter(turns).values())
