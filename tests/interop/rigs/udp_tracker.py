"""Trackers that speak UDP: one of a few lines that keeps what was announced, Debian's opentracker, and that of npm."""

import random
import shutil
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.interop.rigs.place import LOOPBACK, Place
from tests.interop.rigs.process import Running, wait_until
from tests.interop.rigs.tracker import INTERVAL_SECONDS, Announce, Tracker
from tests.interop.rigs.webtorrent import NPM_PACKAGES, missing_npm_package

PROTOCOL = 0x41727101980
EVENTS = ("", "completed", "started", "stopped")


class UdpTracker(Tracker):
    """As `Tracker`, over UDP (BEP 15).

    Attributes:
        url_data: path and query that came with each announce (BEP 41).
        keys: of each announce.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url_data: list[bytes] = []
        self.keys: list[int] = []
        self._connections: dict[int, tuple[str, int]] = {}

    def answer(self, data: bytes, sender: tuple[str, int]) -> bytes | None:
        """The answer to one datagram; None for none."""
        if len(data) < 16:
            return None
        connection, action, transaction = struct.unpack_from(">QII", data)
        if action == 0 and connection == PROTOCOL:
            made = random.getrandbits(64)
            self._connections[made] = sender
            return struct.pack(">IIQ", 0, transaction, made)
        if self._connections.get(connection) != sender:
            return struct.pack(">II", 3, transaction) + b"unknown connection"
        if action != 1 or len(data) < 98:
            return struct.pack(">II", 3, transaction) + b"what?"
        return struct.pack(">II", 1, transaction) + self._announce(data, sender[0])

    def _announce(self, data: bytes, host: str) -> bytes:
        info_hash, peer_id, downloaded, left, uploaded, event, _, key, _, port = struct.unpack_from(
            ">20s20sQQQIIIIH", data, 16
        )
        self.keys.append(key)
        self.url_data.append(data[100:] if data[98:99] == b"\x02" else b"")
        said = Announce(
            info_hash, peer_id, host, port, EVENTS[event], uploaded, downloaded, left, compact="1", user_agent=""
        )
        peers = self.take(said).partition(b"5:peers")[2].partition(b":")[2][:-1]
        return struct.pack(">III", INTERVAL_SECONDS, 1, 1) + peers


@contextmanager
def serve_udp(place: Place = LOOPBACK) -> Iterator[UdpTracker]:
    """Serve announces by datagrams until the block ends."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((place.address, 0))
        host, port = sock.getsockname()
        tracker = UdpTracker(f"udp://{host}:{port}/announce")
        done = threading.Event()

        def loop() -> None:
            while not done.is_set():
                data, sender = sock.recvfrom(65535)
                answer = tracker.answer(data, sender)
                if answer is not None:
                    sock.sendto(answer, sender)

        thread = threading.Thread(target=loop, daemon=True)
        thread.start()
        try:
            yield tracker
        finally:
            done.set()
            sock.sendto(b"", (host, port))
            thread.join()


class Program(Tracker):
    """A tracker that is a program of others, asked by its own protocol what it knows.

    Args:
        port: of its HTTP and its UDP side.
        scheme: by which it is announced to: udp or http.
    """

    def __init__(self, port: int, scheme: str = "udp") -> None:
        super().__init__(f"{scheme}://127.0.0.1:{port}/announce")
        self.port = port
        self.info_hash = b""

    def has_seed(self, port: int) -> bool:
        """Whether any seed has announced itself; it does not tell which."""
        return self.counts()[0] > 0

    def counts(self) -> tuple[int, int, int]:
        """Seeds, downloads and leechers of the torrent; zeros where it does not answer."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, suppress(OSError):
            sock.settimeout(1)
            sock.connect(("127.0.0.1", self.port))
            sock.send(struct.pack(">QII", PROTOCOL, 0, 1))
            connection = sock.recv(100)[8:16]
            sock.send(connection + struct.pack(">II", 2, 2) + self.info_hash)
            answer = sock.recv(100)
            if len(answer) >= 20:
                seeds, done, leechers = struct.unpack_from(">III", answer, 8)
                return seeds, done, leechers
        return 0, 0, 0


def missing_opentracker() -> str | None:
    """What this machine lacks to run it, or None."""
    return None if shutil.which("opentracker") else "`opentracker` is not installed"


@contextmanager
def run_opentracker(tracker: Program, info_hash: bytes, folder: Path) -> Iterator[None]:
    """Run it for one torrent, in a folder of its own; it gives up the rights of root there."""
    home = folder / "opentracker"
    home.mkdir()
    home.chmod(0o755)
    (home / "whitelist").write_text(info_hash.hex() + "\n")
    tracker.info_hash, port = info_hash, tracker.port
    ports = ["-p", str(port), "-P", str(port)]
    command = ["opentracker", "-i", "127.0.0.1", *ports, "-d", str(home), "-w", "whitelist"]
    with Running(command, folder / "opentracker.log", cwd=home) as running:
        _wait_for(running, port)
        yield


def missing_npm_tracker() -> str | None:
    """What this machine lacks to run npm's bittorrent-tracker, or None."""
    return missing_npm_package("bittorrent-tracker")


@contextmanager
def run_npm_tracker(tracker: Program, info_hash: bytes, folder: Path) -> Iterator[None]:
    """Run it for any torrent."""
    tracker.info_hash, port = info_hash, tracker.port
    program = ["node", str(NPM_PACKAGES / "bittorrent-tracker" / "bin" / "cmd.js"), "--port", str(port)]
    where = ["--http", "--udp", "--http-hostname", "127.0.0.1", "--udp-hostname", "127.0.0.1", "--quiet"]
    with Running([*program, *where], folder / "tracker.log", env={"HOME": str(folder)}) as running:
        _wait_for(running, port)
        yield


def _wait_for(running: Running, port: int) -> None:
    if not wait_until(lambda: running.exit_code is not None or _listens(port), 20):
        raise running.failure("does not listen")
    if running.exit_code is not None:
        raise running.failure("did not start")


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
