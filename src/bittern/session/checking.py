"""What of a torrent is on the disk: saved progress where the files still look as they did, hashing where not.

A piece counts as stored only if it was good when progress was saved and none of its files has changed since,
or if it hashes now. Saved progress that is damaged or foreign is as none.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from threading import Event

from bittern.base.bitfield import Bitfield
from bittern.base.errors import ResumeError, StorageError
from bittern.codec.metainfo import Info
from bittern.codec.resume import Resume
from bittern.io.disk.hashing import HashJob, Span, hash_pieces

from .content import Content, Stamps, stored

_TRUST, _HASH, _ABSENT = range(3)
_PROGRESS_SECONDS = 0.2


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


def plan(info: Info, stamps: Stamps, resume: Resume | None, *, trust: bool = False) -> Plan:
    """Compare how the files look with how they looked when progress was saved.

    Args:
        info: of the torrent.
        stamps: how the files look.
        resume: saved progress that belongs to `info`, or None.
        trust: believe that files of the right size are right.
    """
    geometry = info.geometry
    marks = bytearray(geometry.piece_count)
    for number, file in enumerate(info.files):
        if not stored(file) or not file.length:
            continue
        stamp = stamps[number]
        if stamp is None:
            _mark(marks, geometry.pieces_of(file.offset, file.length), _ABSENT)
        elif not (trust and stamp.size == file.length) and (resume is None or resume.files[number] != stamp):
            _mark(marks, geometry.pieces_of(file.offset, file.length), _HASH)
            _mark(marks, geometry.pieces_of(file.offset + stamp.size, file.length - stamp.size), _ABSENT)
    have = resume.have() if resume is not None and not trust else Bitfield.full(geometry.piece_count)
    suspects = [piece for piece, mark in enumerate(marks) if mark == _HASH]
    if any(marks):
        for piece in [piece for piece in have if marks[piece]]:
            have.discard(piece)
    return Plan(have, suspects, sum(map(geometry.piece_length, suspects)))


def hash_suspects(content: Content, suspects: Sequence[int], stop: Event, progress: Callable[[int], None]) -> list[int]:
    """The pieces among `suspects` that are good. Blocks; `progress` is told bytes read, from this thread.

    Args:
        content: the files.
        suspects: piece numbers.
        stop: when set from another thread, ends it early; what was not hashed is not good.
        progress: called a few times a second.
    """
    good: list[int] = []
    done, told_at = 0, 0.0
    for result in hash_pieces(_jobs(content, suspects), stop=stop):
        if result.good:
            good.append(result.piece)
        done += result.length
        if (now := time.monotonic()) - told_at >= _PROGRESS_SECONDS:
            told_at = now
            progress(done)
    return good


def refuse_foreign(content: Content, stamps: Stamps, suspects: Sequence[int], have: Bitfield) -> None:
    """Protect files that are not of this torrent from being overwritten.

    A file is one of ours if any piece of it is good, or if it has the right size and none of its pieces could be
    checked because other files are missing. Nobody's loss is a file without any data.

    Raises:
        StorageError: a file is neither.
    """
    info = content.info
    checked = set(suspects)
    for number, file in enumerate(info.files):
        stamp = stamps[number]
        if stamp is None or not stamp.size or not stored(file):
            continue
        pieces = info.geometry.pieces_of(file.offset, file.length)
        if any(piece in have for piece in pieces):
            continue
        unknown = not any(piece in checked for piece in pieces) and stamp.size == file.length
        if not unknown and content.holds_data(number):
            raise StorageError(StorageError.Kind.EXISTS, content.storage.paths[number], "no piece of it is right")


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
    info, paths = content.info, content.storage.paths
    geometry, filemap = info.geometry, content.storage.map
    for piece in pieces:
        spans = [
            Span(None if span.pad else paths[span.file], span.offset, span.length)
            for span in filemap.spans(geometry.offset(piece), geometry.piece_length(piece))
        ]
        expected, leaves = content.expected(piece)
        if expected is not None:
            yield HashJob(piece, spans, sha1=not leaves, leaves=leaves, expected=expected)
