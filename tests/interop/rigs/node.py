"""Nodes of the distributed hash table for others to begin with."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.interop.rigs.place import Place
from tests.interop.rigs.process import Running, wait_until

NODE_PORT = 6969
DRIVER = Path(__file__).parents[1] / "drivers" / "dht_nodes.py"


@contextmanager
def dht_node(place: Place, folder: Path) -> Iterator[str]:
    """`bittern dht node` at `NODE_PORT` of a place, which knows nobody; its HOST:PORT."""
    address = f"{place.address}:{NODE_PORT}"
    command = [*place.enter, sys.executable, "-m", "bittern", "dht", "node", "--listen", place.address]
    with Running([*command, "--port", str(NODE_PORT), "--dht-router", address], folder / "node.log"):
        assert wait_until(lambda: "node on UDP port" in (folder / "node.log").read_text(), 20)
        yield address


@dataclass(frozen=True, slots=True)
class Nodes:
    """Nodes that have found each other; `address` is HOST:PORT of the first."""

    address: str
    running: Running

    def wait_told(self, info_hash: str, timeout: float) -> None:
        """Until they tell of a peer of a torrent, by 40 hexadecimal digits; RigError when they do not in time."""
        if not wait_until(lambda: self._peers(info_hash) != [], timeout, every=0.5):
            raise self.running.failure(f"nobody announced {info_hash}")

    def _peers(self, info_hash: str) -> list[str]:
        self.running.say(f"find {info_hash}")
        return self.running.read_line(30).split()[1:]


@contextmanager
def dht_nodes(place: Place, folder: Path, count: int) -> Iterator[Nodes]:
    """So many nodes that find each other."""
    command = [*place.enter, sys.executable, str(DRIVER), place.address, str(count)]
    with Running(command, folder / "nodes.log", talks=True) as running:
        word, first, *_ = running.read_line(30).split()
        assert word == "ready"
        yield Nodes(f"{place.address}:{first}", running)
