"""Real clients find each other by our tracker, over HTTP and UDP."""

import json
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
    words = ("tracker", "--json", "--listen", place.address, "--http-port", "0", "--udp-port", "0", "--stats", "all")
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
    place = request.getfixturevalue("private_place") if client.private else LOOPBACK
    content = make(tmp_path / "content", Kind.V1_SINGLE)
    with tracker(place, tmp_path) as urls:
        torrent = tmp_path / "a.torrent"
        torrent.write_bytes(torrent_of(content, Kind.V1_SINGLE, urls[scheme]))

        def figure(name: str) -> float:
            return figures(place, urls["http"])[name]

        with client.seed(torrent, content, place, folder(tmp_path, "seed")):
            assert wait_until(lambda: figure('peers{family="ipv4",role="seed"}') == 1, 30)
            into = Content(tmp_path / "leech" / "downloads", content.name)
            folder(tmp_path, "leech")
            into.folder.mkdir()
            require(Libtorrent().missing())
            with Libtorrent().get(str(torrent), into.folder, place, tmp_path / "leech") as peer:
                peer.wait_complete(60)
                assert wait_until(lambda: figure('peers{family="ipv4",role="seed"}') == 2, 20)
                peer.close()
            assert wait_until(lambda: figure('peers{family="ipv4",role="seed"}') == 1, 20)  # it has said good-bye
            assert content.differences(into.folder) == []
        assert figure(f'requests_total{{protocol="{scheme}",kind="announces"}}') >= 3
        assert figure(f'requests_total{{protocol="{scheme}",kind="refused"}}') == 0


def folder(parent: Path, name: str) -> Path:
    """An empty folder."""
    made = parent / name
    made.mkdir()
    return made
