"""Real clients find each other by our tracker, over HTTP and UDP."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.interop.conftest import require
from tests.interop.rigs.aria2 import Aria2
from tests.interop.rigs.bittern import Bittern
from tests.interop.rigs.client import Client
from tests.interop.rigs.content import Content, Kind, make, torrent_of
from tests.interop.rigs.libtorrent import Libtorrent
from tests.interop.rigs.place import LOOPBACK, Place
from tests.interop.rigs.process import Running, wait_until
from tests.interop.rigs.transmission import Transmission

SOURCE = Path(__file__).parents[2] / "src"


@contextmanager
def tracker(place: Place, folder: Path) -> Iterator[dict[str, str]]:
    """`bittern tracker` at a place: its announce URLs by scheme."""
    words = (
        "tracker",
        "--json",
        "--listen",
        place.address.strip("[]"),
        "--http-port",
        "0",
        "--udp-port",
        "0",
        "--stats",
        "all",
    )
    command = [*place.enter, sys.executable, "-m", "bittern", *words]
    environment = {"PYTHONPATH": str(SOURCE), "HOME": str(folder)}
    with Running(command, folder / "tracker.log", env=environment, talks=True) as running:
        urls = json.loads(running.read_line(20))["announce"]
        yield {url.partition(":")[0]: url for url in urls}


def figures(place: Place, url: str) -> dict[str, float]:
    """What its /metrics say, asked from where it is."""
    address = url.removesuffix("/announce") + "/metrics"
    if place.namespace is None:
        with urlopen(address, timeout=10) as answer:
            text = answer.read().decode()
    else:
        script = f"from urllib.request import urlopen; print(urlopen({address!r}, timeout=10).read().decode())"
        command = [*place.enter, sys.executable, "-c", script]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    lines = [line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#")]
    return {name.removeprefix("bittern_tracker_"): float(value) for name, _, value in lines}


ARIA2_UDP = Aria2(options=("--enable-dht=true",))
"""It asks UDP trackers by the socket of its DHT only; it knows no node to begin with."""


@pytest.mark.parametrize(
    ("client", "scheme"),
    [
        (Libtorrent(), "http"),
        (Libtorrent(), "udp"),
        (Aria2(), "http"),
        (ARIA2_UDP, "udp"),
        (Transmission(), "http"),
        (Transmission(), "udp"),
        (Bittern(), "http"),
        (Bittern(), "udp"),
    ],
    ids=str,
)
def test_a_download_finds_its_seed(client: Client, scheme: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """The seed is the client's, the leecher libtorrent's; all they know of each other comes from the tracker."""
    require(client.missing())
    require(Libtorrent().missing())
    place = request.getfixturevalue("private_place") if client.private else LOOPBACK
    meet(client, scheme, place, tmp_path)


@pytest.mark.parametrize("scheme", ["http", "udp"])
def test_a_download_finds_its_seed_by_ipv6(scheme: str, tmp_path: Path) -> None:
    require(Libtorrent().missing())
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        require("this machine has no IPv6")
    meet(Libtorrent(), scheme, Place("[::1]"), tmp_path, "ipv6")


def meet(client: Client, scheme: str, place: Place, work: Path, family: str = "ipv4") -> None:
    """A seed and a download that the tracker brings together, until the download has said good-bye."""
    content = make(work / "content", Kind.V1_SINGLE)
    with tracker(place, work) as urls:
        torrent = work / "a.torrent"
        torrent.write_bytes(torrent_of(content, Kind.V1_SINGLE, urls[scheme]))

        def figure(name: str) -> float:
            return figures(place, urls["http"])[name]

        def seeds() -> float:
            return figure(f'peers{{family="{family}",role="seed"}}')

        with client.seed(torrent, content, place, folder(work, "seed")):
            assert wait_until(lambda: seeds() == 1, 30)
            into = Content(folder(work, "leech") / "downloads", content.name)
            into.folder.mkdir()
            with Libtorrent().get(str(torrent), into.folder, place, work / "leech") as peer:
                peer.wait_complete(60)
                assert wait_until(lambda: seeds() == 2, 20)
                peer.close()
            assert wait_until(lambda: seeds() == 1, 20)
            assert content.differences(into.folder) == []
        assert figure(f'requests_total{{protocol="{scheme}",kind="announces"}}') >= 3
        assert figure(f'requests_total{{protocol="{scheme}",kind="refused"}}') == 0


def folder(parent: Path, name: str) -> Path:
    """An empty folder."""
    made = parent / name
    made.mkdir()
    return made
