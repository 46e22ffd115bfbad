"""Real clients find each other by our tracker, over HTTP and UDP."""

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from tests.interop.conftest import require
from tests.interop.rigs.aria2 import Aria2
from tests.interop.rigs.bittern import Bittern
from tests.interop.rigs.client import Client, Peer
from tests.interop.rigs.content import Content, Kind, make, torrent_of
from tests.interop.rigs.libtorrent import Libtorrent
from tests.interop.rigs.place import LOOPBACK, Place
from tests.interop.rigs.process import Running, wait_until
from tests.interop.rigs.transmission import Transmission
from tests.interop.rigs.web import missing_nginx, nginx
from tests.interop.rigs.webtorrent import NPM_PACKAGES, Webtorrent, missing_npm_package

SOURCE = Path(__file__).parents[2] / "src"
BOTH = ("http", "udp")
DRIVER = Path(__file__).parent / "drivers" / "npm_announces.mjs"


@contextmanager
def tracker(place: Place, folder: Path, *more: str) -> Iterator[dict[str, str]]:
    """`bittern tracker` at a place: its announce URLs by scheme."""
    where = ("--listen", place.address.strip("[]"), "--http-port", "0", "--udp-port", "0")
    words = ("tracker", "--json", *where, "--stats", "all", *more)
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
        (Webtorrent(), "http"),
        (Webtorrent(), "udp"),
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


def _interrupt(peer: Peer) -> None:
    peer.running.interrupt()
    peer.running.wait(15)


ENDS: dict[str, Callable[[Peer], None]] = {
    "aria2": _interrupt,
    "bittern": lambda peer: peer.close(),
    "libtorrent": lambda peer: peer.close(),
}
"""How those end that tell a tracker in time: Debian's transmission has gone before its HTTP request is out."""

ARIA2_IPV6 = Aria2(options=("--disable-ipv6=false", "--interface=lo"))
TRANSMISSION_IPV6 = Transmission(settings=(("bind-address-ipv4", "0.0.0.0"), ("bind-address-ipv6", "::1")))


WAYS = [
    *(
        (client, scheme, "ipv4")
        for client in (Libtorrent(), ARIA2_UDP, Transmission(), Webtorrent())
        for scheme in BOTH
    ),
    *((client, scheme, "ipv6") for client in (Libtorrent(), Bittern()) for scheme in BOTH),
    # These ask UDP trackers by IPv4 only (Transmission until 4.1).
    *((client, "http", "ipv6") for client in (ARIA2_IPV6, TRANSMISSION_IPV6, Webtorrent())),
]


@pytest.mark.parametrize(("client", "scheme", "family"), WAYS, ids=str)
def test_clients_come_and_go(client: Client, scheme: str, family: str, tmp_path: Path, private_place: Place) -> None:
    """By both protocols and families, at a tracker of two workers: it counts a seed, and then none."""
    require(client.missing())
    content = make(tmp_path / "content", Kind.V1_SINGLE)
    where = private_place if family == "ipv4" else with_ipv6(private_place)
    with tracker(where, tmp_path, "--workers", "2") as urls:
        torrent = tmp_path / "a.torrent"
        torrent.write_bytes(torrent_of(content, Kind.V1_SINGLE, urls[scheme]))

        def seeds() -> float:
            return figures(where, urls["http"])[f'peers{{family="{family}",role="seed"}}']

        at = where if client.name == "libtorrent" else private_place
        with client.seed(torrent, content, at, folder(tmp_path, "seed")) as peer:
            assert wait_until(lambda: seeds() == 1, 30, every=0.2)
            if client.name in ENDS:
                ENDS[client.name](peer)
                assert wait_until(lambda: seeds() == 0, 20, every=0.2)
        found = figures(where, urls["http"])
        assert found[f'requests_total{{protocol="{scheme}",kind="announces"}}'] >= 1
        assert found[f'requests_total{{protocol="{scheme}",kind="refused"}}'] == 0


@pytest.mark.parametrize(
    ("scheme", "address"), [("http", "127.0.0.1"), ("udp", "127.0.0.1"), ("http", "[::1]")], ids=str
)
def test_the_client_of_npm_understands_it(scheme: str, address: str, tmp_path: Path) -> None:
    """Npm's bittorrent-tracker starts, completes, scrapes and stops."""
    require(missing_npm_package("bittorrent-tracker"))
    package = NPM_PACKAGES / "bittorrent-tracker"
    with tracker(Place(address), tmp_path) as urls:
        command = ["node", str(DRIVER), str(package), urls[scheme], "0123456789abcdef" * 2 + "01234567", "7000"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
        assert [json.loads(line) for line in done.stdout.splitlines()] == [
            {"seeds": 0, "leechers": 1},
            {"seeds": 1, "leechers": 0},
            {"complete": 1, "incomplete": 0, "downloaded": 1},
            {"seeds": 0, "leechers": 0},
        ]


def test_a_reverse_proxy_may_stand_before_it(tmp_path: Path) -> None:
    """As docs/guide/tracker.md says, clients of nginx are where they are, not taken for programs of this machine."""
    require(missing_nginx())
    with tracker(LOOPBACK, tmp_path, "--trust-proxy", "127.0.0.1") as urls:
        root = urls["http"].removesuffix("/announce")
        lines = f"proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_pass {root};"
        with nginx(tmp_path, tmp_path / "nginx", f"location / {{ {lines} }}") as url:
            client = HTTPConnection(urlsplit(url).netloc, timeout=10, source_address=("127.0.0.5", 0))
            with closing(client):
                words = "info_hash=" + "a" * 20 + "&peer_id=" + "b" * 20 + "&port=1"
                client.request("GET", f"/announce?{words}", headers={"X-Forwarded-For": "192.0.2.9"})
                assert b"11:external ip4:\x7f\0\0\5" in client.getresponse().read()


def with_ipv6(place: Place) -> Place:
    """The same namespace, by an IPv6 address that is not loopback: aria2 takes that for no IPv6 at all."""
    add = ("ip", "-6", "addr", "replace", "fd99::1/128", "dev", "lo", "nodad")
    subprocess.run([*place.enter, *add], check=True)
    return replace(place, address="[fd99::1]")


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
