"""What one torrent keeps: its files, and what is written down of them. It knows nothing of the torrent's states."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from functools import partial

from bittern.base.bitfield import Bitfield
from bittern.codec.metainfo import Info
from bittern.engine.torrent import Torrent as Swarm

from . import events
from .content import Content
from .identity import Identity
from .inspection import Inspection
from .journal import Journal
from .lock import TorrentLock
from .moving import Mover
from .options import AddOptions
from .placement import Placement
from .surroundings import Surroundings


class Keeping:
    """The files of one torrent.

    Args:
        identity: who it is.
        options: how to treat it.
        lock: its lock, owned from now on.
        surroundings: what all torrents share.
        publisher: tells its listeners.

    Attributes:
        content: the files; None before the first look at them.
        done_bytes: of wanted files, stored.
        journal: what is written down.
        mover: moves the files.
        inspection: looks at them.
    """

    def __init__(
        self,
        identity: Identity,
        options: AddOptions,
        lock: TorrentLock,
        surroundings: Surroundings,
        publisher: events.Publisher,
    ) -> None:
        self.content: Content | None = None
        self.done_bytes = 0
        self.journal = Journal(surroundings, identity.info_hash, options.place)
        self.mover = Mover(options, lock, self.journal, publisher, surroundings)
        self.inspection = Inspection(options, self.journal, publisher, surroundings)
        self._identity = identity
        self._options = options
        self._surroundings = surroundings
        self._publisher = publisher
        self._saving = asyncio.Lock()
        self._finishing: Future[None] | None = None

    async def look(
        self,
        info: Info,
        tiers: tuple[tuple[str, ...], ...],
        saved: bytes | None,
        fetch: Callable[[], Awaitable[Mapping[bytes, bytes]]],
        *,
        known: bool,
        believe: bool,
        doubted: int | None,
    ) -> Bitfield:
        """Find out which pieces are stored, after a move that was interrupted is over; see `Inspection.run`.

        Raises:
            BitternError: as `Mover.finish` and `Inspection.run`.
        """
        layers = self._identity.layers
        await self.mover.finish(info, partial(self.inspection.open, info, layers, saved))
        found = await self.inspection.glance(info, layers, saved, known=known, believe=believe, doubted=doubted)
        self.content = content = found.content
        have = await self.inspection.run(found, tiers, fetch)
        self.done_bytes = content.bytes_in(have)
        return have

    def stored(self, piece: int) -> None:
        """A piece is in the files, and right."""
        if self.content is not None:
            self.done_bytes += self.content.bytes_of(piece)
        self.journal.stored(piece)

    def choose(self, info: Info, wanted: Bitfield, have: Bitfield) -> None:
        """Other pieces are wanted from now on, and files as the options say; `settle` is to follow."""
        if self.content is not None:
            self.content.choose(wanted, self._options.wanted_files(info))
            self.done_bytes = self.content.bytes_in(have)

    async def settle(self) -> None:
        """Let the files that are wanted now have what the part file has of them.

        Raises:
            StorageError: a file could not be made.
        """
        if self.content is not None:
            await self._surroundings.in_thread(self.content.settle)

    async def reads(self, piece: int) -> bool:
        """Whether a piece can be read after all, and is right."""
        return self.content is not None and await self.inspection.reads(self.content, piece)

    async def move(self, to: Placement) -> None:
        """Move or rename the files; raises as `Mover.run`."""
        if self.content is not None:
            await self.mover.run(self.content, to, self._saving)

    async def save(self, swarm: Swarm | None) -> None:
        """Write progress down; see `Journal.save`. What cannot be written down is published.

        Raises:
            StorageError: the system cannot say that the bytes are on the disk.
        """
        async with self._saving:
            if self.content is None or swarm is None:
                return
            not_saved = await self.journal.save(self.content, swarm)
            if not_saved is not None:
                self._publisher.publish(events.SaveFailed(str(not_saved)))

    async def left(self, swarm: Swarm) -> None:
        """`swarm` writes nothing any more: close the files, and remember what it did."""
        self.journal.left(swarm)
        async with self._saving:  # a save that is under way would open files again
            self.close()

    def close(self) -> None:
        """Close the files."""
        if self.content is not None:
            self.content.storage.close()

    def completed(self) -> None:
        """Every wanted byte is stored: give complete files what only complete ones have, in time."""
        self.journal.completed()
        asked, content = self._surroundings.settings, self.content
        if content is not None and (asked.executable or asked.symlinks):
            finish = partial(content.finish, executable=asked.executable, symlinks=asked.symlinks)
            self._finishing = self._surroundings.threads.submit(finish)

    async def finished(self) -> None:
        """Wait until nothing more is made of complete files."""
        if self._finishing is not None:
            await asyncio.wrap_future(self._finishing)
