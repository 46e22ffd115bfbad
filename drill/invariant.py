"""The one invariant of all rows: nothing is claimed that does not hash, and nothing of anybody else's has changed.

What bittern claims is read off its saved state, as it would be believed without a look at the content, and off the
wire of the next run. What is right is found by comparing bytes with the original, without any code of bittern's.
"""

import hashlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from stat import S_ISDIR, S_ISREG

from bittern.codec.resume import Resume
from bittern.session.store import FILE
from drill.row import demand
from tests.faults.rigs.torrent import PIECE, Torrent

Sight = tuple[int, int, int, str]  # mode, size, nanoseconds of its last change, digest of what is in it


def believed(state: Path, torrent: Torrent, folder: Path) -> set[int]:
    """The pieces that a start would believe in without reading any of them.

    They are saved as stored, none of their files was to be checked, and all look as they did.

    Args:
        state: folder of the saved state; only a copy of it is opened.
        torrent: which one.
        folder: where its files are.
    """
    found: set[int] = set()
    for blob in _saved(state, torrent.info_hash):
        resume = Resume.decode(blob)
        have = set(resume.have()) - set(resume.to_check())
        begin = 0
        for (name, length), stamp in zip(torrent.files, resume.files, strict=True):
            last = max(begin, begin + length - 1)
            if length and (stamp is None or _look(torrent.place(folder, name)) != tuple(stamp)):
                have -= set(range(begin // PIECE, last // PIECE + 1))
            begin += length
        found |= have
    return found


def saved(state: Path, torrent: Torrent) -> set[int]:
    """The pieces that are saved as stored, however the files look."""
    resumes = [Resume.decode(blob) for blob in _saved(state, torrent.info_hash)]
    return {piece for resume in resumes for piece in set(resume.have()) - set(resume.to_check())}


def _look(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.lstat()
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns


def _saved(state: Path, info_hash: bytes) -> list[bytes]:
    with tempfile.TemporaryDirectory() as copy:
        for path in state.glob(f"{FILE}*"):
            shutil.copy(path, copy)
        if not (Path(copy) / FILE).exists():
            return []
        with closing(sqlite3.connect(Path(copy) / FILE)) as connection:
            try:
                rows = connection.execute("SELECT resume FROM torrents WHERE info_hash = ?", (info_hash,)).fetchall()
            except sqlite3.DatabaseError:  # it was killed before there was any
                return []
    return [blob for (blob,) in rows if blob is not None]


class Surroundings:
    """A tree of other people's files with the download folder in the middle of it.

    Args:
        root: where to plant it; an empty folder.
        torrent: whose files may come and go.

    Attributes:
        into: the download folder.
    """

    def __init__(self, root: Path, torrent: Torrent) -> None:
        self.into = root / "downloads"
        self._root = root
        self._torrent = torrent
        for number, name in enumerate(_DECOYS):
            path = root / name.format(name=torrent.root)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"precious %d\n" % number * 5000)
            path.chmod(0o444 if number % 2 else 0o640)
        (root / "downloads" / "link").symlink_to(root / "above.txt")
        (root / "above.txt").touch()
        os.utime(root / "above.txt", ns=(0, 10**18))
        self._before = self.look()

    def look(self) -> dict[str, Sight]:
        """Everything that is not the torrent's."""
        seen = {}
        for path in sorted(self._root.rglob("*")):
            relative = path.relative_to(self._root)
            if not self._is_the_torrents(relative):
                seen[str(relative)] = _sight(path, changing=path == self.into)
        return seen

    def check(self) -> None:
        """Make sure that all is as it was planted.

        Raises:
            UnmetError: it is not.
        """
        changed = differences(self._before, self.look())
        demand(not changed, "; ".join(changed))

    def _is_the_torrents(self, relative: Path) -> bool:
        parts = relative.parts
        own = (self._torrent.root, f"{self._torrent.root}.part", f".{self._torrent.info_hash.hex()}.parts")
        return len(parts) > 1 and parts[0] == self.into.name and parts[1] in own


_DECOYS = (
    "above.txt",
    "{name}",  # as the torrent's, one folder up
    "beside/{name}",
    "downloads/yours.txt",
    "downloads/{name}.bak",
    "downloads/.hidden/{name}",
    "downloads-2/{name}",
)


def differences(before: Mapping[str, Sight], after: Mapping[str, Sight]) -> list[str]:
    """What differs between two looks at a tree, a line for each path."""
    return [
        f"{path}: {before.get(path)} became {after.get(path)}"
        for path in sorted(before.keys() | after.keys())
        if before.get(path) != after.get(path)
    ]


def _sight(path: Path, *, changing: bool) -> Sight:
    stat = path.lstat()
    if S_ISREG(stat.st_mode):
        return stat.st_mode, stat.st_size, stat.st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest()
    if S_ISDIR(stat.st_mode):  # what is made in a folder and deleted again changes its time, too
        return stat.st_mode, 0, 0 if changing else stat.st_mtime_ns, ""
    return stat.st_mode, stat.st_size, stat.st_mtime_ns, str(path.readlink())
