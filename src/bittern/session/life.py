"""The life of one torrent: metadata, check, swarm, saves, the end. The session drives it, `Torrent` shows it."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from math import isnan
from pathlib import Path

from bittern.base.bitfield import Bitfield
from bittern.base.errors import BitternError, CheckCancelledError, SessionError, StorageError
from bittern.base.ids import InfoHashV1
from bittern.codec.hybrid import contradiction
from bittern.codec.magnet import Magnet
from bittern.codec.metainfo import Info, Metainfo
from bittern.engine import events as told
from bittern.engine.torrent import Torrent as Swarm

from . import events, telling
from .content import Content
from .errand import Errand
from .exact_sources import ExactSources
from .identity import Identity
from .keeping import Keeping
from .lock import TorrentLock
from .membership import Membership, drain
from .options import AddOptions, check_priorities
from .placement import Placement
from .recovery import Recovery
from .relocation import Relocation
from .standing import Standing
from .status import TROUBLED, State
from .surroundings import Listener, Surroundings
from .trouble import Trouble

_log = logging.getLogger("bittern.session")


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
        self.options = options
        self.publisher = publisher
        self._identity = Identity(source, options)
        self._keeping = keeping = Keeping(self._identity, options, lock, surroundings, publisher)
        self.journal, self.mover, self.inspection = keeping.journal, keeping.mover, keeping.inspection
        self._membership = Membership(self._identity, options, self, surroundings)
        self._standing = standing = Standing(self._membership, publisher)
        self._surroundings = surroundings
        self._errand = errand = Errand(str(self.info_hash), self._fail)
        self._trouble = trouble = Trouble(surroundings.settings.retry_seconds)
        self.elsewhere = ExactSources.of(source, surroundings, publisher)
        self._relocation = Relocation(standing, errand, keeping, options, self._save)
        name, give_up = str(self.info_hash), partial(self._fail, pause=False)
        self._recovery = Recovery(name, standing, self._membership, errand, trouble, keeping, self._again, give_up)

    @property
    def state(self) -> State:
        """What it does."""
        return self._standing.state

    @property
    def info_hash(self) -> InfoHashV1:
        """What the wire carries."""
        return self._identity.info_hash

    @property
    def info(self) -> Info | None:
        """What it is made of; None while that is unknown."""
        return self._identity.info

    @property
    def metainfo(self) -> Metainfo | None:
        """As a .torrent file would say it, as far as that is known; None while it is not known what it is made of."""
        return self._identity.metainfo

    @property
    def name(self) -> str:
        """Of the file or root folder; the link's word, or the info hash, while the metadata is unknown."""
        return self._identity.name

    @property
    def content(self) -> Content | None:
        """Its files; None before the first look at them."""
        return self._keeping.content

    @property
    def done_bytes(self) -> int:
        """Of wanted files, stored."""
        return self._keeping.done_bytes

    @property
    def swarm(self) -> Swarm | None:
        """Its swarm, while it has one."""
        return self._membership.swarm

    @property
    def error(self) -> BitternError | None:
        """Why it failed, or what it misses."""
        return self._trouble.error

    @property
    def chosen_bytes(self) -> int:
        """Bytes of the wanted files, while they are chosen before anything of them is looked at; else 0."""
        if self.info is None or not self.options.metadata_only:
            return 0
        return sum(self.info.files[number].length for number in self.options.wanted_files(self.info))

    @property
    def complete(self) -> bool:
        """Whether every wanted byte is stored, as far as one can know."""
        if self.state in (State.CHECKING, *TROUBLED):
            return False
        return self.swarm is not None and self.swarm.download is not None and self.swarm.download.complete

    @property
    def path(self) -> Path | None:
        """The file, or the root folder; None while the name is unknown."""
        return self.options.path(self.info.name) if self.info is not None else self.options.content

    @property
    def restful(self) -> bool:
        """Whether nothing goes on that would need the torrent in memory."""
        if self.swarm is None or self.content is None or self._errand.busy:
            return False
        if self.state is State.SEEDING:
            return self.swarm.idle
        download = self.swarm.download
        stopped = self.state in (State.PAUSED, State.FINISHED, State.QUEUED)
        return stopped and download is not None and not download.at_disk

    # --- commands

    def start(self) -> None:
        """Begin: from what is known to the swarm."""
        self._errand.run(self._open)

    def pause(self) -> None:
        """Leave the swarm until `resume`."""
        self.options.paused = True
        if self.swarm is not None and self.state is not State.REMOVED:
            self._standing.leave(State.PAUSED)

    def stand_by(self, state: State) -> None:
        """Leave the swarm because a goal is reached (FINISHED) or others go first (QUEUED), until `resume`."""
        if self.swarm is not None and self.state in (State.METADATA, State.DOWNLOADING, State.SEEDING):
            self._standing.leave(state)

    def resume(self) -> None:
        """Join the swarm, after `pause`, `stand_by` or a failure; files of a failed torrent are looked at again."""
        held, self.options.metadata_only = self.options.metadata_only, False
        self.options.paused = False
        if self.state in TROUBLED:
            self._trouble.clear()
            self._standing.enter(State.CHECKING)
            self._errand.run(partial(self._again, trusting=True))
        elif held and self.info is not None and self.content is None:
            self._membership.speak()
            self._errand.run(self._open)
        elif self.swarm is not None and self.state in (State.PAUSED, State.FINISHED, State.QUEUED):
            self._standing.speak()
            if self.info is None:
                self._errand.run(self._look_elsewhere)

    def prioritize(self, priorities: Mapping[int, int]) -> None:
        """Want files so much from now on, also after `recheck`; see `Torrent.set_file_priorities`."""
        if self.info is None:
            raise SessionError("what the torrent is made of is not known yet")
        check_priorities(self.info, priorities)
        self.options.priorities |= priorities
        if self.swarm is not None and self.swarm.download is not None:
            self._want(self.info, self.swarm)
            if self.state in (State.DOWNLOADING, State.SEEDING):
                self._standing.enter_swarm()

    def set_deadline(self, piece: int, seconds: float | None) -> None:
        """See `Torrent.set_deadline`."""
        if seconds is not None and isnan(seconds):
            raise SessionError(f"seconds = {seconds}: must be a number")
        if self.info is None or not 0 <= piece < self.info.geometry.piece_count:
            raise SessionError(f"there is no piece {piece}, or what the torrent is made of is not known yet")
        if self.swarm is None or self.swarm.download is None:
            raise self.error or SessionError("it is not known what is there: wait for `checked()`")
        self._membership.set_deadline(self.swarm, piece, seconds)

    def _want(self, info: Info, swarm: Swarm) -> None:
        """Let the engine know what files are wanted how much."""
        self._membership.prioritize(info, swarm)
        if swarm.download is not None:
            self._keeping.choose(info, swarm.download.wanted, swarm.download.have)
            if self.state is not State.CHECKING and not self._relocation.busy and not self._recovery.busy:
                self._errand.run(self._keeping.settle)

    def apply_limits(self) -> None:
        """Hold the swarm to the limits in the options from now on."""
        self._membership.apply_limits()

    def super_seed(self, *, on: bool) -> None:
        """Begin or end super-seeding; see `Torrent.set_super_seeding`."""
        self.options.super_seed = on
        if self.swarm is not None:
            self.swarm.super_seed(on=on)
            self._surroundings.runtime.turn.soon()

    async def recheck(self) -> None:
        """Hash everything that is there, and join the swarm again."""
        if self.info is None:
            return
        if self._relocation.busy:
            raise SessionError("its files are being moved: wait for that, or cancel it")
        self._trouble.clear()
        self._standing.enter(State.CHECKING)
        await asyncio.shield(self._errand.run(partial(self._again, trusting=False)))

    async def relocate(self, choose: Callable[[Info, Placement], Placement]) -> None:
        """Move or rename the files; see `Torrent.move_to`."""
        await self._relocation.run(choose)

    async def end(self) -> None:
        """Leave the swarm and save: the session closes."""
        await self._errand.end()
        if self.swarm is not None:
            self._membership.hush()
            await drain(self.swarm)
            await self._save()
        self.let_go()

    def let_go(self) -> None:
        """Have no more to do with the files, nor with who listens."""
        self.mover.release()
        self.publisher.end()

    async def fall_asleep(self, listener: Listener) -> bool:
        """Save, and leave nothing in memory; False when something came in between.

        Args:
            listener: is told what happens in the swarm from now on.

        Raises:
            StorageError: the system cannot say that the bytes are on the disk.
        """
        await self._save()
        if not self.restful:
            return False
        self._membership.sleep(listener if self.state is State.SEEDING else None)
        self._keeping.close()
        self.mover.release()
        return True

    async def remove(self, erase: Callable[[], Awaitable[None]], forget: Callable[[str], Awaitable[None]]) -> None:
        """Leave the swarm, `erase` what is to go with it, and `forget` what is kept of it by its place."""
        await self._errand.end()
        await self._part()
        await self._keeping.finished()  # no link is to come after the files were deleted
        self._standing.enter(State.REMOVED)
        try:
            await erase()
            self.journal.end()
            await forget(self.journal.place)
        finally:
            self.let_go()

    # --- what the engine tells

    def on_event(self, event: told.Event) -> None:
        """Something happened in the swarm."""
        match event:
            case told.PieceStored(piece=piece):
                self._keeping.stored(piece)
            case told.MetadataReceived(raw=raw):
                if self.info is None:
                    self._errand.run(partial(self._take_metadata, raw))
            case told.LayersReceived(rows=rows):
                self._membership.layers_came(rows)
                self.journal.learned(rows)
            case told.Completed():
                self._on_completed()
            case told.StorageFailed(error=error, piece=piece):
                self._recovery.met(error, piece)
            case told.Contradicted(piece=piece):
                self._fail(contradiction(piece))
            case _:
                pass
        if (public := telling.public(event)) is not None:
            self.publisher.publish(public)

    def tick(self, now: float) -> bool:
        """Do what time demands; whether `save` is due."""
        if self.state in TROUBLED and not self.options.paused and self._trouble.may_be_over(now):
            if self.state is State.MISSING_FILES:
                self._errand.run(partial(self._again, trusting=True))  # they may be back
            elif self.swarm is not None:
                self._trouble.clear()
                self._standing.speak()
        return self.swarm is not None and self.journal.due(self.swarm, now)

    async def save(self) -> None:
        """Write progress down; what goes wrong is published."""
        with suppress(StorageError):  # told to whom it concerns
            await self._save()

    # --- the way to the swarm

    async def _open(self) -> None:
        known, saved = await self._identity.recall(self.journal)
        if self.info is None:
            self._seek_metadata()
        elif self.options.metadata_only:
            await self._stand_ready(self.info)
        else:
            await self._join(await self._inspect(saved, known=known, believe=not self.options.recheck))
        await self._look_elsewhere()

    async def _again(self, *, trusting: bool, doubted: int | None = None) -> None:
        await self._part()
        if self.info is None:
            self._seek_metadata()
            await self._look_elsewhere()
            return
        _, saved = await self._identity.recall(self.journal)
        try:
            have = await self._inspect(saved, known=True, believe=trusting, doubted=doubted)
        except CheckCancelledError:
            if trusting:
                raise
            have = await self._inspect(saved, known=True)  # what was believed before is believed again
        await self._join(have)

    def _seek_metadata(self) -> None:
        self._membership.enter()
        if self.options.paused and not self.options.metadata_only:
            self._standing.leave(State.PAUSED)
        else:
            self._standing.enter(State.METADATA)

    async def _take_metadata(self, raw: bytes) -> None:
        await self._begin_with(await self.journal.understand(raw))

    async def _begin_with(self, info: Info) -> None:
        self._identity.learn(info)
        self.publisher.publish(events.MetadataReceived(info.name, info.total_size))
        self.publisher.wake()
        if self.options.metadata_only:
            await self._stand_ready(info)
        else:
            await self._join(await self._inspect(None, known=False))
        await self._look_elsewhere()

    async def _look_elsewhere(self) -> None:
        """Fetch the .torrent from where the link says it is: that may be quicker than peers, and tell more."""
        found = await self.elsewhere.find(wanted=lambda: self.info is None and self.state is State.METADATA)
        if found is None:
            return
        self._identity.enrich(found)
        self._membership.tell_more()
        info = await self.journal.understand(found.info.raw) if self.info is None else None
        self.elsewhere.enough()  # not before: meanwhile, too, there is a way to the metadata
        if info is not None and self.info is None:
            await self._begin_with(info)

    async def _stand_ready(self, info: Info) -> None:
        """Touch no file until `resume`; what a .torrent file needs is found out first."""
        if self._identity.lacks_layers and self.state is not State.PAUSED:
            self._seek_metadata()
            await self._membership.fetch_layers(info)
        self._standing.leave(State.PAUSED)

    async def _inspect(
        self, saved: bytes | None, *, known: bool, believe: bool = True, doubted: int | None = None
    ) -> Bitfield:
        """Find out which pieces are stored; one is hashed in any case."""
        assert self.info is not None
        self._standing.enter(State.CHECKING)
        tiers, fetch = self._membership.tiers, partial(self._fetch_layers, self.info)
        have = await self._keeping.look(self.info, tiers, saved, fetch, known=known, believe=believe, doubted=doubted)
        if not believe:
            self.journal.liars = ()  # nothing of what was saved is believed, that neither
        return have

    async def _fetch_layers(self, info: Info) -> Mapping[bytes, bytes]:
        """Files are there, and only the piece layers tell whether they are right."""
        self._seek_metadata()
        layers = await self._membership.fetch_layers(info)
        self._standing.enter(State.CHECKING)
        return layers

    async def _join(self, have: Bitfield) -> None:
        """Exchange pieces from now on."""
        assert self.info is not None
        assert self.content is not None
        swarm = self._membership.begin(self.content, have, self.journal.peers)
        swarm.peerbook.recall(self.journal.peers, self.journal.ways)
        swarm.web.shun(self.journal.liars)
        if self.options.priorities:
            self._want(self.info, swarm)
        self._membership.admit(swarm)
        if self.options.paused:
            self._standing.leave(State.PAUSED)
        else:
            self._standing.enter_swarm()

    # --- the way out

    async def _part(self) -> None:
        """Leave the core: no byte is written after this."""
        swarm = await self._membership.leave()
        if swarm is not None:
            await self._keeping.left(swarm)

    async def _save(self) -> None:
        try:
            await self._keeping.save(self.swarm)
        except StorageError as error:
            self._fail(error)
            raise

    # --- changes of state

    def _on_completed(self) -> None:
        self._keeping.completed()
        if self.state is State.DOWNLOADING:
            self._standing.enter(State.SEEDING)
        self.publisher.publish(events.Completed())
        self.publisher.wake()

    def _fail(self, error: BitternError, *, pause: bool = True) -> None:
        if pause and self.swarm is not None:
            self._membership.hush()
        elif self.swarm is None:  # it was to wake up: nobody is to wait for it
            self._surroundings.runtime.core.remove_sleeping(self.info_hash, self._surroundings.runtime.now())
        self._standing.enter(self._trouble.met(error, time.monotonic()))
        self.publisher.publish(events.Failed(error))
