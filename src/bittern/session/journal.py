"""What is saved of one torrent, and in which order, so that saved progress never claims too much."""

import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from bittern.base.address import Address
from bittern.base.bitfield import Bitfield
from bittern.base.errors import StorageError
from bittern.codec.layers import proved
from bittern.codec.metainfo import Info
from bittern.codec.resume import MOST_PEERS, Resume
from bittern.engine.swarm.peerbook import Source
from bittern.engine.torrent import Torrent as Swarm

from .content import Content, Stamps
from .placement import Move, read_move
from .store import Record, load
from .surroundings import Surroundings

COUNTERS_SECONDS = 60.0
"""Without new pieces, counters are saved so often."""


@dataclass(slots=True)
class Counters:
    """What a torrent did in swarms that it left, this one not counted.

    Attributes:
        uploaded: payload bytes sent.
        downloaded: payload bytes received.
        added_at: seconds since 1970.
        completed_at: seconds since 1970, or None.
    """

    uploaded: int = 0
    downloaded: int = 0
    added_at: int = 0
    completed_at: int | None = None


class Journal:
    """The saved state of one torrent.

    Args:
        surroundings: for the store and for threads.
        info_hash: of the torrent.
        place: where its files are.
    """

    def __init__(self, surroundings: Surroundings, info_hash: bytes, place: str) -> None:
        self._surroundings = surroundings
        self._info_hash = info_hash
        self.place = place
        """The key of what is saved."""
        self.move: Move | None = None
        """Where `open` found that the files are, or were to be; None for where the torrent has them."""
        self._new: dict[int, None] = {}
        self._layers: Mapping[bytes, bytes] = {}
        self._uploaded = 0
        self._saved_at = 0.0
        self._started = False
        self._noted: Resume | None = None  # what is in the store, where that is known
        self.counters = Counters()
        self.peers: tuple[Address, ...] = ()
        """Where peers answered us in the swarm that was left last, of an earlier run perhaps."""
        self.ways = b""
        """How each of these was reached (see Peerbook.codes)."""
        self.liars: tuple[str, ...] = ()
        """URLs of web seeds that sent bad data, in an earlier run perhaps."""

    async def open(self) -> Record | None:
        """What was saved before; a torrent on its way to this place may have it under the old one."""

        def read(connection: sqlite3.Connection) -> tuple[Move | None, Record | None]:
            move = read_move(connection, self._info_hash, self.place)
            return move, load(connection, self._info_hash, self.place if move is None else move.place)

        nothing: tuple[Move | None, Record | None] = None, None
        self.move, record = await self._surroundings.store.read(read, nothing)
        if self.move is not None:
            self.place = self.move.place
        return record

    async def understand(self, raw: bytes) -> Info:
        """Check an info dictionary; off the loop, for it may name a hundred thousand files.

        Raises:
            BencodeError, MetainfoError: it makes no sense.
        """
        return await self._surroundings.in_thread(Info.parse, raw)

    async def start(
        self, info: Info, trackers: tuple[tuple[str, ...], ...], have: Bitfield, stamps: Stamps, saved: Resume | None
    ) -> None:
        """Note that the torrent is ours from now on, and what a check found.

        Args:
            info: of the torrent.
            trackers: its tiers.
            have: pieces that are stored.
            stamps: how the files looked before that was found out.
            saved: what an earlier run saved; its counters go on.

        Raises:
            StorageError: the state cannot be written.
        """
        self._count_on(saved)
        if have.complete:
            self.completed()
        else:
            self.counters.completed_at = None
        resume = self._resume(info, have, stamps)
        record = Record(self._info_hash, self.place, info.raw, trackers, resume.encode())
        await self._surroundings.store.put(record)
        self._noted = resume
        self._started = True

    async def note_check(
        self,
        info: Info,
        trackers: tuple[tuple[str, ...], ...],
        stamps: Stamps,
        saved: Resume | None,
        have: Bitfield,
        unchecked: Bitfield,
        *,
        ours: bool,
    ) -> None:
        """Note how far a check has come: should it be interrupted, the next goes on there.

        Args:
            info: of the torrent.
            trackers: its tiers.
            stamps: how the files looked when it began.
            saved: what an earlier run saved.
            have: pieces that are stored.
            unchecked: pieces that are still to be hashed.
            ours: whether the files are known to be the torrent's, whatever is found.

        Raises:
            StorageError: the state cannot be written.
        """
        self._count_on(saved)
        resume = replace(self._resume(info, have, stamps), unchecked=bytes(unchecked), ours=ours)
        await self._surroundings.store.put(Record(self._info_hash, self.place, info.raw, trackers, resume.encode()))

    async def layers(self, info: Info) -> dict[bytes, bytes]:
        """The piece layers that were saved, by root (BEP 52)."""
        return proved(info, await self._surroundings.store.layers(self._info_hash))

    def learned(self, rows: Mapping[bytes, bytes]) -> None:
        """Peers gave all piece layers, by root: they are saved with the next progress."""
        self._layers = rows

    def completed(self) -> None:
        """All that is wanted is there."""
        if self.counters.completed_at is None:
            self.counters.completed_at = int(time.time())

    def stored(self, piece: int) -> None:
        """A piece is in the files."""
        self._new[piece] = None

    def due(self, swarm: Swarm, now: float) -> bool:
        """Whether it is time to save."""
        since = now - self._saved_at
        if self._new or self._layers:
            return self._started and since >= self._surroundings.settings.save_seconds
        return self._started and since >= COUNTERS_SECONDS and swarm.uploaded > self._uploaded

    def left(self, swarm: Swarm) -> None:
        """The swarm is left; what was done in it counts as before."""
        self.counters.uploaded += swarm.uploaded
        self.counters.downloaded += swarm.downloaded
        self.peers, self.ways = self._reached(swarm)
        self.liars = swarm.web.liars
        self._uploaded = 0

    async def save(self, content: Content, swarm: Swarm) -> StorageError | None:
        """Write progress down; why the state could not be written, or None.

        The order is what makes it true after a crash: how files look is read first, then which pieces are stored;
        a piece stored in between makes a file look different from what is noted, so that it is checked. Bytes are on
        the disk before the note is.

        Args:
            content: the files.
            swarm: whose pieces are stored.

        Raises:
            StorageError: the system cannot say that the bytes are on the disk.
        """
        if not self._started or swarm.download is None:
            return None
        surroundings = self._surroundings
        self._saved_at = time.monotonic()
        new, self._new = self._new, {}
        unchanged = content.unchanged
        stamps = unchanged if unchanged is not None else await surroundings.in_thread(content.look_again)
        self._uploaded = swarm.uploaded
        resume = self._resume(content.info, swarm.download.have, stamps, swarm)
        if resume == self._noted and unchanged is not None and not new and not self._layers:
            return None  # so it is written down, and so it is on the disk
        self._noted = None

        def sync() -> bytes:
            content.storage.sync()
            return resume.encode()

        try:
            blob = await surroundings.in_thread(sync)
        except StorageError:
            self._started = False  # what the system lost it does not lose again: only a check tells what is there
            raise
        try:
            if self._layers:
                await surroundings.store.keep_layers(self._info_hash, self._layers)
                self._layers = {}
            await surroundings.store.save(self._info_hash, self.place, blob)
            self._noted = resume
        except StorageError as error:
            self._new = new | self._new
            return error
        return None

    def _count_on(self, saved: Resume | None) -> None:
        """The counters go on from what an earlier run saved."""
        counters = self.counters
        if not counters.added_at and saved is not None:
            counters.uploaded, counters.downloaded = saved.uploaded, saved.downloaded
            counters.added_at, counters.completed_at = saved.added_at, saved.completed_at
            self.peers, self.ways = saved.peers, saved.ways
            self.liars = saved.liars
        counters.added_at = counters.added_at or int(time.time())

    def _resume(self, info: Info, have: Bitfield, stamps: Stamps, swarm: Swarm | None = None) -> Resume:
        counters = self.counters
        peers, ways = self._reached(swarm) if swarm is not None else (self.peers, self.ways)
        return Resume(
            info_hash=info.wire_hash,
            piece_count=info.geometry.piece_count,
            pieces=bytes(have),
            files=tuple(stamps),
            uploaded=counters.uploaded + (swarm.uploaded if swarm is not None else 0),
            downloaded=counters.downloaded + (swarm.downloaded if swarm is not None else 0),
            added_at=counters.added_at,
            completed_at=counters.completed_at,
            peers=peers,
            ways=ways,
            liars=swarm.web.liars if swarm is not None else self.liars,
        )

    def _reached(self, swarm: Swarm) -> tuple[tuple[Address, ...], bytes]:
        """Where to find its peers in the next run, and how; nothing where that may not be used (BEP 27)."""
        if Source.RESUME not in swarm.sources:
            return (), b""
        book = swarm.peerbook
        reached = tuple(book.reached(MOST_PEERS))
        if reached or swarm.left_bytes:
            return reached, book.codes(reached)
        return self.peers, self.ways  # nobody tried those

    def end(self) -> None:
        """Save nothing more."""
        self._started = False
