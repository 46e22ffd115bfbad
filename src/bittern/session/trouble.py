"""What is wrong with one torrent, and when it is tried again."""

from math import inf

from bittern.base.errors import BitternError, StorageError

from .status import State

SECOND_TRIES = 3
"""So often what cannot be read of a file is read once more, if that helps."""


class Trouble:
    """The error that a torrent has, while it has one.

    Args:
        retry_seconds: what may have passed is tried again after so long.
    """

    def __init__(self, retry_seconds: float) -> None:
        self.error: BitternError | None = None
        self._retry_seconds = retry_seconds
        self._retry_due = inf
        self._unreadable: set[str] = set()
        self._tries: dict[str, int] = {}

    def is_worth_a_second_try(self, error: StorageError) -> bool:
        """Whether what could not be read is read once more before anything is done about it.

        A few times for each file it is, as long as that helps: cables, controllers and network file systems have their
        moments, and too many files are open for a moment only.
        """
        tries = self._tries.get(error.path, 0)
        passing = (StorageError.Kind.IO, StorageError.Kind.TOO_MANY_OPEN)
        if error.kind not in passing or tries >= SECOND_TRIES:
            return False
        self._tries[error.path] = tries + 1
        return True

    def persists(self, error: StorageError) -> None:
        """The second try failed, too: there is none for this file any more."""
        self._tries[error.path] = SECOND_TRIES

    def is_surmountable(self, error: StorageError, *, reading: bool) -> bool:
        """Whether another look at the files is the answer to what the disk said, instead of failing.

        It is when files are not what they were, and when something of a file cannot be read for the first time: as a
        rule that is one bad place, which is healed by writing it anew.
        """
        if error.kind in (StorageError.Kind.REPLACED, StorageError.Kind.MISSING):
            return reading or error.kind is StorageError.Kind.REPLACED
        first = error.path not in self._unreadable
        self._unreadable.add(error.path)
        return reading and first and error.kind is StorageError.Kind.IO

    def met(self, error: BitternError, now: float) -> State:
        """The state that `error` means; missing files may come back, and a full disk may get room."""
        self.error = error
        passing = isinstance(error, StorageError) and error.kind in (
            StorageError.Kind.GONE,
            StorageError.Kind.DISK_FULL,
            StorageError.Kind.TOO_MANY_OPEN,
        )
        self._retry_due = now + self._retry_seconds if passing else inf
        gone = isinstance(error, StorageError) and error.kind is StorageError.Kind.GONE
        return State.MISSING_FILES if gone else State.FAILED

    def clear(self) -> None:
        """Nothing is wrong any more, as far as one knows."""
        self.error, self._retry_due = None, inf

    def may_be_over(self, now: float) -> bool:
        """Whether it is time to try again; says so once."""
        due = self._retry_due <= now
        if due:
            self._retry_due = inf
        return due
