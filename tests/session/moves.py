"""kill -9 at random moments of moves to and fro: are all files whole, and does the next start go on?"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from time import monotonic, sleep

from bittern.tools.create import CreateOptions, Version, create
from bittern.tools.scan import scan
from tests.faults.rigs.kills import tied_to_us
from tests.interop.rigs.process import Running
from tests.session.rig import PIECE, album, fill

SECONDS = 30
_MOVER = ("-m", "tests.session.mover")
_DRAFT = ".bittern-move"


@dataclass(frozen=True, slots=True)
class MoveKill:
    """One kill: `kind` is "same" or "other", of file systems; bytes of whole files at both places, and drafts."""

    kind: str
    old_bytes: int
    new_bytes: int
    draft_bytes: int


def files_below(folder: Path) -> dict[str, bytes]:
    """All files, by their paths below `folder`."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class Moves:
    """A torrent of many files below `folder` that is moved again and again.

    Args:
        folder: an empty one.
        rng: chooses the moments, and between one file system and two.
    """

    def __init__(self, folder: Path, rng: Random) -> None:
        self._folder = folder
        self._rng = rng
        self._move_seconds = {"same": 0.0, "other": 0.0}
        root = album(folder / "home0" / "album")
        for number in range(12):
            fill(root / "many" / f"{number}.bin", 2_000_000, number)
        made = create(scan(root), CreateOptions(version=Version.V1, piece_size=PIECE))
        (folder / "t.torrent").write_bytes(made.data)
        self._files = files_below(folder / "home0")
        self._at = 0

    def kill(self, kills: int) -> Iterator[MoveKill]:
        """So many moves are killed, at moments spread evenly over the time that one takes; each is then gone on with.

        Raises:
            AssertionError: a file is not whole, or is not where it belongs.
        """
        for kind in self._move_seconds:
            self._move_seconds[kind] = self._move(kind)
        for _ in range(kills):
            yield self._kill(self._rng.choice(["other", "other", "same"]))

    def _kill(self, kind: str) -> MoveKill:
        while True:  # it may be over when the kill comes
            old, new = self._homes()
            with self._run(kind) as job:
                sleep(self._rng.uniform(0, self._move_seconds[kind]))
                os.kill(job.pid, signal.SIGKILL)
                killed = job.wait(SECONDS) == -signal.SIGKILL
            here = {home: files_below(home) for home in (old, new)}
            whole = {path: data for files in here.values() for path, data in files.items() if not path.endswith(_DRAFT)}
            assert whole == self._files
            self._move(kind, resume=not here[old])
            if killed:
                drafts = sum(len(data) for path, data in here[new].items() if path.endswith(_DRAFT))
                left, came = (sum(map(len, here[home].values())) for home in (old, new))
                return MoveKill(kind, left, came - drafts, drafts)

    def _move(self, kind: str, *, resume: bool = False) -> float:
        """Move all the way; the seconds that it took."""
        old, new = self._homes()
        with self._run(kind, new.name if resume else old.name) as job:
            begun = monotonic()
            assert job.read_line(SECONDS) == "moved"
            took = monotonic() - begun
            assert job.wait(SECONDS) == 0
        assert files_below(new) == self._files
        assert not list(old.iterdir())
        self._at += 1
        return took

    def _homes(self) -> tuple[Path, Path]:
        return self._folder / f"home{self._at}", self._folder / f"home{self._at + 1}"

    @contextmanager
    def _run(self, kind: str, start: str = "") -> Iterator[Running]:
        old, new = self._homes()
        words = [str(self._folder), start or old.name, new.name, kind]
        with Running([*tied_to_us(), sys.executable, *_MOVER, *words], self._folder / "log.txt", talks=True) as job:
            assert job.read_line(SECONDS) == "go"
            yield job
