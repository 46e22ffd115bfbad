"""Encryption against other clients: each pair of policies comes about, or does not, and as it should.

Whole transfers, encrypted and not, are among the ways of test_ways.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Literal

import pytest

from bittern.base.address import Address
from bittern.session.events import PeerDropped, PeerJoined
from bittern.session.session import Session
from bittern.session.settings import Settings
from bittern.session.torrent import Torrent
from tests.interop.conftest import require
from tests.interop.rigs.aria2 import Aria2
from tests.interop.rigs.content import Content, Kind, torrent_of
from tests.interop.rigs.libtorrent import Libtorrent, LibtorrentPeer
from tests.interop.rigs.place import LOOPBACK, missing_for_namespace
from tests.interop.rigs.process import wait_until
from tests.interop.rigs.tracker import serve
from tests.interop.rigs.transmission import Transmission
from tests.interop.rigs.ways import WAYS, Sessions, Way, network_of_ways, sessions

V4_WAYS = tuple(way for way in WAYS if not way.ipv6)[:3]
Table = Mapping[str, tuple[str, ...]]
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
ARIA2 = {"default": (), "require": ("--bt-require-crypto=true", "--bt-min-crypto-level=arc4")}
TRANSMISSION = {"tolerated": 0, "preferred": 1, "required": 2}

# How bittern reaches others: aria2 takes the plain method where it may, Transmission what it is set to like better.
WE_DIAL_ARIA2 = {"default": (PLAIN, PLAIN, RC4), "require": (NO, RC4, RC4)}
WE_DIAL_TRANSMISSION = {"tolerated": (PLAIN, PLAIN, RC4), "preferred": (PLAIN, RC4, RC4), "required": (NO, RC4, RC4)}
# And how it is reached by them: Transmission encrypts nothing by itself where it only tolerates that.
ARIA2_DIALS = {"default": (PLAIN, RC4, RC4), "require": (NO, RC4, RC4)}
TRANSMISSION_DIALS = {"tolerated": (PLAIN, PLAIN, NO), "preferred": (PLAIN, RC4, RC4), "required": (NO, RC4, RC4)}
SECONDS = 20.0
REST_SECONDS = 0.5


@pytest.fixture
def torrents(tmp_path: Path) -> dict[str, Path]:
    """One for each policy of libtorrent's. Nobody has their content: their peers shake hands, and no more."""
    require(Libtorrent().missing())
    return make_torrents(tmp_path, THEIRS)


def make_torrents(folder: Path, names: Iterable[str], tracker: str = "http://127.0.0.1:1/announce") -> dict[str, Path]:
    """One for each name."""
    paths = {}
    for number, name in enumerate(names):
        paths[name] = folder / f"{name}.torrent"
        content = Content(folder, "content")
        content.path.write_bytes(b"%d" % number)
        paths[name].write_bytes(torrent_of(content, Kind.V1_SINGLE, tracker))
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
        every = [Ours(policy, next(iter(torrents.values())).parent) for policy in OURS]
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


def table(every: Sequence[Ours], names: Iterable[str]) -> Table:
    return {name: tuple(ours.came.get(name, NO) for ours in every) for name in names}


async def test_we_reach_libtorrent_as_both_sides_allow(torrents: dict[str, Path]) -> None:
    with libtorrents(torrents) as theirs:
        async with opened(torrents, {name: f"127.0.0.1:{peer.port}" for name, peer in theirs.items()}) as every:
            await until(every, lambda ours: len(ours.came), len(OURS) * len(THEIRS))
            assert table(every, THEIRS) == WE_DIAL


async def test_libtorrent_reaches_us_as_both_sides_allow(torrents: dict[str, Path]) -> None:
    """All dial at the same time: when those are in that get in, the others have been turned away."""
    async with opened(torrents, {}) as every:
        with libtorrents(torrents, *(f"127.0.0.1:{ours.session.port}" for ours in every)):
            await until(every, lambda ours: sum(came != NO for came in ours.came.values()), connections(THEY_DIAL))
            await asyncio.sleep(REST_SECONDS)
            assert table(every, THEIRS) == THEY_DIAL


@contextmanager
def aria2s(torrents: dict[str, Path]) -> Iterator[dict[str, str]]:
    """One with each policy, each in a swarm of its own; where they listen."""
    require(Aria2().missing())
    with ExitStack() as stack:
        peers = {}
        for name, options in ARIA2.items():
            work = torrents[name].parent / f"aria2 {name}"
            work.mkdir()
            peer = stack.enter_context(Aria2(options=options).get(str(torrents[name]), work, LOOPBACK, work))
            assert wait_until(partial(listens, LOOPBACK.address, peer.port), SECONDS)
            peers[name] = f"{LOOPBACK.address}:{peer.port}"
        yield peers


def listens(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), 1.0):
            return True
    except OSError:
        return False


async def test_we_reach_aria2_as_both_sides_allow(tmp_path: Path) -> None:
    torrents = make_torrents(tmp_path, ARIA2)
    with aria2s(torrents) as peers:
        async with opened(torrents, peers) as every:
            await until(every, lambda ours: len(ours.came), len(OURS) * len(ARIA2))
            assert table(every, ARIA2) == WE_DIAL_ARIA2


async def test_aria2_reaches_us_as_both_sides_allow(tmp_path: Path) -> None:
    with serve(LOOPBACK.listen()) as tracker:
        torrents = make_torrents(tmp_path, ARIA2, tracker.url)
        async with opened(torrents, {}) as every:
            tracker.named = tuple(Address(LOOPBACK.address, ours.session.port or 0) for ours in every)
            with aria2s(torrents):
                await until(every, lambda ours: len(ours.came), connections(ARIA2_DIALS))
                await asyncio.sleep(REST_SECONDS)
                assert table(every, ARIA2) == ARIA2_DIALS


def connections(wanted: Table) -> int:
    """That come about."""
    return sum(how != NO for row in wanted.values() for how in row)


@contextmanager
def beside_transmissions(folder: Path, *, we_dial: bool) -> Iterator[dict[str, Sessions]]:
    """For each of its policies one of it, and a session with each of ours, that can meet.

    It knows a peer by its address: each session has one of its own, in a network of theirs.
    """
    require(Transmission().missing() or missing_for_namespace())
    with network_of_ways(folder) as place, ExitStack() as stack:
        running = {}
        for name, number in TRANSMISSION.items():
            work = folder / f"transmission {name}"
            work.mkdir()
            tracker = stack.enter_context(serve(place.listen()))
            path = str(make_torrents(folder, [name], tracker.url)[name])
            theirs = Transmission(settings=(("encryption", number),)).get(path, work, place, work)
            dialed = [str(Address(place.address, stack.enter_context(theirs).port))] if we_dial else []
            plans = {
                way: {
                    "torrent": path,
                    "folder": str(work / policy),
                    "peers": dialed,
                    "encryption": policy,
                    "utp": False,
                }
                for way, policy in zip(V4_WAYS, OURS, strict=True)
            }
            running[name] = stack.enter_context(sessions(place, folder / f"bittern {name}", plans))
            if not we_dial:
                assert wait_until(partial(all_listen, running[name]), SECONDS)
                tracker.named = tuple(Address(way.address, running[name].ports[way]) for way in plans)
                stack.enter_context(theirs)
        yield running


def all_listen(ours: Sessions) -> bool:
    ours.wait_silent()
    return len(ours.ports) == len(OURS)


@pytest.mark.parametrize(("we_dial", "wanted"), [(True, WE_DIAL_TRANSMISSION), (False, TRANSMISSION_DIALS)])
def test_transmission_and_we_reach_each_other_as_both_sides_allow(
    tmp_path: Path,
    we_dial: bool,  # noqa: FBT001 - a parameter
    wanted: Table,
) -> None:
    with beside_transmissions(tmp_path, we_dial=we_dial) as running:

        def came() -> Table:
            for ours in running.values():
                ours.wait_silent()
            return {name: tuple(how(ours, way) for way in V4_WAYS) for name, ours in running.items()}

        wait_until(lambda: connections(came()) >= connections(wanted), SECONDS)
        assert came() == wanted


def how(ours: Sessions, way: Way) -> str:
    """The peer of a session came."""
    return next((RC4 if encrypted else PLAIN for _, encrypted in ours.joined[way]), NO)
