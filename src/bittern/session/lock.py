"""One owner at a time for a torrent's files, across processes: an advisory lock on a file of the state folder."""

import os
import sys
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Self

from bittern.base.errors import AlreadyAddedError
from bittern.io.disk.failures import storage_error


class TorrentLock:
    """Held until `release`, or until the process ends, however it ends.

    Args:
        state: the state folder; lock files are in one of it.
        info_hash: of the torrent.
        place: where its files go; the same torrent in two places has two locks.

    Raises:
        AlreadyAddedError: another process, or another session of this one, holds it.
        StorageError: the lock file cannot be made.
    """

    def __init__(self, state: Path, info_hash: bytes, place: str) -> None:
        folder = state / "locks"
        self.place = place
        """Where the torrent's files go."""
        self._path = folder / f"{sha256(info_hash + os.fsencode(place)).hexdigest()[:32]}.lock"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._descriptor = self._acquire()
            while not self._named():  # its owner left in between and took the name with it
                os.close(self._descriptor)
                self._descriptor = self._acquire()
        except OSError as error:
            raise storage_error(error, str(folder)) from error

    def release(self) -> None:
        """Let others have it."""
        if self._descriptor >= 0:
            with suppress(OSError):  # gone first, so that a later owner never locks a file without a name
                self._path.unlink()
            os.close(self._descriptor)
            self._descriptor = -1

    def _acquire(self) -> int:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        try:
            _lock(descriptor)
        except OSError:
            os.close(descriptor)
            raise AlreadyAddedError(
                f"another bittern is at work on this torrent in {self.place}: wait for it, or stop it first"
            ) from None
        return descriptor

    def _named(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._descriptor), self._path.stat())
        except FileNotFoundError:
            return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.release()


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
