"""What one connection has yet to ask for, what it has asked for, and the pads between, which nobody is asked for."""

from collections import deque
from collections.abc import Callable, Iterable

from bittern.wire.webseed import FileRange

from .cursor import Cursor


class Course:
    """Parts of files in the order in which their bytes land.

    Args:
        cursor: takes the zeros of pads.
        stir: called when a pad is written: there may be something for the disk.

    Attributes:
        stuck: whether a pad is next and there was no memory for it.
    """

    def __init__(self, cursor: Cursor, stir: Callable[[], None]) -> None:
        self.stuck = False
        self._cursor = cursor
        self._stir = stir
        self._ahead: deque[FileRange] = deque()
        self._flight: deque[FileRange] = deque()
        self._padded = 0  # bytes of the first pad in flight that are written

    @property
    def first(self) -> FileRange | None:
        """What is to be asked for next, a pad perhaps."""
        return self._ahead[0] if self._ahead else None

    @property
    def flying(self) -> int:
        """Parts that were asked for and are not here, and pads among them."""
        return len(self._flight)

    @property
    def answered(self) -> FileRange:
        """The oldest that was asked for."""
        return next(part for part in self._flight if not part.pad)

    @property
    def busy(self) -> bool:
        """Whether anything is to be asked for, or to come."""
        return bool(self._ahead or self._flight)

    def add(self, parts: Iterable[FileRange]) -> None:
        """These come after all others."""
        self._ahead.extend(parts)

    def named(self) -> FileRange | None:
        """The next that has to be asked of somebody, when all pads before it are under way."""
        while self._ahead and self._ahead[0].pad:
            self._flight.append(self._ahead.popleft())
        self.fill_pads()
        return self.first

    def ask(self) -> FileRange:
        """The next is asked for now."""
        part = self._ahead.popleft()
        self._flight.append(part)
        return part

    def came(self) -> FileRange:
        """The oldest that was asked for is here."""
        part = self._flight.popleft()
        self.fill_pads()
        return part

    def drop_file(self, file: int) -> None:
        """Nothing more of a file is to be asked for: it comes anyway."""
        self._ahead = deque(part for part in self._ahead if part.file != file)

    def shorten(self, begin: int, end: int) -> None:
        """The last bytes, from `begin` to `end` of the torrent, are not to be asked for."""
        ahead = self._ahead
        while ahead and begin <= ahead[-1].offset < end:
            ahead.pop()
        if ahead and ahead[-1].offset < begin < ahead[-1].offset + ahead[-1].length:
            ahead[-1] = ahead[-1]._replace(length=begin - ahead[-1].offset)

    def renew(self, parts: Iterable[FileRange] = ()) -> None:
        """Nothing is in flight any more; these are to come, and nothing else."""
        self._ahead = deque(parts)
        self._flight.clear()
        self._padded = 0
        self.stuck = False

    def fill_pads(self) -> bool:
        """Write the zeros of the pads that are next; False where there is no memory for them."""
        flight, cursor = self._flight, self._cursor
        self.stuck = False
        while flight and flight[0].pad:
            part = flight[0]
            while self._padded < part.length:
                at = part.offset + self._padded
                places = cursor.place(at, part.length - self._padded)
                if not places:
                    self.stuck = True
                    return False
                for place in places:
                    place[:] = bytes(len(place))
                count = sum(map(len, places))
                cursor.landed(at, count)
                self._padded += count
            flight.popleft()
            self._padded = 0
            self._stir()
        return True
