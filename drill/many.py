"""Many small torrents, and a bittern that has them all: every second one a download, the others seeds."""

import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from drill.crowd import ANSWER_SECONDS
from drill.row import Room
from tests.faults.rigs.kills import tied_to_us
from tests.faults.rigs.torrent import Torrent, bencode, info_of
from tests.interop.rigs.process import Running

START_SECONDS = 300
HOST = Path(__file__).parent / "drivers" / "host.py"
OPEN_FILES = 12_000


def make_many(folder: Path, count: int, size: int, url: str = "") -> list[Torrent]:
    """`count` torrents of one file of `size` bytes each, side by side in a folder; with a tracker, if any."""
    found = []
    for number in range(count):
        data, name = Random(number).randbytes(size), f"{number:04}.bin"
        (folder / name).write_bytes(data)
        info, path = info_of(data, name), folder / f"{number:04}.torrent"
        path.write_bytes(b"d" + (b"8:announce" + bencode(url) if url else b"") + b"4:info" + info + b"e")
        found.append(Torrent(folder, path, data, hashlib.sha1(info).digest(), ((name, size),)))
    return found


class Host(Running):
    """The session, with a state of its own in `room`.

    Args:
        room: where.
        torrents: those of `make_many`.
        down: bytes a second of all downloads together.
        within: a command of the shell that is run first.

    Attributes:
        into: where downloads go.
        state: where progress is saved.
    """

    def __init__(self, room: Room, torrents: Sequence[Torrent], down: float, within: str = "true") -> None:
        self.into, self.state = room.below("into"), room.below("state")
        words = [str(self.state), str(self.into), str(torrents[0].folder), str(down)]
        command = [*tied_to_us(), sys.executable, str(HOST), *words, *[str(torrent.path) for torrent in torrents]]
        script = f'{within} && ulimit -n {OPEN_FILES} && exec "$@"'
        log = room.folder / f"log-host-{len(list(room.folder.glob('log-host-*')))}.txt"
        super().__init__(["sh", "-c", script, "sh", *command], log, talks=True)

    def port(self) -> int:
        """Where it listens, once all torrents are in it."""
        return int(self.read_line(START_SECONDS).split()[1])

    def tally(self) -> dict[str, Any]:
        """How its torrents stand; see the driver."""
        self.say("tally")
        found: dict[str, Any] = json.loads(self.read_line(ANSWER_SECONDS))
        return found

    def peak_memory(self) -> int:
        """Bytes in memory, at most so far."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) << 10
