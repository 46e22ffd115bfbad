"""What was written and is, as far as anybody knows, not on the disk yet."""

import os

from .failures import storage_error
from .handles import Handles
from .whereabouts import Whereabouts


class Unsynced:
    """The files of one torrent that were written to since they were last synced.

    Args:
        where: the files are.
        handles: open files.
    """

    def __init__(self, where: Whereabouts, handles: Handles) -> None:
        self._where = where
        self._handles = handles
        self._paths: dict[str, None] = {}

    def __bool__(self) -> bool:
        return bool(self._paths)

    def note(self, path: str) -> None:
        """The file at `path` was written to."""
        self._paths[path] = None

    def forget(self, path: str) -> None:
        """Nothing is at `path` any more that would have to be synced."""
        self._paths.pop(path, None)

    def sync(self, path: str) -> None:
        """Wait until what the file at `path` has is on the disk.

        Raises:
            OSError: the system cannot say so.
        """
        # Opened for writing, a file that has gone would be made anew; Windows syncs no other.
        with self._handles.opened(path, write=os.name == "nt", trusted=self._where.trusted) as handle:
            getattr(os, "fdatasync", os.fsync)(handle.fd)

    def sync_all(self, fleeting: str) -> None:
        """Wait until all that was written is on the disk.

        Args:
            fleeting: a path where a file may have been deleted meanwhile, after what it had was synced elsewhere.

        Raises:
            StorageError: the system cannot say so for a file.
        """
        for path in list(self._paths):
            self.forget(path)  # another thread may have done it: the file has gone elsewhere
            try:
                self.sync(path)
            except FileNotFoundError as error:
                if path != fleeting:
                    raise storage_error(error, path) from error
            except OSError as error:
                raise storage_error(error, path) from error
