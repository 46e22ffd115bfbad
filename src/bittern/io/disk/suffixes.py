"""The files of one torrent that carry `.part` until they are complete: which they are, and when they lose it."""

import os
from collections.abc import Collection, Sequence

from bittern.base.bitfield import Bitfield
from bittern.base.errors import StorageError
from bittern.codec.filemap import FileMap

from .failures import storage_error
from .handles import Handles
from .unfinished import SUFFIX, Look, Unfinished, conclude, drop_suffix, has_suffix
from .unsynced import Unsynced
from .whereabouts import Whereabouts


class Suffixes:
    """Those of one torrent.

    Args:
        where: the files are.
        files: which pieces are of which file.
        parked: numbers of the files that are not made; a live view.
        unsynced: syncs a file before it gets its own name.
        handles: open files.
    """

    def __init__(
        self, where: Whereabouts, files: FileMap, parked: Collection[int], unsynced: Unsynced, handles: Handles
    ) -> None:
        self._where = where
        self._files = files
        self._parked = parked
        self._unsynced = unsynced
        self._handles = handles
        self._unfinished: Unfinished | None = None

    def find(self, known: Sequence[tuple[int, int] | None] | None = None, *, suffix: bool = False) -> None:
        """See which files have the suffix; to be called before anything else is done with them. Blocks.

        Args:
            known: size and time of each file when it was last seen, where that was noted.
            suffix: whether files that are made from now on are to have it.

        Raises:
            StorageError: a file is there under both names, and nothing tells which is ours.
        """
        paths, info = self._where.paths, self._where.info
        taken = {path.casefold() for path in paths if path.casefold().endswith(SUFFIX)}  # by other files of ours
        for number, file in enumerate(info.files):
            if file.pad or not file.length or (paths[number] + SUFFIX).casefold() in taken:
                continue
            path, stamp = paths[number], known[number] if known is not None else None
            own = Look.at(path)
            whole = own is not None and own.size == file.length and own.names == 1
            if own is not None and whole and stamp in (None, (own.size, own.mtime_ns)):
                continue  # the rule: it costs one look
            other = Look.at(path + SUFFIX)
            answer = has_suffix(own, other, length=file.length, known=stamp, wanted=suffix)
            if answer is None:
                detail = f"{path} is there, too: one of them is not of this torrent, take it away"
                raise StorageError(StorageError.Kind.EXISTS, path + SUFFIX, detail)
            if answer:
                paths[number] = path + SUFFIX
                self._where.suffixed.add(number)
            elif own is not None and other is not None and own.identity == other.identity:
                drop_suffix(path)

    def expect(self, have: Bitfield) -> None:
        """`have` is stored; files with a suffix that are complete, or come to be, lose it. Blocks.

        Raises:
            StorageError: a file has no other name, for that one is taken; it stays as it is.
        """
        with self._where.lock:
            suffixed = self._where.suffixed
            self._unfinished = Unfinished(self._where.info, have, suffixed) if suffixed else None
            self.drop()

    def stored(self, piece: int) -> None:
        """A piece is in the files, and right. Blocks where it makes a file complete; raises as `expect`."""
        if self._unfinished is None:
            return
        with self._where.lock:
            self._unfinished.stored(piece, self._files.files_of([piece], self._where.info.geometry))
            self.drop()

    def drop(self) -> None:
        """Give files that are complete their own names: synced first, and nothing is overwritten. Raises as `expect`.

        For who holds the lock of the places.
        """
        unfinished, paths, trusted = self._unfinished, self._where.paths, self._where.trusted
        for number in unfinished.complete() if unfinished is not None else ():
            path = paths[number]
            if number in self._parked:
                continue  # it has no file
            if not os.path.lexists(path):
                raise StorageError(StorageError.Kind.MISSING, path)  # somebody took it away: make no other
            try:
                self._unsynced.sync(path)
                paths[number] = conclude(path, trusted)
            except OSError as error:
                raise storage_error(error, path.removesuffix(SUFFIX)) from error
            self._handles.forget(path)
            self._unsynced.forget(path)
            drop_suffix(paths[number])
            self._where.suffixed.discard(number)
            assert unfinished is not None
            unfinished.finished(number)
