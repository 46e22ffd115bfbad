"""Encryption against libtorrent: each pair of policies comes about, or does not, and as it should.

What other clients do with it is among the ways of test_ways.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Literal

import pytest

from bittern.session.events import PeerDropped, PeerJoined
from bittern.session.session import Session
from bittern.session.settings import Settings
from bittern.session.torrent import Torrent
from tests.interop.conftest import require
from tests.interop.rigs.content import Content, Kind, torrent_of
from tests.interop.rigs.libtorrent import Libtorrent, LibtorrentPeer
from tests.interop.rigs.place import LOOPBACK

RC4, PLAIN, NO = "encrypted", "not encrypted", "not at all"
OURS: tuple[Literal["off", "prefer", "require"], ...] = ("off", "prefer", "require")
THEIRS = {
    "off": ("--encryption", "off"),
    "prefer": ("--encryption", "prefer"),
    "require RC4": ("--encryption", "require", "--method", "rc4"),
    "require, then plain": ("--encryption", "require", "--method", "plain"),
}

# How bittern reaches libtorrent, in the order of OURS. Where both methods are offered, libtorrent takes the plain one.
WE_DIAL = {
    "off": (PLAIN, PLAIN, NO),
    "prefer": (PLAIN, PLAIN, RC4),
    "require RC4": (NO, RC4, RC4),
    "require, then plain": (NO, PLAIN, NO),
}
# And how it is reached by it.
THEY_DIAL = {
    "off": (PLAIN, PLAIN, NO),
    "prefer": (PLAIN, RC4, RC4),
    "require RC4": (NO, RC4, RC4),
    "require, then plain": (NO, PLAIN, NO),
}
SECONDS = 20.0
REST_SECONDS = 0.5


@pytest.fixture
def torrents(tmp_path: Path) -> dict[str, Path]:
    """One for each policy of libtorrent's. Nobody has their content: their peers shake hands, and no more."""
    require(Libtorrent().missing())
    paths = {}
    for number, name in enumerate(THEIRS):
        paths[name] = tmp_path / f"{name}.torrent"
        content = Content(tmp_path, "content")
        content.path.write_bytes(b"%d" % number)
        paths[name].write_bytes(torrent_of(content, Kind.V1_SINGLE, "http://127.0.0.1:1/announce"))
    return paths


@contextmanager
def libtorrents(torrents: dict[str, Path], *peers: str) -> Iterator[dict[str, LibtorrentPeer]]:
    """One with each policy, each in a swarm of its own, and with these peers."""
    with ExitStack() as stack:
        running = {}
        for name, policy in THEIRS.items():
            work = torrents[name].parent / f"libtorrent {name}"
            work.mkdir()
            client = Libtorrent(options=(*policy, *(word for peer in peers for word in ("--peer", peer))))
            running[name] = stack.enter_context(client.get(str(torrents[name]), work, LOOPBACK, work))
        yield running


class Ours:
    """A session with one policy, and what becomes of its connections in each swarm."""

    def __init__(self, policy: Literal["off", "prefer", "require"], folder: Path) -> None:
        self.session = Session(
            Settings(
                state_dir=folder / f"bittern {policy}",
                save_path=folder / f"bittern {policy}",
                listen=("127.0.0.1",),
                port=0,
                encryption_in=policy,
                encryption_out=policy,
                use_trackers=False,
                use_pex=False,
                use_lsd=False,
            )
        )
        self.came: dict[str, str] = {}

    async def watch(self, name: str, torrent: Torrent) -> None:
        """Write down how the peer of a swarm came, or that it was given up."""
        async for event in torrent.events(PeerJoined, PeerDropped):
            if isinstance(event, PeerJoined):
                self.came[name] = RC4 if event.encrypted else PLAIN
            else:
                self.came.setdefault(name, NO)


@asynccontextmanager
async def opened(torrents: dict[str, Path], peers: Mapping[str, str]) -> AsyncIterator[list[Ours]]:
    """A session with each policy, in all swarms; those are the peers."""
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        every = [Ours(policy, torrents["off"].parent) for policy in OURS]
        tasks = []
        for ours in every:
            await stack.enter_async_context(ours.session)
            for name, path in torrents.items():
                torrent = await ours.session.add(path, peers=[peers[name]] if name in peers else ())
                tasks.append(group.create_task(ours.watch(name, torrent)))
        yield every
        for task in tasks:
            task.cancel()


async def until(every: Sequence[Ours], came: Callable[[Ours], int], wanted: int) -> None:
    """Wait for so many connections."""
    async with asyncio.timeout(SECONDS):
        while sum(came(ours) for ours in every) < wanted:  # noqa: ASYNC110 - several sessions tell
            await asyncio.sleep(0.02)


def table(every: Sequence[Ours]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(ours.came.get(name, NO) for ours in every) for name in THEIRS}


async def test_we_reach_libtorrent_as_both_sides_allow(torrents: dict[str, Path]) -> None:
    with libtorrents(torrents) as theirs:
        async with opened(torrents, {name: f"127.0.0.1:{peer.port}" for name, peer in theirs.items()}) as every:
            await until(every, lambda ours: len(ours.came), len(OURS) * len(THEIRS))
            assert table(every) == WE_DIAL


async def test_libtorrent_reaches_us_as_both_sides_allow(torrents: dict[str, Path]) -> None:
    """All dial at the same time: when those are in that get in, the others have been turned away."""
    async with opened(torrents, {}) as every:
        with libtorrents(torrents, *(f"127.0.0.1:{ours.session.port}" for ours in every)):
            wanted = sum(how != NO for row in THEY_DIAL.values() for how in row)
            await until(every, lambda ours: sum(how != NO for how in ours.came.values()), wanted)
            await asyncio.sleep(REST_SECONDS)
            assert table(every) == THEY_DIAL
