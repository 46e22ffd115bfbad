"""bittern itself, through its command line, as any user runs it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bittern.version import __version__
from tests.interop.rigs.client import Command
from tests.interop.rigs.content import Content
from tests.interop.rigs.place import Place
from tests.interop.rigs.process import Running

QUIET = ("--no-dht", "--no-lsd", "--no-pex", "--no-nat", "--no-utp")


@dataclass(frozen=True, slots=True)
class Bittern:
    """bittern with its defaults, TCP on one address; `quiet` is what it does without."""

    name: str = "bittern"
    private: bool = False
    options: tuple[str, ...] = ()
    quiet: tuple[str, ...] = QUIET

    def __str__(self) -> str:
        return self.name

    def missing(self) -> str | None:
        """Nothing: it is here."""

    def version(self) -> str:
        """The version under test."""
        return __version__

    @contextmanager
    def seed(self, torrent: Path, content: Content, place: Place, work: Path) -> Iterator[Command]:
        """`bittern seed TORRENT PATH`."""
        with self._start(["seed", str(torrent), str(content.path)], place, work) as peer:
            yield peer

    @contextmanager
    def get(self, source: str, folder: Path, place: Place, work: Path) -> Iterator[Command]:
        """`bittern get SOURCE -d FOLDER`."""
        with self._start(["get", source, "-d", str(folder)], place, work) as peer:
            yield peer

    @contextmanager
    def _start(self, command: list[str], place: Place, work: Path) -> Iterator[Command]:
        port = place.free_port()
        network = ["--listen", place.address, "--port", str(port), *self.quiet, *self.options]
        home = {"HOME": str(work), "XDG_STATE_HOME": str(work / "state"), "XDG_CONFIG_HOME": str(work / "config")}
        # The tests' environment switches both off: whoever wants the table names a node, and has a router of its own.
        home["BITTERN_NO_DHT"] = str("--no-dht" in self.quiet).lower()
        home["BITTERN_NO_NAT"] = str("--no-nat" in self.quiet).lower()
        run = [*place.enter, sys.executable, "-m", "bittern", *command, *network]
        with Running(run, work / "log.txt", env={**home, "XDG_CACHE_HOME": str(work / "cache")}) as running:
            yield Command(running, port)
