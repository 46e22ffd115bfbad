"""The life of one torrent: metadata, check, swarm, saves, the end. The session drives it, `Torrent` shows it."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from math import inf
from pathlib import Path

from bittern.base.bitfield import Bitfield
from bittern.base.errors import BitternError, CheckCancelledError, SessionError, StorageError
from bittern.base.ids import InfoHashV1
from bittern.codec.magnet import Magnet
from bittern.codec.metainfo import Info, Metainfo
from bittern.engine import events as told
from bittern.engine.swarm.peerbook import Source
from bittern.engine.torrent import Torrent as Swarm
from bittern.engine.torrent import TorrentState

from . import events
from .content import Content
from .inspection import Inspection
from .journal import Journal
from .lock import TorrentLock
from .moving import Mover
from .options import AddOptions, check_priorities
from .placement import Placement
from .status import TROUBLED, State
from .surroundings import Listener, Surroundings

_log = logging.getLogger("bittern.session")

DRAIN_SECONDS = 30.0
_DRAIN_STEP_SECONDS = 0.01

Work = Callable[[], Awaitable[None]]


class Life:
    """One torrent of a session.

    Args:
        source: what is known of it.
        options: how to treat it.
        lock: its lock, owned from now on.
        surroundings: what all torrents share.
        publisher: tells its listeners.
    """

    def __init__(
        self,
        source: Metainfo | Magnet,
        options: AddOptions,
        lock: TorrentLock,
        surroundings: Surroundings,
        publisher: events.Publisher,
    ) -> None:
        self.source = source
        self.options = options
        self.info: Info | None = source.info if isinstance(source, Metainfo) else None
        self.layers: Mapping[bytes, bytes] = source.piece_layers if isinstance(source, Metainfo) else {}
        self.content: Content | None = None
        self.swarm: Swarm | None = None
        self.state = State.CHECKING
        self.error: BitternError | None = None
        self.done_bytes = 0
        self.publisher = publisher
        self.journal = Journal(surroundings, self.info_hash, options.place)
        self.mover = Mover(options, lock, self.journal, self.publisher, surroundings)
        self.inspection = Inspection(options, self.journal, self.publisher, surroundings)
        self._surroundings = surroundings
        self._task: asyncio.Task[None] | None = None
        self._retry_due = 0.0
        self._saving = asyncio.Lock()

    @property
    def info_hash(self) -> InfoHashV1:
        """What the wire carries."""
        return self.source.info.wire_hash if isinstance(self.source, Metainfo) else self.source.wire_hash

    @property
    def name(self) -> str:
        """Of the file or root folder; the link's word, or the info hash, while the metadata is unknown."""
        if self.info is not None:
            return self.info.name
        return (self.source.name if isinstance(self.source, Magnet) else None) or str(self.info_hash)

    @property
    def complete(self) -> bool:
        """Whether every wanted byte is stored, as far as one can know."""
        if self.state in (State.CHECKING, *TROUBLED):
            return False
        return self.swarm is not None and self.swarm.download is not None and self.swarm.download.complete

    @property
    def path(self) -> Path | None:
        """The file, or the root folder; None while the name is unknown."""
        options = self.options
        if options.content is not None or self.info is None:
            return options.content
        return options.save_path / (options.root or self.info.name)

    @property
    def restful(self) -> bool:
        """Whether nothing goes on that would need the torrent in memory."""
        if self.swarm is None or self.content is None or (self._task is not None and not self._task.done()):
            return False
        if self.state is State.SEEDING:
            return self.swarm.idle
        download = self.swarm.download
        stopped = self.state in (State.PAUSED, State.FINISHED, State.QUEUED)
        return stopped and download is not None and not download.at_disk

    # --- commands

    def start(self) -> None:
        """Begin: from what is known to the swarm."""
        self._run(self._open)

    def pause(self) -> None:
        """Leave the swarm until `resume`."""
        self.options.paused = True
        if self.swarm is not None and self.state is not State.REMOVED:
            self._leave(State.PAUSED)

    def stand_by(self, state: State) -> None:
        """Leave the swarm because a goal is reached (FINISHED) or others go first (QUEUED), until `resume`."""
        if self.swarm is not None and self.state in (State.METADATA, State.DOWNLOADING, State.SEEDING):
            self._leave(state)

    def resume(self) -> None:
        """Join the swarm, after `pause`, `stand_by` or a failure; files of a failed torrent are looked at again."""
        self.options.paused = False
        if self.state in TROUBLED:
            self.error = None
            self._enter(State.CHECKING)
            self._run(partial(self._again, trusting=True))
        elif self.swarm is not None and self.state in (State.PAUSED, State.FINISHED, State.QUEUED):
            self._speak(self.swarm)

    def prioritize(self, priorities: Mapping[int, int]) -> None:
        """Want files so much from now on, also after `recheck`; see `Torrent.set_file_priorities`."""
        if self.info is None:
            raise SessionError("what the torrent is made of is not known yet")
        check_priorities(self.info, priorities)
        self.options.priorities |= priorities
        if self.swarm is not None and self.swarm.download is not None:
            self._want(self.info, self.swarm)
            if self.state in (State.DOWNLOADING, State.SEEDING):
                self._enter_swarm_state()

    def set_deadline(self, piece: int, seconds: float | None) -> None:
        """See `Torrent.set_deadline`."""
        if self.info is None or not 0 <= piece < self.info.geometry.piece_count:
            raise SessionError(f"there is no piece {piece}, or what the torrent is made of is not known yet")
        if self.swarm is None or self.swarm.download is None:
            raise SessionError("its files are being checked: wait for `checked()`")
        runtime = self._surroundings.runtime
        self.swarm.set_deadline(piece, None if seconds is None else runtime.now() + seconds)
        runtime.turn.soon()

    def _want(self, info: Info, swarm: Swarm) -> None:
        """Let the engine know what files are wanted how much."""
        assert self.content is not None
        swarm.prioritize(self.options.file_priorities(info), self._surroundings.runtime.now())
        if swarm.download is not None:
            self.content.choose(swarm.download.wanted, self.options.wanted_files(info))
            if self.state is not State.CHECKING and self.mover.progress is None:
                self._run(self._settle)
            self.done_bytes = self.content.bytes_in(swarm.download.have)
        self._surroundings.runtime.turn.soon()

    def apply_limits(self) -> None:
        """Hold the swarm to the limits in the options from now on."""
        if self.swarm is not None:
            self.options.limits.apply(self.swarm)
            self._surroundings.runtime.turn.soon()

    async def _settle(self) -> None:
        """Let the files that are wanted now have what the part file has of them."""
        if self.content is not None:
            await self._surroundings.in_thread(self.content.settle)

    async def recheck(self) -> None:
        """Hash everything that is there, and join the swarm again."""
        if self.info is None:
            return
        if self.mover.progress is not None:
            raise SessionError("its files are being moved: wait for that, or cancel it")
        self.error = None
        self._enter(State.CHECKING)
        await asyncio.shield(self._run(partial(self._again, trusting=False)))

    async def relocate(self, choose: Callable[[Info, Placement], Placement]) -> None:
        """Move or rename the files; see `Torrent.move_to`."""
        if self.state not in (State.DOWNLOADING, State.SEEDING, State.PAUSED, State.FINISHED):
            raise SessionError(f"its files can not be moved now, it is {self.state.value}")
        if self.mover.progress is not None:
            raise SessionError("its files are being moved already")
        refused: list[BitternError] = []
        await asyncio.shield(self._run(partial(self._relocate, choose, refused)))
        if refused:
            raise refused[0]

    async def _relocate(self, choose: Callable[[Info, Placement], Placement], refused: list[BitternError]) -> None:
        assert self.info is not None
        assert self.content is not None
        swarm, waits = self.swarm, self.state is State.DOWNLOADING
        try:
            to = choose(self.info, Placement.of(self.info, self.options))
            if waits and swarm is not None:
                self._leave(State.MOVING)
                await self._drain(swarm)
            await self._save(last=True)
            await self.mover.run(self.content, to, self._saving)
        except BitternError as error:
            refused.append(error)
        await self._settle()  # files may have become wanted meanwhile
        if waits and swarm is not None and self.state is State.MOVING and not self.options.paused:
            self._speak(swarm)

    async def end(self) -> None:
        """Leave the swarm and save: the session closes."""
        await self._stop_task()
        if self.swarm is not None:
            self._hush(self.swarm)
            await self._drain(self.swarm)
            await self._save(last=True)
        self.mover.release()
        self.publisher.end()

    async def fall_asleep(self, listener: Listener) -> bool:
        """Save, and leave nothing in memory; False when something came in between.

        Args:
            listener: is told what happens in the swarm from now on.

        Raises:
            StorageError: the system can not say that the bytes are on the disk.
        """
        await self._save(last=True)
        swarm, content = self.swarm, self.content
        if not self.restful or swarm is None or content is None:
            return False
        self.swarm = None
        if self.state is State.SEEDING:
            self._surroundings.lives[swarm.number] = listener
            self._surroundings.runtime.lull(swarm)
        else:
            self._surroundings.lives.pop(swarm.number, None)
            self._surroundings.runtime.remove(swarm)
        content.storage.close()
        self.mover.release()
        return True

    async def remove(self) -> None:
        """Leave the swarm and forget what was saved."""
        await self._stop_task()
        await self._part()
        self._enter(State.REMOVED)
        try:
            await self.journal.forget()
        finally:
            self.mover.release()
            self.publisher.end()

    # --- what the engine tells

    def on_event(self, event: told.Event) -> None:
        """Something happened in the swarm."""
        publish = self.publisher.publish
        match event:
            case told.PieceStored(piece=piece):
                if self.content is not None:
                    self.done_bytes += self.content.bytes_of(piece)
                self.journal.stored(piece)
                publish(events.PieceStored(piece))
            case told.PieceFailed(piece=piece):
                publish(events.PieceFailed(piece))
            case told.PeerJoined(address=address, peer_id=peer_id):
                publish(events.PeerJoined(address, peer_id))
            case told.PeerDropped(address=address, reason=reason, offence=offence):
                publish(events.PeerDropped(address, reason, offence))
            case told.TrackerAnswered(url=url, peers=peers, warning=warning):
                publish(events.TrackerAnswered(url, peers, warning))
            case told.TrackerFailed(url=url, reason=reason, retry_seconds=seconds):
                publish(events.TrackerFailed(url, reason, seconds))
            case told.MetadataReceived(raw=raw):
                self._run(partial(self._take_metadata, raw))
            case told.LayersReceived(rows=rows):
                self.layers = rows
                self.journal.learned(rows)
            case told.Completed():
                self._on_completed()
            case told.StorageFailed(error=error):
                self._on_storage_failed(error)

    def tick(self, now: float) -> bool:
        """Do what time demands; whether `save` is due."""
        if self.state is State.MISSING_FILES and self._retry_due <= now and not self.options.paused:
            self._retry_due = inf
            self._run(partial(self._again, trusting=True))  # they may be back
        if self.swarm is None:
            return False
        retry = self.state is State.FAILED and not self.options.paused and _may_retry(self.error)
        if retry and self._retry_due <= now:
            self.error = None
            self._speak(self.swarm)
        return self.journal.due(self.swarm, now)

    async def save(self) -> None:
        """Write progress down; what goes wrong is published."""
        with suppress(StorageError):  # told to whom it concerns
            await self._save(last=False)

    # --- the way to the swarm

    async def _open(self) -> None:
        record = await self.journal.open()
        if self.info is None and record is not None and record.info is not None:
            self.info = self._checked(record.info)
        if self.info is not None and self.info.info_hash_v2 is not None and not self.layers:
            self.layers = await self.journal.layers(self.info)
        if self.info is None:
            self._seek_metadata()
            return
        saved, believe = record.resume if record is not None else None, not self.options.recheck
        await self._join(await self._inspect(saved, known=record is not None, believe=believe))

    async def _again(self, *, trusting: bool) -> None:
        if self.info is None:
            await self._part()
            self._seek_metadata()
            return
        await self._part()
        record = await self.journal.open()
        saved = record.resume if record is not None else None
        try:
            have = await self._inspect(saved, known=True, believe=trusting)
        except CheckCancelledError:
            if trusting:
                raise
            have = await self._inspect(saved, known=True)  # what was believed before is believed again
        await self._join(have)

    def _seek_metadata(self) -> None:
        self._enter_core()
        if self.options.paused:
            self._leave(State.PAUSED)
        else:
            self._enter(State.METADATA)

    async def _take_metadata(self, raw: bytes) -> None:
        self.info = info = self._checked(raw)
        self.publisher.publish(events.MetadataReceived(info.name, info.total_size))
        self.publisher.wake()
        await self._join(await self._inspect(None, known=False))

    def _checked(self, raw: bytes) -> Info:
        """The info dictionary that peers, or the store, gave for our info hash."""
        info = Info.parse(raw)
        wanted = self.source
        if isinstance(wanted, Magnet):
            v1, v2 = wanted.info_hash_v1, wanted.info_hash_v2
            if (v1 and v1 != info.info_hash_v1) or (v2 and v2 != info.info_hash_v2):
                raise SessionError("the magnet link's two info hashes belong to different torrents")
            if self.options.select is None and wanted.select_only:
                self.options.select = _among_files(info, wanted.select_only)
        return info

    async def _inspect(self, saved: bytes | None, *, known: bool, believe: bool = True) -> Bitfield:
        """Find out which pieces are stored."""
        assert self.info is not None
        self._enter(State.CHECKING)
        await self.mover.finish(self.info, partial(self.inspection.open, self.info, self.layers))
        self.content = content = await self.inspection.open(self.info, self.layers)
        have = await self.inspection.run(content, self._tiers(), saved, known=known, believe=believe)
        self.done_bytes = content.bytes_in(have)
        return have

    async def _join(self, have: Bitfield) -> None:
        """Exchange pieces from now on."""
        assert self.info is not None
        assert self.content is not None
        runtime = self._surroundings.runtime
        swarm = self._enter_core()
        runtime.disk.attach(swarm.number, self.content.storage)
        runtime.core.also_called(swarm, self.info.info_hash_v1, self.info.info_hash_v2)
        if self.options.super_seed:
            swarm.super_seed()
        swarm.begin(self.info, have, self.content.wanted, runtime.now(), self.layers)
        if self.options.priorities:
            self._want(self.info, swarm)
        runtime.core.admit_callers(swarm, runtime.now())
        runtime.turn.soon()
        if self.options.paused:
            self._leave(State.PAUSED)
        else:
            self._enter_swarm_state()

    def _enter_core(self) -> Swarm:
        if self.swarm is None:
            runtime = self._surroundings.runtime
            now = runtime.now()
            self.swarm = runtime.core.add(self.info_hash, self._tiers(), now)
            if isinstance(self.source, Magnet):
                runtime.core.also_called(self.swarm, self.source.info_hash_v1, self.source.info_hash_v2)
            self._surroundings.lives[self.swarm.number] = self
            self.options.limits.apply(self.swarm)
            self.swarm.add_candidates(self.options.addresses, Source.MANUAL, now)
            self.swarm.add_candidates(self.options.heard, Source.TRACKER, now)
            runtime.turn.soon()
        return self.swarm

    def _tiers(self) -> tuple[tuple[str, ...], ...]:
        if not self._surroundings.settings.use_trackers:
            return ()
        source = self.source
        named = source.trackers if isinstance(source, Metainfo) else tuple((url,) for url in source.trackers)
        return (*self.options.trackers, *named)

    # --- the way out

    def _hush(self, swarm: Swarm) -> None:
        """End its connections and say goodbye to its trackers."""
        swarm.pause(self._surroundings.runtime.now())
        self._surroundings.runtime.turn.soon()

    def _speak(self, swarm: Swarm) -> None:
        """Join it again."""
        swarm.resume(self._surroundings.runtime.now())
        self._surroundings.runtime.turn.soon()
        self._enter_swarm_state()

    def _leave(self, state: State) -> None:
        assert self.swarm is not None
        self._hush(self.swarm)
        self._enter(state)

    async def _part(self) -> None:
        """Leave the core: no byte is written after this."""
        swarm, self.swarm = self.swarm, None
        if swarm is None:
            return
        self._hush(swarm)
        await self._drain(swarm)
        self.journal.left(swarm)
        self._surroundings.lives.pop(swarm.number, None)
        self._surroundings.runtime.remove(swarm)
        if self.content is not None:
            self.content.storage.close()

    async def _drain(self, swarm: Swarm) -> None:
        """Wait until the disk has done what it was given."""
        give_up_at = asyncio.get_running_loop().time() + DRAIN_SECONDS
        while swarm.download is not None and swarm.download.at_disk:
            if asyncio.get_running_loop().time() > give_up_at:
                return
            await asyncio.sleep(_DRAIN_STEP_SECONDS)

    async def _save(self, *, last: bool) -> None:
        async with self._saving:
            if self.content is None or self.swarm is None:
                return
            try:
                not_saved = await self.journal.save(self.content, self.swarm, last=last)
            except StorageError as error:
                self._fail(error)
                raise
            if not_saved is not None:
                self.publisher.publish(events.SaveFailed(str(not_saved)))

    # --- changes of state

    def _enter_swarm_state(self) -> None:
        download = self.swarm.download if self.swarm is not None else None
        if download is None:
            self._enter(State.METADATA)
        else:
            self._enter(State.SEEDING if download.complete else State.DOWNLOADING)

    def _enter(self, state: State) -> None:
        if state is not self.state:
            self.state = state
            self.publisher.publish(events.StateChanged(state))
        self.publisher.wake()

    def _finish_files(self, content: Content) -> None:
        """Give complete files what only complete ones have. Blocks."""
        try:
            content.storage.mark_executable(content.wanted_files)
        except StorageError as error:
            _log.warning("%s: a complete file could not be marked executable: %s", self.info_hash, error)

    def _on_completed(self) -> None:
        self.journal.completed()
        if self.content is not None and any(file.executable for file in self.content.info.files):
            self._surroundings.threads.submit(self._finish_files, self.content)
        if self.state is State.DOWNLOADING:
            self._enter(State.SEEDING)
        self.publisher.publish(events.Completed())
        self.publisher.wake()

    def _on_storage_failed(self, error: StorageError) -> None:
        if self.state is State.FAILED or self.swarm is None:
            return
        if self.swarm.state is not TorrentState.FAILED:
            self._hush(self.swarm)  # what was promised can not be read: promise nothing
        self._retry_due = time.monotonic() + self._surroundings.settings.retry_seconds
        self._fail(error, pause=False)

    def _fail(self, error: BitternError, *, pause: bool = True) -> None:
        self.error = error
        if pause and self.swarm is not None:
            self._hush(self.swarm)
        elif self.swarm is None:  # it was to wake up: nobody is to wait for it
            self._surroundings.runtime.core.remove_sleeping(self.info_hash, self._surroundings.runtime.now())
        gone = isinstance(error, StorageError) and error.kind is StorageError.Kind.GONE
        if gone:
            self._retry_due = time.monotonic() + self._surroundings.settings.retry_seconds
        self._enter(State.MISSING_FILES if gone else State.FAILED)
        self.publisher.publish(events.Failed(error))

    # --- tasks

    def _run(self, work: Work) -> "asyncio.Task[None]":
        """Make `work` what this torrent does; what it did before ends first."""
        before = self._task
        self._task = asyncio.get_running_loop().create_task(self._guard(work, before), name=f"torrent {self.info_hash}")
        self._task.add_done_callback(self._on_task_done)
        return self._task

    async def _guard(self, work: Work, before: "asyncio.Task[None] | None") -> None:
        if before is not None:
            await _cancelled(before)
        try:
            await work()
        except BitternError as error:
            self._fail(error)

    def _on_task_done(self, task: "asyncio.Task[None]") -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log.error("torrent %s: internal error", self.info_hash, exc_info=error)
            self._fail(SessionError(f"internal error, {type(error).__name__}: {error}"))

    async def _stop_task(self) -> None:
        if self._task is not None:
            await _cancelled(self._task)


async def _cancelled(task: "asyncio.Task[None]") -> None:
    """End `task` and wait until it has ended."""
    task.cancel()
    await asyncio.wait([task])


def _may_retry(error: BitternError | None) -> bool:
    return isinstance(error, StorageError) and error.kind is StorageError.Kind.DISK_FULL


def _among_files(info: Info, numbers: Sequence[int]) -> list[int]:
    """Numbers among all files (BEP 53) as numbers among those without pads; unknown ones are dropped."""
    shown = [number for number, file in enumerate(info.files) if not file.pad]
    return [shown.index(number) for number in numbers if number in shown]
