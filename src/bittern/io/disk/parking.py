"""Files of one torrent that are not made: what there is of them is in the part file, until somebody wants them."""

import os
from collections.abc import Collection, Iterator

from .failures import storage_error
from .handles import Handles
from .parts import PartFile
from .spans import Span
from .unsynced import Unsynced
from .whereabouts import Whereabouts


class Parking:
    """The parked files of one torrent.

    Args:
        where: the files are.
        path: of the part file.
        unsynced: what was written.
        handles: open files.

    Attributes:
        files: their numbers.
        parts: the part file.
    """

    def __init__(self, where: Whereabouts, path: str, unsynced: Unsynced, handles: Handles) -> None:
        self.files: set[int] = set()
        self.parts = PartFile(where.info, path, handles)
        self._where = where
        self._unsynced = unsynced

    def find(self, wanted: Collection[int]) -> None:
        """See where the bytes of each file are; to be called before anything is read or written. Blocks.

        A file that is not there is parked if it is not wanted, or as long as there is a part file: what the
        part file has of it may have been lifted out in time or not.

        Args:
            wanted: numbers of the files that may be made.
        """
        parts = os.path.lexists(self.parts.path)
        self.files.clear()
        self.files.update(
            number
            for number, file in enumerate(self._where.info.files)
            if (parts or number not in wanted)
            and file.length
            and not file.pad
            and not os.path.lexists(self._where.paths[number])
        )

    def want(self, wanted: Collection[int]) -> None:
        """Only the files numbered `wanted` are to be made from now on. Blocks.

        What the part file has of a file that is wanted now goes to a file of its own; a file that is there and is
        not wanted any more stays. The part file goes when nothing is parked. For who holds the lock of the places.

        Raises:
            StorageError: a file could not be made; its bytes are in the part file as before.
        """
        for number, file in enumerate(self._where.info.files):
            if number in wanted:
                if number in self.files:
                    self._lift(number)
            elif file.length and not file.pad and not os.path.lexists(self._where.paths[number]):
                self.files.add(number)
        if not self.files:
            self._unsynced.forget(self.parts.path)
            self.parts.delete()

    def spans(self, number: int, begin: int, length: int) -> Iterator[Span]:
        """Where bytes of a parked file are, for reading them apart from this."""
        return self.parts.spans(number, begin, length, self._where.paths[number])

    def write(self, number: int, begin: int, data: memoryview) -> bool:
        """Write bytes of a parked file; False when they belong to a file of its own, now at least.

        For who holds the lock of the places, until the bytes are written.

        Raises:
            StorageError: not all of it is written.
        """
        try:
            if number in self.files and self.parts.write(number, begin, data):
                self._unsynced.note(self.parts.path)
                return True
            if number in self.files:  # a piece of this file alone was under way when nobody wanted it any more
                self._lift(number)
        except OSError as error:
            raise storage_error(error, self.parts.path) from error
        return False

    def read(self, number: int, begin: int, into: memoryview) -> bool:
        """Fill `into`; False when the bytes are, or would be, in the file itself.

        Raises:
            StorageError: the part file cannot be read.
        """
        with self._where.lock:
            try:
                return number in self.files and self.parts.read(number, begin, into)
            except OSError as error:
                raise storage_error(error, self.parts.path) from error

    def _lift(self, number: int) -> None:
        path = self._where.paths[number]
        try:
            self.parts.lift(number, path, self._where.trusted)
        except OSError as error:
            raise storage_error(error, path) from error
        self.files.discard(number)
