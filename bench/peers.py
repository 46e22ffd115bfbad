"""The clients under the benches: driver processes that take the same arguments and say the same lines.

A driver is run as `seed|get TORRENT FOLDER [--listen HOST:PORT] [--peer HOST:PORT] [...]`. It says `ready PORT`;
a leecher then waits for `go` and says `done T` (monotonic seconds) when its bytes are in the file. The end of
its input ends it.
"""

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from tests.interop.rigs.place import LOOPBACK, Place
from tests.interop.rigs.process import Running

ROOT = Path(__file__).parents[1]
START_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Driver:
    """A client with its settings, as the tables call it."""

    name: str
    script: Path
    options: tuple[str, ...] = ()

    def told(self, *options: str) -> Self:
        """The same with more options, which hold in the place of earlier ones."""
        return replace(self, options=(*self.options, *options))

    def start(
        self, role: str, torrent: Path, folder: Path, log: Path, *options: str, place: Place = LOOPBACK
    ) -> tuple[Running, int]:
        """A driver in `place` that has said `ready`, and the port it listens on."""
        command = [*place.enter, sys.executable, str(self.script), role, str(torrent), str(folder)]
        command += ["--listen", f"{place.address}:0", *self.options, *options]
        running = Running(command, log, talks=True, cwd=ROOT)
        word, _, port = running.read_line(START_SECONDS).partition(" ")
        if word != "ready":
            raise running.failure(f"said {word!r}")
        return running, int(port)


_LIBTORRENT = ROOT / "tests" / "interop" / "drivers" / "libtorrent_peer.py"
LIBTORRENT = Driver("libtorrent", _LIBTORRENT, ("--encryption", "off"))
LIBTORRENT_FAST = Driver(
    "libtorrent (high_performance_seed)",
    _LIBTORRENT,
    ("--encryption", "off", "--preset", "high_performance_seed"),
)
BITTERN = Driver("bittern", ROOT / "bench" / "drivers" / "bittern_peer.py")
CROWD = Driver("a crowd of libtorrent leechers", ROOT / "bench" / "drivers" / "crowd.py")
