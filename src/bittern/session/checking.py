"""What of a torrent is on the disk: saved progress where the files still look as they did, hashing where not.

A piece counts as stored only if it was good when progress was saved and none of its files has changed since,
or if it hashes now. Saved progress that is damaged or foreign is as none.
"""

import asyncio
import time
from bisect import bisect_right
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf
from threading import Event

from bittern.base.bitfield import Bitfield
from bittern.base.errors import ResumeError, StorageError
from bittern.codec.hybrid import contradiction
from bittern.codec.merkle import HASH_BYTES
from bittern.codec.metainfo import Info
from bittern.codec.resume import Resume
from bittern.io.disk.hashing import HashJob, hash_pieces
from bittern.io.disk.opening import reader

from .content import Content, Stamps, stored

_TRUST, _HASH, _ABSENT = range(3)
_PROGRESS_SECONDS = 0.2
_BURST_SECONDS = 0.05
_REPLACED_PIECES = 2
"""So many pieces of a file are not lost at once by anything but its being another file."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to believe and what to read.

    Attributes:
        have: pieces that saved progress vouches for.
        suspects: pieces whose bytes are all there, to be hashed; ascending.
        to_hash_bytes: bytes of these.
    """

    have: Bitfield
    suspects: Sequence[int]
    to_hash_bytes: int


def read_resume(blob: bytes | None, info: Info) -> Resume | None:
    """Saved progress of this torrent; None when there is none that can be believed."""
    if blob is None:
        return None
    try:
        resume = Resume.decode(blob)
        resume.check(info)
    except ResumeError:
        return None
    return resume


def doubting(resume: Resume, piece: int) -> Resume:
    """The same, but for one piece that is not believed to be stored."""
    have, unchecked = resume.have(), resume.to_check()
    have.discard(piece)
    unchecked.add(piece)
    return replace(resume, pieces=bytes(have), unchecked=bytes(unchecked))


def missing(info: Info, stamps: Stamps, resume: Resume) -> list[int]:
    """Numbers of the files that had bytes of stored pieces when progress was saved, and are not there any more.

    Of files in the part file (their times are negative) nobody would miss anything.
    """
    have = resume.have()
    for piece in resume.to_check():
        have.add(piece)
    return [
        number
        for number, (before, now) in enumerate(zip(resume.files, stamps, strict=True))
        if before is not None
        and before.size
        and before.mtime_ns >= 0
        and (now is None or now.mtime_ns < 0)
        and any(piece in have for piece in _pieces(info, number))
    ]


def miss(content: Content, stamps: Stamps, resume: Resume) -> None:
    """Make sure that nothing is gone that was there.

    Raises:
        StorageError: it is; the first file is named.
    """
    gone = missing(content.info, stamps, resume)
    if gone:
        others = f"and {len(gone) - 1} more files of this torrent" if len(gone) > 1 else ""
        raise StorageError(StorageError.Kind.GONE, content.storage.paths[gone[0]], others)


def plan(
    info: Info, stamps: Stamps, resume: Resume | None, *, trust: bool = False, parked: Container[int] = ()
) -> Plan:
    """Compare how the files look with how they looked when progress was saved.

    Args:
        info: of the torrent.
        stamps: how the files look.
        resume: saved progress that belongs to `info`, or None.
        trust: believe that files of the right size are right.
        parked: numbers of the files of which only the part file has anything: of their first and last pieces.
    """
    geometry = info.geometry
    marks = bytearray(geometry.piece_count)
    for number, file in enumerate(info.files):
        if not stored(file) or not file.length:
            continue
        stamp, pieces = stamps[number], geometry.pieces_of(file.offset, file.length)
        if number in parked and stamp is not None:
            if resume is None or resume.files[number] != stamp:
                _mark(marks, pieces[1:-1], _ABSENT)
                _mark(marks, pieces[:1], _HASH)
                _mark(marks, pieces[-1:], _HASH)
        elif stamp is None:
            _mark(marks, pieces, _ABSENT)
        else:
            if not (trust and stamp.size == file.length) and (resume is None or resume.files[number] != stamp):
                _mark(marks, pieces, _HASH)
            # Whatever was saved: it may have been cut while it was written to, and nobody could tell by its time.
            _mark(marks, geometry.pieces_of(file.offset + stamp.size, file.length - stamp.size), _ABSENT)
    have = resume.have() if resume is not None and not trust else Bitfield.full(geometry.piece_count)
    for piece in resume.to_check() if resume is not None and resume.unchecked and not trust else ():
        marks[piece] = max(marks[piece], _HASH)
    suspects = [piece for piece, mark in enumerate(marks) if mark == _HASH]
    if any(marks):
        for piece in [piece for piece in have if marks[piece]]:
            have.discard(piece)
    return Plan(have, suspects, sum(map(geometry.piece_length, suspects)))


class Pace:
    """How a check goes on: told by the loop, obeyed by the thread that checks.

    Args:
        bytes_per_second: read at most so fast on average.
    """

    def __init__(self, bytes_per_second: float = inf) -> None:
        self.stop = Event()
        """Set when hashing is to end, or has ended."""
        self.cancelled = False
        self._rate = bytes_per_second
        self._go = asyncio.Event()
        self._go.set()
        self._ahead = 0.0  # seconds that reading is ahead of its rate
        self._obeyed_at = time.monotonic()

    @property
    def threads(self) -> int | None:
        """How many threads are to hash: a slow check needs one, and reads less ahead; None for the usual number."""
        return None if self._rate == inf else 1

    @property
    def paused(self) -> bool:
        """Whether it waits for `resume`."""
        return not self._go.is_set()

    def pause(self) -> None:
        """Read nothing more, apart from what is being read, until `resume`."""
        self._go.clear()

    def resume(self) -> None:
        """Go on where it was."""
        self._go.set()

    async def resumed(self) -> None:
        """Wait until it is not paused."""
        await self._go.wait()

    def cancel(self) -> None:
        """End."""
        self.cancelled = True
        self.stop.set()
        self._go.set()

    def begin(self) -> None:
        """Hashing begins, again. In the checking thread."""
        self.stop = Event()
        if self.cancelled:
            self.stop.set()

    def obey(self, count: int) -> bool:
        """`count` bytes were read: wait until more may be, and whether at all. In the checking thread."""
        now = time.monotonic()
        self._ahead = max(0.0, self._ahead - (now - self._obeyed_at)) + count / self._rate
        self._obeyed_at = now
        if self._ahead > _BURST_SECONDS:
            self.stop.wait(self._ahead - _BURST_SECONDS)
        return not self.cancelled and not self.paused


@dataclass(frozen=True, slots=True)
class Hashed:
    """How far a check has come.

    Attributes:
        good: pieces that are right, ascending.
        left: pieces that are still to be hashed, ascending.
    """

    good: list[int]
    left: Sequence[int]


def hash_suspects(
    content: Content, suspects: Sequence[int], pace: Pace, progress: Callable[[int], None], seconds: float = inf
) -> Hashed:
    """Find out which of `suspects` are good. Blocks; `progress` is told bytes read, from this thread.

    Args:
        content: the files.
        suspects: piece numbers.
        pace: ends it early, and slows it.
        progress: called a few times a second.
        seconds: for so long at most.

    Raises:
        MetainfoError: a piece has one of a hybrid's two hashes and not the other.
    """
    pace.begin()
    good: list[int] = []
    done, last = 0, -1
    began = time.monotonic()
    told_at = 0.0
    jobs = _jobs(content, suspects)
    for result in hash_pieces(
        jobs, open_file=reader(content.storage.where.trusted), stop=pace.stop, threads=pace.threads
    ):
        if result.contradictory:
            raise contradiction(result.piece)
        if result.good:
            good.append(result.piece)
        last = result.piece
        done += result.length
        if (now := time.monotonic()) - told_at >= _PROGRESS_SECONDS:
            told_at = now
            progress(done)
        if not pace.obey(result.length) or now - began >= seconds:
            break
    else:
        if not pace.cancelled:
            return Hashed(good, ())
    return Hashed(good, suspects[bisect_right(suspects, last) :])


def refuse_foreign(
    content: Content, stamps: Stamps, suspects: Sequence[int], have: Bitfield, had: Bitfield | None = None
) -> None:
    """Protect files that are not of this torrent from being overwritten.

    A file is one of ours if any piece of it is good, or if it has the right size and none of its pieces could be
    checked because other files are missing. Nobody's loss is a file without any data.

    Args:
        content: the files.
        stamps: how they look.
        suspects: the pieces that were hashed.
        have: the pieces that are good.
        had: of a download that is under way, the pieces that were stored: only a file that has lost several of them,
            and has none any more, was replaced. A single one may as well be a bad place on the disk.

    Raises:
        StorageError: a file is neither; the largest one is named.
    """
    info = content.info
    # A piece that is partly in the part file says nothing about the file that has the rest.
    checked = Bitfield(have.size, suspects)
    for number in tuple(content.storage.parked):  # it may change meanwhile: somebody wants a file
        for piece in _pieces(info, number):
            checked.discard(piece)
    foreign = []
    for number, file in enumerate(info.files):
        stamp = stamps[number]
        if stamp is None or not stamp.size or not stored(file) or number in content.storage.parked:
            continue
        pieces = info.geometry.pieces_of(file.offset, file.length)
        if any(piece in have for piece in pieces):
            continue
        if had is not None and sum(piece in had for piece in pieces) < _REPLACED_PIECES:
            continue
        unknown = not any(piece in checked for piece in pieces) and stamp.size == file.length
        if not unknown and content.holds_data(number):
            foreign.append(number)
    if foreign:  # a small one may only share its piece with the one that was replaced: name the largest
        worst = max(foreign, key=lambda number: info.files[number].length)
        raise StorageError(StorageError.Kind.EXISTS, content.storage.paths[worst], "no piece of it is right")


def _pieces(info: Info, number: int) -> range:
    return info.geometry.pieces_of(info.files[number].offset, info.files[number].length)


def _mark(marks: bytearray, pieces: range, mark: int) -> None:
    """Raise the marks of `pieces` to `mark`; only the first and the last are shared with other files."""
    if not pieces:
        return
    first, last = pieces[0], pieces[-1]
    marks[first] = max(marks[first], mark)
    marks[last] = max(marks[last], mark)
    if len(pieces) > 2:
        marks[first + 1 : last] = bytes([mark]) * (len(pieces) - 2)


def _jobs(content: Content, pieces: Sequence[int]) -> Iterator[HashJob]:
    info, storage = content.info, content.storage
    geometry = info.geometry
    for piece in pieces:
        spans = list(storage.places(geometry.offset(piece), geometry.piece_length(piece)))
        expected, leaves = content.expected(piece)
        if expected is not None:
            yield HashJob(piece, spans, sha1=len(expected) != HASH_BYTES, leaves=leaves, expected=expected)
