"""Hundreds of plain peers of one bittern, in a process of their own."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from drill.drivers.crowd import Tally
from tests.faults.rigs.torrent import Torrent
from tests.interop.rigs.process import Running

DRIVER = Path(__file__).parent / "drivers" / "crowd.py"
ANSWER_SECONDS = 60


class Crowd:
    """`seeds` and `leeches` for each of `torrents`, that dial `port` of this machine again and again.

    Args:
        port: of the bittern.
        seeds: peers of each torrent that have all of it.
        leeches: peers of each that want it, for ever.
        torrents: what.
        folder: for the log, and for content.
    """

    def __init__(self, port: int, seeds: int, leeches: int, torrents: Sequence[Torrent], folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        places = []
        for number, torrent in enumerate(torrents):
            content = folder / f"{number}.bin"
            content.write_bytes(torrent.data)
            places += [str(torrent.path), str(content)]
        words = [sys.executable, str(DRIVER), str(port), str(seeds), str(leeches), *places]
        self._running = Running(words, folder / "log-crowd.txt", talks=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.stop()

    def tally(self) -> Tally:
        """How they fare."""
        self._running.say("tally")
        return Tally(**json.loads(self._running.read_line(ANSWER_SECONDS)))
