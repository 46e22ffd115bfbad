"""One torrent's bytes in its files: positioned, vectored, dumb. No hashing, no policy, no threads."""

import errno
import os
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from bittern.base.bitfield import Bitfield
from bittern.base.errors import StorageError
from bittern.codec.filemap import FileMap
from bittern.codec.links import Link, plan_links
from bittern.codec.metainfo import Info
from bittern.io import capabilities

from .allocating import allocated, free_bytes, set_aside
from .handles import Handles, pread, pwrite
from .links import is_link, make_link, remove_link
from .moving import carry
from .parts import PartFile
from .spans import Span
from .unfinished import SUFFIX, Look, Unfinished, conclude, drop_suffix, has_suffix

_KINDS = {
    errno.ENOSPC: StorageError.Kind.DISK_FULL,
    errno.EDQUOT: StorageError.Kind.DISK_FULL,
    errno.EACCES: StorageError.Kind.PERMISSION,
    errno.EPERM: StorageError.Kind.PERMISSION,
    errno.ENOENT: StorageError.Kind.MISSING,
    errno.ESTALE: StorageError.Kind.REPLACED,
    errno.EISDIR: StorageError.Kind.NOT_A_FILE,
    errno.ENOTDIR: StorageError.Kind.NOT_A_FILE,
    errno.ELOOP: StorageError.Kind.NOT_A_FILE,
    errno.EEXIST: StorageError.Kind.NOT_A_FILE,
    errno.EROFS: StorageError.Kind.READ_ONLY,
    errno.EFBIG: StorageError.Kind.TOO_LARGE,
}


def storage_error(error: OSError, path: str) -> StorageError:
    """What an OSError means for the user."""
    kind = _KINDS.get(error.errno or 0, StorageError.Kind.IO)
    return StorageError(kind, path, error.strerror or "" if kind is StorageError.Kind.IO else "")


class FileStorage:
    """The files of one torrent.

    Args:
        info: names and lengths.
        folder: where the file, or the root folder, is or goes.
        handles: open files, shared by all torrents.
        paths: where each of `info.files` is, when not below `folder` under its own name.
    """

    def __init__(self, info: Info, folder: Path, handles: Handles, paths: Sequence[str] | None = None) -> None:
        self.map = FileMap(info.files)
        root = folder / info.name if info.multi_file else folder
        self.root = root
        self.paths = list(paths) if paths else [str(root.joinpath(*file.path)) for file in info.files]
        self.trusted: tuple[str, ...] = () if paths else (str(folder),)
        """Folders below which no link is followed; none where the user said where each file is."""
        self.parts = PartFile(info, str(folder / f".{info.wire_hash}.parts"), handles)
        self.parked: set[int] = set()
        """Files that are not made: what there is of them is in the part file."""
        self.suffixed: set[int] = set()
        """Files whose name ends in `.part`: it is so in `paths`, too."""
        self._unfinished: Unfinished | None = None
        self._info = info
        self._handles = handles
        self._dirty: dict[str, None] = {}
        self._nowait = capabilities.READ_NOWAIT
        self._in_memory: bool | None = None
        self._places = threading.RLock()  # held while the place of a file changes, or matters

    def find(self, known: Sequence[tuple[int, int] | None] | None = None, *, suffix: bool = False) -> None:
        """See which files have the suffix of unfinished ones; to be called before all else. Blocks.

        Args:
            known: size and time of each file when it was last seen, where that was noted.
            suffix: whether files that are made from now on are to have it.

        Raises:
            StorageError: a file is there under both names, and nothing tells which is ours.
        """
        taken = {path.casefold() for path in self.paths if path.casefold().endswith(SUFFIX)}  # by other files of ours
        for number, file in enumerate(self._info.files):
            if file.pad or not file.length or (self.paths[number] + SUFFIX).casefold() in taken:
                continue
            path, stamp = self.paths[number], known[number] if known is not None else None
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
                self.paths[number] = path + SUFFIX
                self.suffixed.add(number)
            elif own is not None and other is not None and own.identity == other.identity:
                drop_suffix(path)

    def expect(self, have: Bitfield) -> None:
        """`have` is stored; files with a suffix that are complete, or come to be, lose it. Blocks.

        Raises:
            StorageError: a file has no other name, for that one is taken; it stays as it is.
        """
        with self._places:
            self._unfinished = Unfinished(self._info, have, self.suffixed) if self.suffixed else None
            self._finish()

    def stored(self, piece: int) -> None:
        """A piece is in the files, and right. Blocks where it makes a file complete; raises as `expect`."""
        if self._unfinished is None:
            return
        with self._places:
            self._unfinished.stored(piece, self.map.files_of([piece], self._info.geometry))
            self._finish()

    def park(self, wanted: Collection[int]) -> None:
        """See where the bytes of each file are; to be called before anything is read or written. Blocks.

        A file that is not there is parked if it is not wanted, or as long as there is a part file: what the
        part file has of it may have been lifted out in time or not.

        Args:
            wanted: numbers of the files that may be made.
        """
        parts = os.path.lexists(self.parts.path)
        self.parked = {
            number
            for number, file in enumerate(self._info.files)
            if (parts or number not in wanted)
            and file.length
            and not file.pad
            and not os.path.lexists(self.paths[number])
        }

    def want(self, wanted: Collection[int]) -> None:
        """Only the files numbered `wanted` are to be made from now on. Blocks; may be called while pieces are written.

        What the part file has of a file that is wanted now goes to a file of its own; a file that is there and is
        not wanted any more stays. The part file goes when nothing is parked.

        Raises:
            StorageError: a file could not be made; its bytes are in the part file as before.
        """
        with self._places:
            for number, file in enumerate(self._info.files):
                if number in wanted:
                    if number in self.parked:
                        self._lift(number)
                elif file.length and not file.pad and not os.path.lexists(self.paths[number]):
                    self.parked.add(number)
            if not self.parked:
                self._dirty.pop(self.parts.path, None)
                self.parts.delete()
            self._finish()

    def move(
        self, paths: Sequence[str], parts: str, folder: str, stop: threading.Event, progress: Callable[[int], None]
    ) -> None:
        """Move its files to `paths`, one by one; reading goes on meanwhile, nothing may be written. Blocks.

        Symbolic links do not move: see `relink`.

        Args:
            paths: for each of the torrent's files, where it goes.
            parts: where the part file goes.
            folder: that all of this is in.
            stop: when set, ends it early.
            progress: told the bytes that were moved so far.

        Raises:
            StorageError: a file could not be moved; it is as it was, those before it have moved.
            MoveStoppedError: `stop` was set.
        """
        if self.trusted and folder not in self.trusted:
            self.trusted = (*self.trusted, folder)
        moved = 0

        def count(step: int) -> None:
            nonlocal moved
            moved += step
            progress(moved)

        for number, target in enumerate(paths):
            source, file = self.paths[number], self._info.files[number]
            place = target + SUFFIX if number in self.suffixed else target
            if source == place:
                continue
            if file.symlink is not None:
                self.paths[number] = place  # what it says may change: see `relink`
                continue
            before = moved
            self._carry(source, place, partial(self._now_at, number, place), stop, count)
            moved = before + file.length
            progress(moved)
        if self.parts.path != parts:
            self._carry(self.parts.path, parts, partial(setattr, self.parts, "path", parts), stop, lambda _: None)

    def _finish(self) -> None:
        """Give files that are complete their own names: synced first, and nothing is overwritten."""
        unfinished = self._unfinished
        for number in unfinished.complete() if unfinished is not None else ():
            path = self.paths[number]
            if number in self.parked:
                continue  # it has no file
            if not os.path.lexists(path):
                raise StorageError(StorageError.Kind.MISSING, path)  # somebody took it away: make no other
            try:
                self._sync(path)
                self.paths[number] = conclude(path, self.trusted)
            except OSError as error:
                raise storage_error(error, path.removesuffix(SUFFIX)) from error
            self._handles.forget(path)
            self._dirty.pop(path, None)
            drop_suffix(self.paths[number])
            self.suffixed.discard(number)
            assert unfinished is not None
            unfinished.finished(number)

    def _now_at(self, number: int, path: str) -> None:
        self.paths[number] = path

    def _carry(
        self, source: str, target: str, switch: Callable[[], None], stop: threading.Event, count: Callable[[int], None]
    ) -> None:
        self._handles.forget(target)  # of a file that was there before
        try:
            carry(source, target, switch, self._places, stop, count)
        except OSError as error:
            raise storage_error(error, target if os.path.lexists(source) else source) from error
        self._handles.forget(source)
        self._dirty.pop(source, None)

    def moved(self, number: int, path: str) -> bool:
        """Whether a file that was not found at `path`, its place a moment ago, has another now."""
        with self._places:  # it may be moving right now
            return self.paths[number] != path

    def places(self, offset: int, length: int) -> Iterator[Span]:
        """Where `length` bytes at `offset` of the torrent are, for reading them apart from this."""
        for number, begin, count, pad in self.map.spans(offset, length):
            if number in self.parked:
                yield from self.parts.spans(number, begin, count, self.paths[number])
            else:
                yield Span(None if pad else self.paths[number], begin, count)

    def create_empty(self, wanted: Collection[int] | None = None) -> None:
        """Make the folders and files that no piece would make: those without any bytes.

        Args:
            wanted: numbers of the files that may be made; None for all.

        Raises:
            StorageError: one could not be made.
        """
        for number, file in enumerate(self._info.files):
            if wanted is not None and number not in wanted:
                continue
            if not file.length and not file.pad and file.symlink is None:
                try:
                    self._handles.release(self._handles.acquire(self.paths[number], write=True, trusted=self.trusted))
                except OSError as error:
                    raise storage_error(error, self.paths[number]) from error

    def allocate(self, wanted: Collection[int]) -> None:
        """Have the system set aside all the room that files need, before anything is fetched. Blocks.

        Args:
            wanted: numbers of the files.

        Raises:
            StorageError: there is not enough room, which is found out first, or a file can not be made.
        """
        short: dict[int, int] = {}
        for number in sorted(wanted):
            file, path = self._info.files[number], self.paths[number]
            if file.length and not file.pad:
                missing = file.length - allocated(path)
                if missing > 0:
                    short[number] = missing
        if not short:
            return
        free = free_bytes(self.trusted[0] if self.trusted else os.path.dirname(self.paths[0]))  # noqa: PTH120 - plain text
        if sum(short.values()) > free:
            detail = f"{sum(short.values())} bytes are needed, {free} are free"
            raise StorageError(StorageError.Kind.DISK_FULL, str(self.root), detail)
        for number in short:
            try:
                handle = self._handles.acquire(self.paths[number], write=True, trusted=self.trusted)
                try:
                    set_aside(handle.fd, self._info.files[number].length)
                finally:
                    self._handles.release(handle)
            except OSError as error:
                raise storage_error(error, self.paths[number]) from error

    def mark_executable(self, wanted: Collection[int]) -> None:
        """Let those who may read a file run it, where the torrent says that it is a program (BEP 47). Blocks.

        Args:
            wanted: numbers of the files that are complete.

        Raises:
            StorageError: the system refuses.
        """
        for number, file in enumerate(self._info.files):
            if not file.executable or number not in wanted or number in self.parked or not hasattr(os, "fchmod"):
                continue
            try:
                handle = self._handles.acquire(self.paths[number], write=False, trusted=self.trusted)
                try:
                    mode = os.fstat(handle.fd).st_mode & 0o7777
                    os.fchmod(handle.fd, mode | (mode & 0o444) >> 2)
                finally:
                    self._handles.release(handle)
            except OSError as error:
                raise storage_error(error, self.paths[number]) from error

    def make_links(self, wanted: Collection[int]) -> dict[str, str]:
        """Make the symbolic links of the torrent (BEP 47); why some were not made, by their paths. Blocks.

        Nothing that is there is overwritten. Where the user said what the content is, none is made: links are the
        user's own there.

        Args:
            wanted: numbers of the files that are complete, and of the links that may be made.
        """
        if not self.trusted:
            return {}
        with self._places:
            links, refused = self._plan_links(wanted)
            problems = {self.paths[number]: reason for number, reason in refused.items()}
            for link in links:
                self._make_link(link, problems)
        return problems

    def own_links(self) -> dict[int, tuple[str, str]]:
        """The links that are there and say what ours do, by number: where, and what they say. Blocks."""
        if not self.trusted:
            return {}
        with self._places:
            here = {link.number: (self.paths[link.number], link.text) for link in self._plan_links()[0]}
        return {number: link for number, link in here.items() if is_link(*link, self.trusted)}

    def relink(self, before: Mapping[int, tuple[str, str]]) -> dict[str, str]:
        """After files moved, let the links that `own_links` found before do so; why some did not. Blocks."""
        problems: dict[str, str] = {}
        with self._places:
            now = {link.number: link for link in self._plan_links()[0]}
            for number, (path, text) in before.items():
                link = now.get(number)
                if link is not None and (self.paths[number], link.text) == (path, text):
                    continue
                if link is not None and self.paths[number] != path:  # whole at one of the two places at every moment
                    self._make_link(link, problems)
                try:
                    remove_link(path, text, self.trusted)
                except OSError as error:
                    problems[path] = str(error.strerror)
                if link is not None and self.paths[number] == path:
                    self._make_link(link, problems)
        return problems

    def _plan_links(self, wanted: Collection[int] | None = None) -> tuple[list[Link], dict[int, str]]:
        if not any(file.symlink is not None for file in self._info.files):
            return [], {}
        root = str(self.root).rstrip("/") + "/"
        own = (path.removesuffix(SUFFIX) if at in self.suffixed else path for at, path in enumerate(self.paths))
        return plan_links(
            self._info.files, [path[len(root) :] if path.startswith(root) else "" for path in own], wanted
        )

    def _make_link(self, link: Link, problems: dict[str, str]) -> None:
        path = self.paths[link.number]
        try:
            make_link(path, link.text, self.trusted)
        except FileExistsError:
            problems[path] = "something else is in its place"
        except OSError as error:
            problems[path] = str(error.strerror)

    def write(self, offset: int, data: memoryview) -> None:
        """Write `data` at `offset` of the torrent; what falls into pads is dropped.

        Raises:
            StorageError: not all of it is in the files.
        """
        at = 0
        for number, begin, length, pad in self.map.spans(offset, len(data)):
            if number in self.parked:
                self._write_parked(number, begin, data[at : at + length])
            elif not pad:
                self._write_file(number, begin, data[at : at + length])
            at += length

    def read_into(self, offset: int, into: memoryview) -> None:
        """Fill `into` from `offset` of the torrent; pads are zeros. May wait for the disk.

        Raises:
            StorageError: a file is missing, too short or unreadable.
        """
        at = 0
        for number, begin, length, pad in self.map.spans(offset, len(into)):
            part = into[at : at + length]
            if pad:
                part[:] = bytes(length)
            elif number in self.parked and self._read_parked(number, begin, part):
                pass
            elif not self._read_file(number, begin, part, 0):
                raise StorageError(StorageError.Kind.IO, self.paths[number], "shorter than it should be")
            at += length

    def read_now(self, offset: int, into: memoryview) -> bool:
        """As `read_into`, but only if that needs no waiting and finds all of it; else False."""
        if not self._nowait and not self._in_memory:
            return False
        at = 0
        try:
            for number, begin, length, pad in self.map.spans(offset, len(into)):
                part = into[at : at + length]
                if pad:
                    part[:] = bytes(length)
                elif number in self.parked or not self._read_file(number, begin, part, self._nowait):
                    return False
                at += length
        except StorageError:
            return False  # the reading that may wait meets it again, and reports it
        return True

    def sync(self) -> None:
        """Wait until what was written is on the disk.

        Raises:
            StorageError: the system can not say so for a file.
        """
        for path in list(self._dirty):
            self._dirty.pop(path, None)  # another thread may have done it: the file has gone elsewhere
            try:
                self._sync(path)
            except OSError as error:
                if path == self.parts.path and isinstance(error, FileNotFoundError):
                    continue  # what it had was synced into the files of its own, then it was deleted
                raise storage_error(error, path) from error

    def _sync(self, path: str) -> None:
        # Opened for writing, a file that has gone would be made anew; Windows syncs no other.
        handle = self._handles.acquire(path, write=os.name == "nt", trusted=self.trusted)
        try:
            getattr(os, "fdatasync", os.fsync)(handle.fd)
        finally:
            self._handles.release(handle)

    def close(self) -> None:
        """Close its files."""
        self._handles.forget(self.parts.path)
        self._handles.close(str(self.root))

    def _write_parked(self, number: int, begin: int, data: memoryview) -> None:
        with self._places:
            try:
                if number in self.parked and self.parts.write(number, begin, data):
                    self._dirty[self.parts.path] = None
                    return
                if number in self.parked:  # a piece of this file alone was under way when nobody wanted it any more
                    self._lift(number)
            except OSError as error:
                raise storage_error(error, self.parts.path) from error
            self._write_file(number, begin, data)

    def _read_parked(self, number: int, begin: int, into: memoryview) -> bool:
        """Fill `into`; False when the bytes are, or would be, in the file itself."""
        with self._places:
            try:
                return number in self.parked and self.parts.read(number, begin, into)
            except OSError as error:
                raise storage_error(error, self.parts.path) from error

    def _lift(self, number: int) -> None:
        try:
            self.parts.lift(number, self.paths[number], self.trusted)
        except OSError as error:
            raise storage_error(error, self.paths[number]) from error
        self.parked.discard(number)

    def _write_file(self, number: int, begin: int, data: memoryview) -> None:
        path = self.paths[number]
        try:
            handle = self._handles.acquire(path, write=True, trusted=self.trusted)
            try:
                done = 0
                while done < len(data):
                    done += pwrite(handle, data[done:], begin + done)
            finally:
                self._handles.release(handle)
        except OSError as error:
            raise storage_error(error, path) from error
        self._dirty[path] = None

    def _read_file(self, number: int, begin: int, into: memoryview, flags: int) -> bool:
        """Fill `into`; False when the file is too short, or with `flags` when that would wait."""
        path = self.paths[number]
        try:
            handle = self._handles.acquire(path, write=False, trusted=self.trusted)
            try:
                done = 0
                while done < len(into):
                    count = pread(handle, into[done:] if done else into, begin + done, flags)
                    if not count:
                        return False
                    done += count
            finally:
                self._handles.release(handle)
        except BlockingIOError:
            return False
        except OSError as error:
            if flags and error.errno == errno.EOPNOTSUPP:
                self._nowait = 0
                self._in_memory = capabilities.in_memory(Path(path).stat().st_dev)
                return self._in_memory and self._read_file(number, begin, into, 0)
            if isinstance(error, FileNotFoundError) and self.moved(number, path):
                return self._read_file(number, begin, into, flags)
            raise storage_error(error, path) from error
        return True
