"""Two peers behind real routers and a third that both know (BEP 55): bittern and libtorrent in each role."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bittern.base.address import Address
from tests.interop.conftest import require
from tests.interop.rigs.bittern import Bittern
from tests.interop.rigs.client import Peer
from tests.interop.rigs.content import Content, Kind, make, torrent_of
from tests.interop.rigs.libtorrent import Libtorrent
from tests.interop.rigs.place import Place, missing_for_namespace
from tests.interop.rigs.process import RigError, wait_until
from tests.interop.rigs.router import behind
from tests.interop.rigs.star import Link, star

BITTERN = Bittern(quiet=("--no-dht", "--no-lsd", "--no-nat", "--no-tcp"))
DEFAULT = replace(BITTERN, name="bittern over TCP and uTP", quiet=BITTERN.quiet[:-1])
LIBTORRENT = Libtorrent(options=("--utp",))
SLOW = dict.fromkeys((BITTERN.name, DEFAULT.name), ("--down-limit", "1k")) | {"libtorrent": ("--down-limit", "1000")}
"""Who stands between is not to have a piece to give."""
TIMEOUT_SECONDS = 100
"""Of who comes just after it has told of others, libtorrent tells a minute later."""

Rig = Bittern | Libtorrent


@contextmanager
def running(
    role: str, client: Rig, place: Place, torrent: Path, content: Content, work: Path, peer: Address | None = None
) -> Iterator[Peer]:
    """A client that seeds or gets, with a peer to begin with."""
    work.mkdir()
    if peer is not None:
        client = replace(client, options=(*client.options, "--peer", str(peer)))
    if role == "seed":
        with client.seed(torrent, content, place, work) as seed:
            yield seed
    else:
        (work / "downloads").mkdir()
        with client.get(str(torrent), work / "downloads", place, work) as leecher:
            yield leecher


def takes_datagrams(place: Place, port: int) -> bool:
    """Whether something has the UDP port in a place."""
    return f":{port:04X} " in Path(f"/proc/{place.namespace}/net/udp").read_text()


@contextmanager
def brought_together(folder: Path, between: Rig, seed: Rig, leecher: Rig) -> Iterator[tuple[Peer, Content]]:
    """The leecher, and what it should have below `folder` in the end: a seed and it are behind routers, one is not."""
    require(missing_for_namespace())
    require(None if shutil.which("nft") else "routers need `nft`")
    require(LIBTORRENT.missing())
    content = make(folder / "content", Kind.V1_SINGLE)
    torrent = folder / "single.torrent"
    torrent.write_bytes(torrent_of(content, Kind.V1_SINGLE, ""))
    with ExitStack() as stack:
        network = stack.enter_context(star(folder, [Link()] * 3))
        left = stack.enter_context(behind(network.hosts[0], folder / "left.log"))
        right = stack.enter_context(behind(network.hosts[1], folder / "right.log"))
        middle = network.hosts[2]
        slow = replace(between, options=(*between.options, *SLOW[between.name]))
        third = stack.enter_context(running("get", slow, middle, torrent, content, folder / "between"))
        meeting = Address(middle.address, third.port)
        wait_until(lambda: takes_datagrams(middle, third.port), timeout=20)
        stack.enter_context(running("seed", seed, left, torrent, content, folder / "seed", meeting))
        last = stack.enter_context(running("get", leecher, right, torrent, content, folder / "leecher", meeting))
        yield last, content


@pytest.mark.parametrize(
    ("between", "seed", "leecher"),
    [
        (BITTERN, BITTERN, BITTERN),
        (DEFAULT, DEFAULT, DEFAULT),
        (LIBTORRENT, BITTERN, BITTERN),
        (BITTERN, LIBTORRENT, BITTERN),
        (BITTERN, BITTERN, LIBTORRENT),
    ],
    ids=lambda client: client.name,
)
def test_two_behind_routers_are_brought_together(tmp_path: Path, between: Rig, seed: Rig, leecher: Rig) -> None:
    with brought_together(tmp_path, between, seed, leecher) as (last, content):
        last.wait_complete(TIMEOUT_SECONDS)
        assert content.differences(tmp_path / "leecher" / "downloads") == []


def test_nobody_comes_through_a_router_without_the_one_between(tmp_path: Path) -> None:
    """Else the routers above would be none."""
    silent = replace(BITTERN, quiet=(*BITTERN.quiet, "--no-pex"))
    with brought_together(tmp_path, silent, BITTERN, BITTERN) as (last, _), pytest.raises(RigError):
        last.wait_complete(7)
