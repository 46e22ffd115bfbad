"""`bittern get` as anybody runs it, with peers that only one transport reaches."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.interop.conftest import require
from tests.interop.rigs.bittern import Bittern
from tests.interop.rigs.client import Swarm
from tests.interop.rigs.content import Kind
from tests.interop.rigs.libtorrent import Libtorrent
from tests.interop.rigs.place import PRIVATE_ADDRESS, Place, missing_for_namespace, private_network
from tests.interop.rigs.tracker import serve

PORT = 6000
QUIET = ("--no-dht", "--no-lsd", "--no-pex", "--no-nat")
LISTEN = ("--listen", f"{PRIVATE_ADDRESS}:{PORT}")
PARTNER = Libtorrent(options=("--mixed", *LISTEN))
REFUSED = (f"tcp dport {PORT} reject with tcp reset",)
DROPPED = (f"tcp dport {PORT} drop", f"tcp sport {PORT} drop")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A network namespace of its own."""
    require(
        PARTNER.missing()
        or missing_for_namespace()
        or (None if shutil.which("nft") else "a router that drops needs `nft`")
    )
    with private_network(tmp_path) as there:
        yield there


@pytest.mark.parametrize(
    ("rules", "utp_peers", "seconds"),
    [((), 0, 0.5), (REFUSED, 1, 0.5), (DROPPED, 1, 1.5)],
    ids=["both", "TCP is refused", "TCP is dropped on the way"],
)
def test_whoever_can_be_reached_is_soon(
    place: Place, tmp_path: Path, rules: tuple[str, ...], utp_peers: int, seconds: float
) -> None:
    for rule in ("table ip way", "chain ip way out { type filter hook output priority 0 ; }", *rules):
        what = rule if rule.startswith(("table", "chain")) else f"rule ip way out {rule}"
        subprocess.run([*place.enter, "nft", "add", *what.split()], check=True)
    with serve(place.listen()) as tracker, Swarm(place, tracker, tmp_path, Kind.V1_SINGLE) as swarm:
        swarm.seed(PARTNER)
        options = ("--json", "--no-trackers", "--down-limit", "1M", "--peer", f"{place.address}:{PORT}")
        peer, into = swarm.get(replace(Bittern(), options=options, quiet=QUIET))
        peer.wait_complete(30)
        told = [json.loads(line) for line in peer.running.log.read_text().splitlines() if line.startswith("{")]
        progress = [each for each in told if each["event"] == "progress"]
        met = next(each for each in progress if each["peers"])
        assert met["utp_peers"] == utp_peers
        assert met["time"] - progress[0]["time"] < seconds + 1.1  # they are told of once a second
        assert swarm.content.differences(into.folder) == []
