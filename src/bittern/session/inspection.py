"""From metadata to the pieces that are stored: looking, believing, hashing, and refusing what is not ours."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
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
        return await self._surroundings.in_thread(self._open, info, layers, saved)

    def _open(self, info: Info, layers: Mapping[bytes, bytes], saved: bytes | None) -> Content:
        options, handles = self._options, self._surroundings.runtime.handles
        content = Content(info, options.save_path, handles, options.select, options.content, layers)
        if options.root is not None or options.names:
            placement = Placement.of(info, options)
            content.place(placement.folder / placement.root, placement.paths(info))
        if options.priorities:
            check_priorities(info, options.priorities)
            wanted = piece_priorities(info, options.file_priorities(info))
            content.choose(Bitfield.marked(wanted), options.wanted_files(info))
        resume = read_resume(saved, info)
        suffix = self._surroundings.settings.part_suffix
        content.find(resume.files if resume is not None else None, suffix=suffix)
        content.park()
        return content

    async def run(
        self,
        content: Content,
        trackers: tuple[tuple[str, ...], ...],
        saved: bytes | None,
        fetch: Callable[[], Awaitable[Mapping[bytes, bytes]]],
        *,
        known: bool,
        believe: bool = True,
        doubted: int | None = None,
    ) -> Bitfield:
        """Find out which pieces are stored, and note it.

        Args:
            content: the files.
            trackers: its tiers, to be kept.
            saved: progress that was saved.
            fetch: gets the piece layers, where files can not be checked without (BEP 52).
            known: whether the files are ours by what was saved.
            believe: whether files that look as they did are believed, and missed when they are gone.
            doubted: a piece that is hashed all the same.

        Raises:
            StorageError: files are missing (GONE), foreign (EXISTS), or can not be read or made.
            CheckCancelledError: `pace` ended it.
        """
        in_thread, options = self._surroundings.in_thread, self._options
        info = content.info
        resume = read_resume(saved, info)
        if resume is not None and doubted is not None:
            resume = doubting(resume, doubted)
        believed = resume if believe else None
        stamps, todo = await self._look(content, believed)
        if content.lacks_hashes(todo.suspects):
            content.learn(await fetch())
            stamps, todo = await self._look(content, believed)
        have, suspects = todo.have, todo.suspects
        complete = self._journal.counters.completed_at is not None  # what was, somebody else has changed
        ours = known and not complete and (resume is None or (resume.ours and resume.completed_at is None))
        if suspects:
            note = partial(self._journal.note_check, info, trackers, stamps, resume, ours=ours)
            await self._hash(content, todo, have, note)
        if not options.overwrite:
            if (
                not ours and resume is not None and resume.unchecked
            ):  # what was read before the interruption counts, too
                suspects = plan(info, stamps, None, parked=content.storage.parked).suspects
            had = resume.have() if ours and resume is not None else None
            if had is not None or not ours:
                await in_thread(refuse_foreign, content, stamps, suspects, have, had)
        stamps = await in_thread(self._make_ready, content, stamps, have)
        await self._journal.start(info, trackers, have, stamps, resume)
        if self._surroundings.settings.preallocate and content.bytes_in(have) < content.total_bytes:
            await self._surroundings.in_thread_for_long(content.storage.allocate, content.wanted_files)
            await in_thread(content.look)
        self._publisher.publish(events.Checked(content.bytes_in(have), content.total_bytes))
        return have

    async def reads(self, content: Content, piece: int) -> bool:
        """Whether a piece can be read, and is right."""
        found = await self._surroundings.in_thread(hash_suspects, content, [piece], Pace(), lambda _: None)
        return bool(found.good)

    async def _look(self, content: Content, believed: Resume | None) -> tuple[Stamps, Plan]:
        def look() -> tuple[Stamps, Plan]:
            stamps = content.look()
            if believed is not None:
                miss(content, stamps, believed)
            trust, parked = self._options.trust, content.storage.parked
            return stamps, plan(content.info, stamps, believed, trust=trust, parked=parked)

        return await self._surroundings.in_thread(look)

    def _make_ready(self, content: Content, stamps: Stamps, have: Bitfield) -> Stamps:
        """Let the files be as they are to be while pieces are stored; how they look then."""
        if content.storage.parked:
            stamps = content.settle()
        content.storage.suffixes.expect(have)
        if self._options.content is None and any(
            not file.length and stamp is None for file, stamp in zip(content.info.files, stamps, strict=True)
        ):
            content.storage.create_empty(content.wanted_files)
        return stamps

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
