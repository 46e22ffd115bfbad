"""Bound to a tunnel, nothing goes another way: not while it is there, not when it goes, not until it is back."""

import shutil
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.interop.conftest import require
from tests.interop.rigs.bittern import QUIET, Bittern
from tests.interop.rigs.client import Swarm
from tests.interop.rigs.content import Content, Kind, torrent_of
from tests.interop.rigs.node import NODE_PORT, dht_node
from tests.interop.rigs.place import missing_for_namespace
from tests.interop.rigs.process import Running, wait_until
from tests.interop.rigs.star import run_in
from tests.interop.rigs.tracker import serve
from tests.interop.rigs.tunnel import OURS, WORLD, Tunnel, tunnel
from tests.wire.test_dns import answer, record

GONE_SECONDS = 1.5
PORT = "34567"


@dataclass(frozen=True, slots=True)
class Scene:
    """A tunnel, and a swarm beyond it: a tracker, a node of the table, and a seed."""

    there: Tunnel
    swarm: Swarm
    folder: Path

    @contextmanager
    def ours(self, command: str, what: str, *options: str) -> Iterator[tuple[Running, Content]]:
        """Bittern in the machine, with all that speaks to others."""
        work = self.folder / f"ours{len(options)}"
        work.mkdir()
        home = {name: str(work) for name in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")}
        home |= {"BITTERN_NO_DHT": "0", "BITTERN_NO_NAT": "0", "BITTERN_DHT_ROUTER": f"{WORLD}:{NODE_PORT}"}
        words = [*self.there.ours.enter, sys.executable, "-m", "bittern", command, what, "--port", PORT, *options]
        with Running(words, work / "log.txt", env=home, cwd=work) as running:
            yield running, Content(work, self.swarm.content.name)

    def downloads(self, *options: str) -> None:
        """A whole torrent comes."""
        with self.ours("get", str(self.swarm.torrent), *options) as (running, content):
            assert running.wait(30) == 0, (content.folder / "log.txt").read_text()
            assert content.path.read_bytes() == self.swarm.content.path.read_bytes()


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    require(missing_for_namespace() or (None if shutil.which("nft") else "counting packets needs `nft`"))
    with ExitStack() as stack:
        there = stack.enter_context(tunnel(tmp_path))
        tracker = stack.enter_context(serve(there.world.listen()))
        stack.enter_context(dht_node(there.world, tmp_path))
        swarm = stack.enter_context(Swarm(there.world, tracker, tmp_path, Kind.V1_SINGLE))
        swarm.seed(Bittern(quiet=tuple(flag for flag in QUIET if flag != "--no-utp")))
        yield Scene(there, swarm, tmp_path)


@pytest.mark.parametrize(
    "flags",
    [("tun0",), (OURS,), ("tun0", "--no-tcp"), ("tun0", "--no-utp", "--encryption", "require")],
    ids=["name", "address", "uTP", "encrypted"],
)
def test_nothing_goes_another_way_than_by_the_interface(scene: Scene, flags: tuple[str, ...]) -> None:
    scene.downloads("--interface", *flags)
    assert scene.there.leaked() == 0
    scene.downloads()
    assert scene.there.leaked() > 0  # without a tie it would have


@contextmanager
def name_server(there: Tunnel) -> Iterator[list[bytes]]:
    """Beyond the tunnel: every name means the world; what it was asked."""
    asked: list[bytes] = []

    def make() -> socket.socket:
        sock = socket.socket(type=socket.SOCK_DGRAM)
        sock.bind((WORLD, 53))
        return sock

    def serve() -> None:
        while data := sock.recvfrom(1000):
            if data[0] == b"end":
                return
            asked.append(data[0])
            addresses = [record(1, socket.inet_aton(WORLD))] if data[0][-4:-2] == b"\0\1" else []
            sock.sendto(answer(*addresses, asked=data[0]), data[1])

    with there.world.open(make) as sock:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield asked
        finally:
            sock.sendto(b"end", (WORLD, 53))
            thread.join()


def test_names_are_asked_for_by_the_interface_too(scene: Scene) -> None:
    """The tracker has only a name, and nobody else tells of the seed."""
    tracker = scene.swarm.tracker.url.replace(WORLD, "tracker.test")
    by_name = scene.folder / "by-name.torrent"
    by_name.write_bytes(torrent_of(scene.swarm.content, Kind.V1_SINGLE, tracker))
    with name_server(scene.there) as asked:
        options = ("--interface", "tun0", "--dns", WORLD, "--no-dht")
        with scene.ours("get", str(by_name), *options) as (running, content):
            assert running.wait(30) == 0, (content.folder / "log.txt").read_text()
        assert any(b"tracker" in data for data in asked)
    assert scene.there.leaked() == 0


def change(there: Tunnel) -> None:
    run_in(there.ours, "ip addr add 10.96.2.77/25 dev tun0")
    run_in(there.ours, f"ip addr del {OURS}/24 dev tun0")
    run_in(there.ours, "ip route replace default via 10.96.2.1 dev tun0 metric 500")


def test_an_interface_that_gets_another_address_is_followed(scene: Scene) -> None:
    there = scene.there
    with scene.ours("get", str(scene.swarm.torrent), "--interface", "tun0", "--down-limit", "500k") as (
        running,
        content,
    ):
        log = content.folder / "log.txt"
        assert wait_until(lambda: "%" in log.read_text(), 20), log.read_text()
        change(there)
        assert running.wait(30) == 0, log.read_text()
        assert content.path.read_bytes() == scene.swarm.content.path.read_bytes()
    assert there.leaked() == 0


def drop(there: Tunnel) -> None:
    run_in(there.ours, f"ip addr del {OURS}/24 dev tun0")


@pytest.mark.parametrize(
    ("goes", "bound"),
    [(Tunnel.down, "tun0"), (drop, OURS)],
    ids=["interface", "address"],
)
def test_when_the_interface_goes_all_stops_until_it_is_back(
    scene: Scene, goes: Callable[[Tunnel], None], bound: str
) -> None:
    there = scene.there
    slow = ("--interface", bound, "--down-limit", "500k")
    with scene.ours("get", str(scene.swarm.torrent), *slow) as (running, content):
        log = content.folder / "log.txt"
        assert wait_until(lambda: "%" in log.read_text(), 20), log.read_text()
        goes(there)
        time.sleep(GONE_SECONDS)
        assert running.exit_code is None
        there.down()
        there.up()
        assert running.wait(30) == 0, log.read_text()
        assert content.path.read_bytes() == scene.swarm.content.path.read_bytes()
    assert there.leaked() == 0
