"""Check files against their torrent: v2 by merkle tree, file by file; v1 by piece over the files; hybrids by both."""

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum, unique
from pathlib import Path
from threading import Event
from typing import TypeAlias

from bittern.base.errors import MetainfoError
from bittern.codec.filemap import FileMap
from bittern.codec.hybrid import contradiction
from bittern.codec.merkle import HASH_BYTES, tree_width
from bittern.codec.metainfo import File, Info, Metainfo
from bittern.io.disk.hashing import HashJob, HashResult, hash_pieces
from bittern.io.disk.spans import Span, Trouble
from bittern.io.disk.unfinished import SUFFIX

from .create import Progress

_GOOD, _WRONG, _UNREAD = range(3)
_Troubles: TypeAlias = dict[str, tuple[Trouble, str]]


@unique
class FileState(Enum):
    """What was found of a file."""

    GOOD = "good"
    DAMAGED = "damaged"
    MISSING = "missing"
    SHORT = "short"
    LONG = "long"
    UNREADABLE = "unreadable"
    UNCERTAIN = "uncertain"
    """Shares a piece with a file that could not be read, so that this piece could not be checked."""


@dataclass(frozen=True, slots=True)
class FileVerdict:
    """What was found of one file.

    Attributes:
        number: index in `Info.files`.
        path: where it was looked for.
        state: what is wrong, or GOOD.
        bad_pieces: the pieces it lies in that are not good.
        detail: the system's words when it could not be read.
    """

    number: int
    path: str
    state: FileState
    bad_pieces: tuple[int, ...] = ()
    detail: str = ""


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What `verify` found.

    Attributes:
        piece_count: pieces of the torrent.
        bad_pieces: those that are wrong or could not be read, ascending.
        good_bytes: bytes of files (no pads) in good pieces.
        files: every file but pads and links.
    """

    piece_count: int
    bad_pieces: tuple[int, ...]
    good_bytes: int
    files: tuple[FileVerdict, ...] = field(repr=False)

    @property
    def good(self) -> bool:
        """Whether everything is as the torrent says."""
        return not self.bad_pieces and all(file.state is FileState.GOOD for file in self.files)


def locate(info: Info, path: Path) -> list[Path]:
    """Where each of `Info.files` is, for the content itself or the folder that holds it.

    Of the two readings of a folder the one is taken that finds more of the files in their right size; the
    folder itself when it is a draw and has the torrent's name. A file that is not there is looked for under the name
    that unfinished ones may have.
    """
    if not info.multi_file:
        return [_whole_or_part(path / info.name if path.is_dir() else path)]
    inside = path / info.name
    votes = _present(info, path), _present(info, inside)
    root = path if votes[0] > votes[1] or (votes[0] == votes[1] and path.name == info.name) else inside
    return [_whole_or_part(root.joinpath(*file.path)) for file in info.files]


def _whole_or_part(path: Path) -> Path:
    part = path.with_name(path.name + SUFFIX)
    # No complaint where the suffix makes the name longer than the system allows: such a file cannot be there.
    return part if not os.path.lexists(path) and os.path.isfile(part) else path  # noqa: PTH113 - Path would complain


def _present(info: Info, root: Path) -> int:
    """How many of the first files are there; a sample tells as well as all."""
    sample = [file for file in info.files if _stored(file)][:100]
    return sum(_size(str(_whole_or_part(root.joinpath(*file.path)))) == file.length for file in sample)


def verify(
    metainfo: Metainfo,
    paths: Sequence[Path],
    *,
    threads: int | None = None,
    progress: Progress = lambda _done, _total: None,
    stop: Event | None = None,
) -> VerifyReport:
    """Hash the files and compare.

    Args:
        metainfo: the torrent.
        paths: where each of `Info.files` is (`locate`).
        threads: to hash with; None for one for each processor.
        progress: told bytes done and bytes in all.
        stop: when set from another thread, ends it early; what was not checked counts as bad.

    Raises:
        MetainfoError: a v2 torrent without its piece layers cannot be checked; a piece has one of a hybrid's two
            hashes and not the other.
    """
    info = metainfo.info
    names = [str(path) for path in paths]
    marks = bytearray([_UNREAD]) * info.geometry.piece_count
    troubles: _Troubles = {}
    good_bytes = done = 0
    for result in hash_pieces(_jobs(metainfo, names), threads=threads, stop=stop):
        if result.contradictory:
            raise contradiction(result.piece)
        marks[result.piece] = _mark(result)
        good_bytes += result.length if result.good else 0
        troubles.update((fault.path, (fault.trouble, fault.detail)) for fault in result.faults)
        done += result.length
        progress(done, info.total_length)
    return VerifyReport(
        piece_count=len(marks),
        bad_pieces=tuple(piece for piece, mark in enumerate(marks) if mark),
        good_bytes=good_bytes - _good_pads(info, marks),
        files=tuple(
            _verdict(info, number, names[number], marks, troubles)
            for number, file in enumerate(info.files)
            if _stored(file)
        ),
    )


def _mark(result: HashResult) -> int:
    if result.faults:
        return _UNREAD
    return _GOOD if result.good else _WRONG


def _stored(file: File) -> bool:
    return not file.pad and file.symlink is None


def _jobs(metainfo: Metainfo, names: Sequence[str]) -> Iterator[HashJob]:
    info = metainfo.info
    layered = all(
        file.pieces_root is None or file.length <= info.piece_size or file.pieces_root in metainfo.piece_layers
        for file in info.files
    )
    if info.info_hash_v2 is not None and layered:
        return _jobs_v2(metainfo, names)
    if info.info_hash_v1 is None:
        raise MetainfoError("piece layers", "missing, so that only whole files could be checked")
    return _jobs_v1(info, names)


def _jobs_v1(info: Info, names: Sequence[str]) -> Iterator[HashJob]:
    geometry, filemap = info.geometry, FileMap(info.files)
    for piece in range(geometry.piece_count):
        spans = [
            Span(None if span.pad else names[span.file], span.offset, span.length)
            for span in filemap.spans(geometry.offset(piece), geometry.piece_length(piece))
        ]
        yield HashJob(piece, spans, expected=info.piece_hash(piece))


def _jobs_v2(metainfo: Metainfo, names: Sequence[str]) -> Iterator[HashJob]:
    """One job for each piece; pads are no part of a tree, but of the count of bytes and of the SHA-1 of a hybrid."""
    info = metainfo.info
    size, geometry = info.piece_size, info.geometry
    for number, file in enumerate(info.files):
        if file.pieces_root is None:
            continue
        layer = metainfo.piece_layers[file.pieces_root] if file.length > size else file.pieces_root
        width = tree_width(file.length, size)
        first = file.offset // size
        for index, offset in enumerate(range(0, file.length, size)):
            length = min(size, file.length - offset)
            pad = min(size, info.total_length - geometry.offset(first + index)) - length
            spans = [Span(names[number], offset, length), *([Span(None, 0, pad)] if pad else ())]
            expected = layer[index * HASH_BYTES : (index + 1) * HASH_BYTES]
            if info.piece_hashes:
                expected = info.piece_hash(first + index) + expected
            yield HashJob(first + index, spans, sha1=bool(info.piece_hashes), leaves=width, expected=expected)


def _good_pads(info: Info, marks: bytearray) -> int:
    """Bytes of pads in good pieces."""
    total = 0
    for file in info.files:
        if file.pad:
            for piece in info.geometry.pieces_of(file.offset, file.length):
                begin = max(file.offset, piece * info.piece_size)
                end = min(file.offset + file.length, (piece + 1) * info.piece_size)
                total += 0 if marks[piece] else end - begin
    return total


def _verdict(info: Info, number: int, path: str, marks: bytearray, troubles: _Troubles) -> FileVerdict:
    file = info.files[number]
    bad = tuple(piece for piece in info.geometry.pieces_of(file.offset, file.length) if marks[piece])
    trouble, detail = troubles.get(path, (None, ""))
    size = _size(path)
    if trouble is Trouble.MISSING or (size is None and not file.length):
        state = FileState.MISSING
    elif trouble is not None and trouble is not Trouble.SHORT:
        state = FileState.UNREADABLE
    elif size is not None and size != file.length:
        state = FileState.SHORT if size < file.length else FileState.LONG
    elif any(marks[piece] == _WRONG for piece in bad):
        state = FileState.DAMAGED
    else:
        state = FileState.UNCERTAIN if bad else FileState.GOOD
    return FileVerdict(number, path, state, bad, detail)


def _size(path: str) -> int | None:
    """Bytes of a regular file; None when there is none."""
    try:
        status = os.stat(path)  # noqa: PTH116 - text paths: 100,000 Path objects cost a second
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None
