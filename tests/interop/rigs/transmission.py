"""transmission-daemon, controlled by transmission-remote.

It drops peers at 127.x that a tracker names, so its tests run in a network namespace with another address.
Its transfers start after about ten seconds (its rechoke period): few and small tests only. It knows a peer
by its address alone, so at one address it must meet one peer.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.interop.rigs.content import Content
from tests.interop.rigs.place import Place
from tests.interop.rigs.process import Running, wait_until


@dataclass(frozen=True, slots=True)
class TransmissionPeer:
    """A daemon with one torrent."""

    running: Running
    port: int
    rpc: str  # HOST:PORT
    place: Place

    def remote(self, *arguments: str) -> str:
        """What transmission-remote prints, or "" while the daemon does not answer."""
        command = [*self.place.enter, "transmission-remote", self.rpc, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout if done.returncode == 0 else ""

    def wait_complete(self, timeout: float) -> None:
        """Until it reports 100 %."""
        if not wait_until(self._complete, timeout, every=0.2):
            raise self.running.failure(f"is not complete after {timeout:g} s: {self.remote('-t', '1', '-i')}")

    def close(self) -> None:
        """End the daemon, which flushes its cache and tells its trackers."""
        self.running.terminate()
        self.running.wait(15)

    def _complete(self) -> bool:
        return re.search(r"^  Percent Done: 100%$", self.remote("-t", "1", "-i"), re.MULTILINE) is not None


@dataclass(frozen=True, slots=True)
class Transmission:
    """transmission-daemon, TCP on one address, no DHT, LPD, PEX or port mapping. It knows no v2.

    `settings` go before ours; `dht_node` is the HOST:PORT that it begins with where it takes part in the DHT.
    """

    name: str = "transmission"
    private: bool = True
    settings: tuple[tuple[str, object], ...] = ()
    dht_node: str = ""

    def __str__(self) -> str:
        return self.name

    def missing(self) -> str | None:
        """The program that is not installed."""
        for program in ("transmission-daemon", "transmission-remote"):
            if shutil.which(program) is None:
                return f"{program} is not installed"
        return None

    def version(self) -> str:
        """As the daemon says, without its revision."""
        command = ["transmission-daemon", "--version"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stderr.split()[1]

    @contextmanager
    def seed(self, torrent: Path, content: Content, place: Place, work: Path) -> Iterator[TransmissionPeer]:
        """It checks the content when the torrent is added."""
        with self._start(str(torrent), content.folder, place, work) as peer:
            yield peer

    @contextmanager
    def get(self, source: str, folder: Path, place: Place, work: Path) -> Iterator[TransmissionPeer]:
        """Started at once."""
        with self._start(source, folder, place, work) as peer:
            yield peer

    @contextmanager
    def _start(self, source: str, folder: Path, place: Place, work: Path) -> Iterator[TransmissionPeer]:
        port, rpc_port = place.free_port(), place.free_port()
        config = work / "config"
        config.mkdir()
        settings = _settings(place.address, port, rpc_port, folder) | dict(self.settings)
        (config / "settings.json").write_text(json.dumps(settings))
        if self.dht_node:
            (config / "dht.bootstrap").write_text(self.dht_node.replace(":", " ") + "\n")
        command = [*place.enter, "transmission-daemon", "--foreground", "--config-dir", str(config)]
        with Running(command, work / "log.txt", env={"HOME": str(work)}) as running:
            peer = TransmissionPeer(running, port, f"{place.address}:{rpc_port}", place)
            if not wait_until(lambda: bool(peer.remote("--add", source)), timeout=20, every=0.1):
                raise running.failure("does not take the torrent")
            yield peer


def _settings(address: str, port: int, rpc_port: int, folder: Path) -> dict[str, object]:
    return {
        "bind-address-ipv4": address,
        "cache-size-mb": 4,
        "dht-enabled": False,
        "download-dir": os.fspath(folder),
        "lpd-enabled": False,
        "peer-port": port,
        "pex-enabled": False,
        "port-forwarding-enabled": False,
        "rpc-authentication-required": False,
        "rpc-bind-address": address,
        "rpc-host-whitelist-enabled": False,
        "rpc-port": rpc_port,
        "rpc-whitelist-enabled": False,
        "utp-enabled": False,
    }
