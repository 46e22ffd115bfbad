"""From metadata to the pieces that are stored: looking, believing, hashing, and refusing what is not ours."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from bittern.base.bitfield import Bitfield
from bittern.base.errors import CheckCancelledError, StorageError
from bittern.codec.metainfo import Info
from bittern.codec.resume import Resume
from bittern.engine.download.priorities import piece_priorities

from . import events
from .checking import Pace, Plan, doubting, hash_suspects, miss, plan, read_resume, refuse_foreign
from .content import Content, Stamps
from .journal import Journal
from .options import AddOptions, check_priorities
from .placement import Placement
from .surroundings import Surroundings

Note = Callable[[Bitfield, Bitfield], Awaitable[None]]
"""Keeps how far a check has come: pieces that are stored, and those that are still to be hashed."""


@dataclass(slots=True, eq=False)
class Glance:
    """What was seen at a first look.

    Attributes:
        content: the files.
        resume: saved progress that belongs to them, or None.
        believed: likewise, where it is to be believed.
        ours: whether the files are known to be the torrent's, whatever is found.
        stamps: how they look.
        todo: what of them is believed, and what is to be hashed.
        error: why nothing more can be done.
    """

    content: Content
    resume: Resume | None
    believed: Resume | None
    ours: bool
    stamps: Stamps = field(init=False)
    todo: Plan = field(init=False)
    error: StorageError | None = None


class Inspection:
    """Looks at one torrent's files, as often as it is asked to.

    Args:
        options: where they are and how to treat them.
        journal: keeps what was found.
        publisher: is told how it goes.
        surroundings: for threads and files.
    """

    def __init__(
        self, options: AddOptions, journal: Journal, publisher: events.Publisher, surroundings: Surroundings
    ) -> None:
        self._options = options
        self._journal = journal
        self._publisher = publisher
        self._surroundings = surroundings
        self.progress: tuple[int, int] | None = None
        """Bytes hashed and to be hashed, while that goes on."""
        self.pace: Pace | None = None
        """Steers the hashing that goes on."""

    async def open(self, info: Info, layers: Mapping[bytes, bytes], saved: bytes | None = None) -> Content:
        """The files of `info`, not looked at yet.

        Args:
            info: of the torrent.
            layers: its piece layers, as far as they are known (BEP 52).
            saved: progress that was saved.

        Raises:
            SessionError: a selected file does not exist, or one that has a priority.
            StorageError: a file is there under two names.
        """
        return await self._surroundings.in_thread(lambda: self._open(info, layers, read_resume(saved, info)))

    def _open(self, info: Info, layers: Mapping[bytes, bytes], resume: Resume | None) -> Content:
        options, handles = self._options, self._surroundings.runtime.handles
        content = Content(info, options.save_path, handles, options.select, options.content, layers)
        if options.root is not None or options.names:
            placement = Placement.of(info, options)
            content.place(placement.folder / placement.root, placement.paths(info))
        if options.priorities:
            check_priorities(info, options.priorities)
            wanted = piece_priorities(info, options.file_priorities(info))
            content.choose(Bitfield.marked(wanted), options.wanted_files(info))
        suffix = self._surroundings.settings.part_suffix
        content.find(resume.files if resume is not None else None, suffix=suffix)
        content.park()
        return content

    async def glance(
        self,
        info: Info,
        layers: Mapping[bytes, bytes],
        saved: bytes | None,
        *,
        known: bool,
        believe: bool = True,
        doubted: int | None = None,
    ) -> Glance:
        """The files of `info`, and what is known of them without reading any; `run` is to follow.

        Args:
            info: of the torrent.
            layers: its piece layers, as far as they are known (BEP 52).
            saved: progress that was saved.
            known: whether the files are ours by what was saved.
            believe: whether files that look as they did are believed, and missed when they are gone.
            doubted: a piece that is hashed all the same.

        Raises:
            SessionError, StorageError: as `open`.
        """
        complete = self._journal.counters.completed_at is not None  # what was, somebody else has changed

        def glance() -> Glance:
            resume = read_resume(saved, info)
            content = self._open(info, layers, resume)
            ours = known and not complete and (resume is None or (resume.ours and resume.completed_at is None))
            if resume is not None and doubted is not None:
                resume = doubting(resume, doubted)
            found = Glance(content, resume, resume if believe else None, ours)
            try:
                self._look(found)
            except StorageError as error:
                found.error = error
            return found

        return await self._surroundings.in_thread(glance)

    async def run(
        self,
        found: Glance,
        trackers: tuple[tuple[str, ...], ...],
        fetch: Callable[[], Awaitable[Mapping[bytes, bytes]]],
    ) -> Bitfield:
        """Find out which pieces are stored, and note it.

        Args:
            found: at the first look.
            trackers: its tiers, to be kept.
            fetch: gets the piece layers, where files cannot be checked without (BEP 52).

        Raises:
            StorageError: files are missing (GONE), foreign (EXISTS), or cannot be read or made.
            CheckCancelledError: `pace` ended it.
        """
        if found.error is not None:
            raise found.error
        in_thread, content, resume = self._surroundings.in_thread, found.content, found.resume
        if content.lacks_hashes(found.todo.suspects):
            content.learn(await fetch())
            await in_thread(self._look, found)
        have = found.todo.have
        if found.todo.suspects:
            note = partial(self._journal.note_check, content.info, trackers, found.stamps, resume, ours=found.ours)
            await self._hash(content, found.todo, have, note)
            await in_thread(self._make_ready, found)
        await self._journal.start(content.info, trackers, have, found.stamps, resume)
        if self._surroundings.settings.preallocate and content.bytes_in(have) < content.total_bytes:
            await self._surroundings.in_thread_for_long(content.storage.allocate, content.wanted_files)
            await in_thread(content.look)
        self._publisher.publish(events.Checked(content.bytes_in(have), content.total_bytes))
        return have

    async def reads(self, content: Content, piece: int) -> bool:
        """Whether a piece can be read, and is right."""
        found = await self._surroundings.in_thread(hash_suspects, content, [piece], Pace(), lambda _: None)
        return bool(found.good)

    def _look(self, found: Glance) -> None:
        """Compare the files with what was saved; where nothing is to be hashed, make them ready as well. Blocks."""
        content, options = found.content, self._options
        found.stamps = content.look()
        if found.believed is not None:
            miss(content, found.stamps, found.believed)
        parked = content.storage.parked
        found.todo = plan(content.info, found.stamps, found.believed, trust=options.trust, parked=parked)
        if not found.todo.suspects:
            self._make_ready(found)

    def _make_ready(self, found: Glance) -> None:
        """Let the files be as they are to be while pieces are stored, unless they are foreign. Blocks."""
        content, resume, have, suspects = found.content, found.resume, found.todo.have, found.todo.suspects
        if not self._options.overwrite:
            if not found.ours and resume is not None and resume.unchecked:  # what was read before counts, too
                suspects = plan(content.info, found.stamps, None, parked=content.storage.parked).suspects
            had = resume.have() if found.ours and resume is not None else None
            if had is not None or not found.ours:
                refuse_foreign(content, found.stamps, suspects, have, had)
        if content.storage.parked:
            found.stamps = content.settle()
        content.storage.suffixes.expect(have)
        if self._options.content is None and any(
            not file.length and stamp is None for file, stamp in zip(content.info.files, found.stamps, strict=True)
        ):
            content.storage.create_empty(content.wanted_files)

    async def _hash(self, content: Content, todo: Plan, have: Bitfield, note: Note) -> None:
        """Add to `have` what is right of the suspects; now and then `note` how far it has come."""
        loop, in_thread = asyncio.get_running_loop(), self._surroundings.in_thread
        settings, geometry = self._surroundings.settings, content.info.geometry
        for_long = self._surroundings.in_thread_for_long
        self.pace = pace = Pace(settings.check_bytes_per_second)
        left, total, done = todo.suspects, todo.to_hash_bytes, 0

        def tell(more: int) -> None:
            with suppress(RuntimeError):  # the loop may be closed by now
                loop.call_soon_threadsafe(self._told, done + more, total)

        try:
            while left:
                await pace.resumed()
                async with self._surroundings.checking:  # while it is paused, another has the turn
                    self._told(done, total)
                    while left and not pace.paused and not pace.cancelled:
                        found = await for_long(hash_suspects, content, left, pace, tell, settings.save_seconds)
                        await in_thread(content.sync, found.good)
                        have.update(found.good)
                        left = found.left
                        unchecked = await in_thread(Bitfield, have.size, left)
                        done = total - geometry.bytes_in(unchecked)
                        if left and not pace.cancelled:
                            with suppress(StorageError):  # it only saves work
                                await note(have, unchecked)
                if pace.cancelled:
                    raise CheckCancelledError("the check was cancelled: resume or recheck it to begin again")
        finally:
            pace.cancel()
            self.progress = self.pace = None

    def _told(self, done: int, total: int) -> None:
        if self.pace is not None:
            self.progress = (done, total)
            self._publisher.publish(events.CheckProgress(done, total))
