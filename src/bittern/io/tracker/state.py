"""The files that keep the swarms of a tracker from one process to the next: one for each worker."""

import logging
import time
from glob import escape
from pathlib import Path

from bittern.base.errors import ResumeError
from bittern.io.disk.atomic import write_atomic
from bittern.tracker import snapshot
from bittern.tracker.colleagues import home_of
from bittern.tracker.registry import Registry

_log = logging.getLogger("bittern.io")


class StateFile:
    """One worker's: `path` for the first, `path.1` for the second and so on.

    Args:
        path: of the first.
        index: of this worker.
        count: workers.
    """

    def __init__(self, path: Path, index: int = 0, count: int = 1) -> None:
        self._first = path
        self._path = _numbered(path, index)
        self._index = index
        self._count = count

    def load(self, registry: Registry) -> None:
        """Take in the swarms that are at home here, whichever worker of however many had them.

        Raises:
            OSError: a file cannot be read.
        """
        for path in (self._first, *_further(self._first, 1)):
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                continue
            try:
                snapshot.restore(registry, data, time.time(), self._at_home)
            except ResumeError as error:
                _log.warning("%s: %s; its swarms begin anew", path, error)

    def write(self, data: bytes) -> None:
        """Keep what `snapshot.save` made.

        Raises:
            OSError: the file cannot be written.
        """
        write_atomic(self._path, data)

    def _at_home(self, info_hash: bytes) -> bool:
        return home_of(info_hash, self._count) == self._index


def forget_further(path: Path, count: int) -> None:
    """Remove the files of workers beyond `count`, when those that are there have kept everything."""
    for further in _further(path, count):
        further.unlink(missing_ok=True)


def _numbered(path: Path, index: int) -> Path:
    return path if index == 0 else path.with_name(f"{path.name}.{index}")


def _further(path: Path, first: int) -> list[Path]:
    """The files of the workers from number `first` on that are there."""
    found = [each for each in path.parent.glob(f"{escape(path.name)}.*") if each.name[len(path.name) + 1 :].isdigit()]
    return sorted(each for each in found if int(each.name.rpartition(".")[2]) >= first)
