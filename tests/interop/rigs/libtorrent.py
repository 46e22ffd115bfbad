"""libtorrent (PyPI), through a driver process of ours."""

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.interop.rigs.content import Content
from tests.interop.rigs.place import Place
from tests.interop.rigs.process import Running

DRIVER = Path(__file__).parents[1] / "drivers" / "libtorrent_peer.py"


@dataclass(frozen=True, slots=True)
class LibtorrentPeer:
    """A driver that has said `ready`."""

    running: Running
    port: int

    def wait_complete(self, timeout: float) -> None:
        """Until it says `done`: then its bytes are in the file."""
        line = self.running.read_line(timeout)
        if not line.startswith("done "):
            raise self.running.failure(f"said {line!r}")

    def close(self) -> None:
        """End its input, which closes the session in order."""
        self.running.end_input()
        self.running.wait(15)


@dataclass(frozen=True, slots=True)
class Libtorrent:
    """libtorrent with its default settings, TCP on one address, no DHT, LSD or port mapping; it exchanges peers."""

    name: str = "libtorrent"
    private: bool = False
    options: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name

    def missing(self) -> str | None:
        """The module, where it is not installed."""
        return None if importlib.util.find_spec("libtorrent") else "libtorrent is not installed"

    def version(self) -> str:
        """As the module says."""
        import libtorrent as lt  # noqa: PLC0415 - an optional partner

        return str(lt.__version__)

    @contextmanager
    def seed(self, torrent: Path, content: Content, place: Place, work: Path) -> Iterator[LibtorrentPeer]:
        """Ready once it has checked the content."""
        with self._start("seed", str(torrent), content.folder, place, work) as running:
            yield LibtorrentPeer(running, _port(running))

    @contextmanager
    def get(self, source: str, folder: Path, place: Place, work: Path) -> Iterator[LibtorrentPeer]:
        """Started at once."""
        with self._start("get", source, folder, place, work) as running:
            port = _port(running)
            running.say("go")
            yield LibtorrentPeer(running, port)

    def _start(self, role: str, source: str, folder: Path, place: Place, work: Path) -> Running:
        command = [*place.enter, sys.executable, str(DRIVER), role, source, str(folder)]
        listen = ["--listen", f"{place.address}:0"]
        return Running([*command, *listen, *self.options], work / "log.txt", talks=True)


def _port(running: Running) -> int:
    word, _, port = running.read_line(60).partition(" ")
    if word != "ready":
        raise running.failure(f"said {word!r}")
    return int(port)
