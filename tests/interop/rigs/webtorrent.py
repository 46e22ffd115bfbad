"""webtorrent-cli: one command a role. `tests/partners/install` installs it.

It always takes part in the DHT, looks for a router to map ports at, and listens everywhere, so its tests run in a
network namespace that leads nowhere.
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.interop.rigs.client import Command
from tests.interop.rigs.content import Content
from tests.interop.rigs.place import Place
from tests.interop.rigs.process import Running


def _npm_packages() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("BITTERN_PARTNERS") or Path(cache) / "bittern-partners") / "node_modules"


NPM_PACKAGES = _npm_packages()
"""The folder of the partners from npm: the user's, found before tests have a home of their own."""


def missing_npm_package(name: str) -> str | None:
    """Why a program of that npm package cannot run, or None."""
    if shutil.which("node") is None:
        return "node is not installed"
    return None if (NPM_PACKAGES / name).is_dir() else f"{name} is not installed: run tests/partners/install"


@dataclass(frozen=True, slots=True)
class Webtorrent:
    """webtorrent-cli with its defaults, TCP. It knows no v2, and where it dials, it speaks encrypted only."""

    name: str = "webtorrent"
    private: bool = True
    options: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name

    def missing(self) -> str | None:
        """Node.js or the package, where it is not installed."""
        return missing_npm_package("webtorrent-cli")

    def version(self) -> str:
        """Of the library, which does the work."""
        return str(json.loads((NPM_PACKAGES / "webtorrent" / "package.json").read_text())["version"])

    @contextmanager
    def seed(self, torrent: Path, content: Content, place: Place, work: Path) -> Iterator[Command]:
        """It finds the content where it would download it to, checks it, and seeds."""
        with self._start(["--keep-seeding"], str(torrent), content.folder, place, work) as peer:
            yield peer

    @contextmanager
    def get(self, source: str, folder: Path, place: Place, work: Path) -> Iterator[Command]:
        """Downloads and exits."""
        with self._start([], source, folder, place, work) as peer:
            yield peer

    @contextmanager
    def _start(self, role: list[str], source: str, folder: Path, place: Place, work: Path) -> Iterator[Command]:
        port = place.free_port()
        program = [*place.enter, "node", str(NPM_PACKAGES / "webtorrent-cli" / "bin" / "cmd.js")]
        where = ["--torrent-port", str(port), "--out", str(folder), "--port", str(place.free_port())]
        command = [*program, "download", source, *where, *role, *self.options, "--quiet"]
        with Running(command, work / "log.txt", env={"HOME": str(work)}) as running:
            try:
                yield Command(running, port)
            finally:
                running.stop(patience=1.0)  # a seed never ends by itself
