"""Where the files of one torrent are now: what all who deal with them share."""

import threading
from dataclasses import dataclass, field
from pathlib import Path

from bittern.codec.metainfo import Info

from .unfinished import SUFFIX


@dataclass(slots=True, eq=False)
class Whereabouts:
    """The places of one torrent's files.

    Attributes:
        info: of the torrent.
        root: the folder that the files are in.
        paths: where each file is, absolute.
        trusted: folders below which no link is followed; none where the user said where each file is.
        suffixed: numbers of the files whose name ends in `.part`: it is so in `paths`, too.
        lock: held while the place of a file changes, or matters.
    """

    info: Info
    root: Path
    paths: list[str]
    trusted: tuple[str, ...]
    suffixed: set[int] = field(default_factory=set)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def own(self, number: int) -> str:
        """Where a file is, or will be when it is complete."""
        return self.paths[number].removesuffix(SUFFIX) if number in self.suffixed else self.paths[number]

    def moved(self, number: int, path: str) -> bool:
        """Whether a file that was not found at `path`, its place a moment ago, has another now."""
        with self.lock:  # it may be moving right now
            return self.paths[number] != path
