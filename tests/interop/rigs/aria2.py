"""aria2: one command a role."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.interop.rigs.client import Command
from tests.interop.rigs.content import Content
from tests.interop.rigs.place import Place
from tests.interop.rigs.process import Running

OPTIONS = (
    "--no-conf",
    "--enable-dht=false",
    "--enable-dht6=false",
    "--enable-peer-exchange=false",
    "--bt-enable-lpd=false",
    "--disable-ipv6=true",
    "--file-allocation=none",
    "--follow-torrent=false",
    "--summary-interval=0",
    "--show-console-readout=false",
    "--bt-tracker-connect-timeout=5",
)


@dataclass(frozen=True, slots=True)
class Aria2:
    """aria2 with its defaults, TCP on one address. It knows no v2, and gets most hybrids' info hash wrong."""

    name: str = "aria2"
    private: bool = False
    options: tuple[str, ...] = ()
    everywhere: bool = False  # at all addresses of the place, of both families

    def __str__(self) -> str:
        return self.name

    def missing(self) -> str | None:
        """The program, where it is not installed."""
        return None if shutil.which("aria2c") else "aria2c is not installed"

    def version(self) -> str:
        """As the program says."""
        return subprocess.run(["aria2c", "--version"], capture_output=True, text=True, check=True).stdout.split()[2]

    @contextmanager
    def seed(self, torrent: Path, content: Content, place: Place, work: Path) -> Iterator[Command]:
        """Seeds until it is stopped."""
        role = ["--check-integrity=true", "--seed-ratio=0.0", "--seed-time=100000"]
        with self._start(role, str(torrent), content.folder, place, work) as peer:
            yield peer

    @contextmanager
    def get(self, source: str, folder: Path, place: Place, work: Path) -> Iterator[Command]:
        """Downloads and exits."""
        with self._start(["--seed-time=0"], source, folder, place, work) as peer:
            yield peer

    @contextmanager
    def _start(self, role: list[str], source: str, folder: Path, place: Place, work: Path) -> Iterator[Command]:
        port = place.free_port()
        where = [f"--listen-port={port}", f"--dir={folder}"]
        where.append("--disable-ipv6=false" if self.everywhere else f"--interface={place.address}")
        command = [*place.enter, "aria2c", *OPTIONS, *where, *role, *self.options, source]
        with Running(command, work / "log.txt", env={"HOME": str(work)}) as running:
            yield Command(running, port)
