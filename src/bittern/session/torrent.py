"""The handle of one torrent: what users of the library hold."""

import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from bittern.base.errors import NoSuchTorrentError, SessionError
from bittern.base.ids import InfoHashV1
from bittern.codec.metainfo import File, Info, Metainfo
from bittern.engine.download.priorities import NORMAL, SKIP

from .checking import Pace
from .entry import Entry, Mode
from .events import Event, EventStream
from .folders import absolute
from .goals import Goal
from .hand import Hand
from .life import Life
from .limits import Limits
from .placement import Placement
from .snapshot import status_of, status_of_peer
from .status import TROUBLED, PeerStatus, State, Status, TrackerStatus, WebSeedStatus


class Torrent:
    """A torrent of a session; made by `Session.add`.

    What is read is read without waiting. Where a method waits, its cancellation changes nothing. When it was removed,
    or the session closed, what was known can still be read; what would change it raises NoSuchTorrentError.
    """

    def __init__(self, entry: Entry, hand: Hand) -> None:
        self._entry = entry
        self._hand = hand

    def __repr__(self) -> str:
        return f"<Torrent {self.info_hash} {self._entry.now_doing.value}>"

    @property
    def info_hash(self) -> InfoHashV1:
        """What handshakes and trackers carry: SHA-1, or SHA-256 truncated (BEP 52)."""
        return self._entry.info_hash

    @property
    def name(self) -> str:
        """Of the file or root folder; the link's word, or the info hash, while the metadata is unknown."""
        return self._life.name if self._life is not None else self._entry.name

    @property
    def info(self) -> Info | None:
        """What it is made of; None while that is unknown. While the torrent sleeps it is read from the store.

        Raises:
            SessionError: what was saved of it cannot be read, or is damaged.
        """
        return self._life.info if self._life is not None else self._hand.stored_info(self._entry)

    @property
    def metainfo(self) -> Metainfo | None:
        """As a .torrent file says it (`to_bytes` makes one): what a link led to, with its trackers and web seeds.

        None while it is unknown. Piece layers (BEP 52) that peers have not told yet are missing in it; with
        `metadata_only` they are there once the torrent is PAUSED. While the torrent sleeps it is read from the store.

        Raises:
            SessionError: what was saved of it cannot be read, or is damaged.
        """
        return self._life.metainfo if self._life is not None else self._hand.stored(self._entry)

    @property
    def files(self) -> tuple[File, ...]:
        """Its files without pads, in the order that `select` counts; empty while they are unknown.

        Raises:
            SessionError: as for `info`.
        """
        info = self.info
        return tuple([file for file in info.files if not file.pad]) if info is not None else ()

    @property
    def path(self) -> Path | None:
        """The file, or the root folder; None while the name is unknown."""
        entry = self._entry
        if entry.content is not None:
            return Path(entry.content)
        if self._life is not None:
            return self._life.path
        return self._hand.path(entry)

    @property
    def trackers(self) -> tuple[TrackerStatus, ...]:
        """Its trackers, in the order they are asked; those of protocols that are not spoken come last."""
        source = self._hand.trackers(self._entry)
        if source is None:
            return ()
        known = [TrackerStatus(state.url, state.failures, state.message) for state in source.trackers]
        unsupported = [TrackerStatus(url, 0, None, supported=False) for url in source.unsupported]
        return (*known, *unsupported)

    @property
    def web_seeds(self) -> tuple[WebSeedStatus, ...]:
        """Its web seeds (BEP 19), as far as they have http or https URLs; none while it sleeps."""
        web, now = self._hand.web_seeds(self._entry), time.monotonic()
        seeds = web.seeds.values() if web is not None else ()
        return tuple(
            [
                WebSeedStatus(seed.url, seed.arrived, seed.down.rate(now), seed.failures, seed.message, seed.banned)
                for seed in seeds
            ]
        )

    @property
    def torrent_urls(self) -> tuple[str, ...]:
        """Where its link says that the .torrent file is (`xs`, `as`), while it is asked for there."""
        return self._life.elsewhere.urls if self._life is not None else ()

    @property
    def found_by(self) -> dict[str, int]:
        """How many of the addresses in `Status.known_peers` are known from whom.

        Where several named one, the most trusted counts. Keys: `manual` (the user, or the link), `tracker`, `dht`,
        `pex` (other peers), `lsd` (the local network), `incoming` (they came by themselves), `resume` (an earlier run).
        """
        swarm = self._life.swarm if self._life is not None else None
        return {source.value: count for source, count in swarm.peerbook.counts.items()} if swarm is not None else {}

    @property
    def peers(self) -> tuple[PeerStatus, ...]:
        """Those that it is connected to, in the order they came."""
        swarm, now = self._life.swarm if self._life is not None else None, time.monotonic()
        return tuple([status_of_peer(peer, now) for peer in swarm.peers.values()]) if swarm is not None else ()

    @property
    def status(self) -> Status:
        """How it is right now."""
        life = self._life
        return status_of(life, life.name, time.monotonic()) if life is not None else self._entry.status()

    @property
    def position(self) -> int:
        """Its place in the queue, from 0; the lower runs first, among those of one priority."""
        return self._entry.position

    @property
    def priority(self) -> int:
        """What goes before its place in the queue; 0 unless set, the higher runs first."""
        return self._entry.priority

    @property
    def forced(self) -> bool:
        """Whether it runs whatever the queue says."""
        return self._entry.mode is Mode.FORCED

    @property
    def goal(self) -> Goal | None:
        """Its own goal; None for that of the session."""
        return self._entry.goal

    def events(self, *kinds: type[Event]) -> EventStream:
        """What happens from now on: `async for event in torrent.events()`. Ends with the torrent or the session.

        Args:
            kinds: classes of events that are wanted; none for all. To a slow reader `EventsLost` comes, too.
        """
        return self._hand.publisher(self._entry).stream(kinds)

    async def metadata(self) -> Info:
        """Wait until it is known what the torrent is made of.

        Raises:
            BitternError: what made the torrent fail.
            NoSuchTorrentError: it was removed, or the session closed.
        """
        if self._life is None:
            self._hand.wake(self._entry)
        await self._until(lambda: self._life is not None and self._life.info is not None)
        assert self._life is not None
        assert self._life.info is not None
        return self._life.info

    async def checked(self) -> None:
        """Wait until it is known what is on the disk.

        Raises:
            BitternError: what made the torrent fail.
            NoSuchTorrentError: it was removed, or the session closed.
        """
        await self._until(lambda: self._entry.now_doing not in (State.CHECKING, State.METADATA, *TROUBLED))

    async def completed(self) -> None:
        """Wait until every wanted byte is in the files.

        Raises:
            BitternError: what made the torrent fail. After a full disk it is tried again all the same.
            NoSuchTorrentError: it was removed, or the session closed.
        """
        await self._until(lambda: self._life.complete if self._life is not None else self._entry.status().complete)

    async def pause(self) -> None:
        """Leave the swarm; a check goes on."""
        self._hand.pause(self._entry)

    async def resume(self, *, force: bool = False) -> None:
        """Join the swarm again, also after a failure or a seed goal.

        Args:
            force: at once, and stay there, whatever the queue says.
        """
        self._hand.resume(self._entry, Mode.FORCED if force else Mode.AUTO)

    def set_file_priorities(self, priorities: Mapping[int, int]) -> None:
        """Want files more or less than others, at any time once the metadata is known.

        Args:
            priorities: by numbers from 0 into `files`: 0 for not at all, 1 to 7, the highest first; 4 unless set.
                Files that are not named keep what they had.

        Raises:
            SessionError: no such file or priority, or the files are not known yet.
        """
        self._hand.prioritize(self._entry, priorities)

    def select_files(self, numbers: Iterable[int] | None) -> None:
        """Fetch these files from now on, and no others; what single ones were wanted before is forgotten.

        Args:
            numbers: from 0 into `files`; None for all.

        Raises:
            SessionError: there is no such file, or the files are not known yet.
        """
        every = range(len(self.files))
        if numbers is None:
            self.set_file_priorities(dict.fromkeys(every, NORMAL))
        else:
            self.set_file_priorities(dict.fromkeys(every, SKIP) | dict.fromkeys(numbers, NORMAL))

    async def set_deadline(self, piece: int, seconds: float | None) -> None:
        """Need a piece within so many seconds: those with deadlines come before all others, earliest first.

        A block that would come too late from the peer that owes it is asked of a faster one as well. With None the
        piece is needed at no time any more. Deadlines are forgotten with a restart, a `recheck`, and in sleep.

        It waits while files are being checked; a torrent that sleeps wakes up. That time counts.

        Raises:
            SessionError: there is no such piece, it is not known yet what the torrent is made of, or this is no time.
            BitternError: the torrent slept and does not wake up, or failed.
        """
        await self._hand.set_deadline(self._entry, piece, seconds)

    async def recheck(self) -> None:
        """Hash everything that is there; returns when that is done. What is not there is fetched again.

        Raises:
            BitternError: the torrent slept and does not wake up.
        """
        await (await self._hand.awaken(self._entry)).recheck()

    def move(self, position: int) -> None:
        """Take another place in the queue; those between move up or down.

        Args:
            position: from 0; one beyond the end is the end.
        """
        self._hand.move(self._entry, position)

    def set_priority(self, priority: int) -> None:
        """Run before those of a lower priority, whatever their place in the queue; 0 is what all have at first."""
        self._hand.rank(self._entry, priority)

    def set_goal(self, goal: Goal | None) -> None:
        """Set a goal of its own; None for that of the session. One that is behind the torrent counts anew."""
        self._hand.aim(self._entry, goal)

    def set_limits(
        self,
        *,
        down: float | None = None,
        up: float | None = None,
        peer_down: float | None = None,
        peer_up: float | None = None,
    ) -> None:
        """Hold the torrent to limits from now on; those of its group and of the session hold beside them.

        Args:
            down: bytes of content per second from all peers together; `math.inf` for no limit, None for no change.
            up: bytes of content per second to all peers together, likewise.
            peer_down: bytes of content per second from each peer, likewise.
            peer_up: bytes of content per second to each peer, likewise.

        Raises:
            SessionError: one is negative, or nothing could ever be downloaded.
        """
        limits = self._entry.limits or Limits()
        limits.update(down, up, peer_down, peer_up)
        self._hand.limit(self._entry, limits)

    def set_peer_limits(self, host: str, *, down: float | None = None, up: float | None = None) -> None:
        """Hold one peer to limits of its own from now on, and whenever it connects again.

        They take the place of `peer_down` and `peer_up`; those of the torrent, its group and the session hold beside
        them, but not for peers of the local network that are exempt (`Settings.exempt_local`).

        Args:
            host: its numeric IP address; where several peers have it, each is held to the limits.
            down: bytes of content per second from it; `math.inf` for no limit, None for `peer_down`.
            up: bytes of content per second to it; likewise `peer_up`. With neither, it is as every other peer again.

        Raises:
            SessionError: this is no IP address, one is negative, or nothing could ever be downloaded.
        """
        limits = self.limits
        limits.update_peer(host, down, up)
        self._hand.limit(self._entry, limits)

    @property
    def group(self) -> str | None:
        """The group whose limits it shares (see `Session.group`), or None."""
        return self._entry.limits.group if self._entry.limits is not None else None

    def join(self, group: str | None) -> None:
        """Share the limits of a group of torrents from now on; None to leave the one it is in."""
        limits = self._entry.limits or Limits()
        limits.group = group
        self._hand.limit(self._entry, limits)

    @property
    def limits(self) -> Limits:
        """A copy of its limits: None where none was ever set."""
        return self._entry.limits.copy() if self._entry.limits is not None else Limits()

    @property
    def ip_filtered(self) -> bool:
        """Whether the IP filter of the session is for it."""
        return self._hand.ip_filtered(self._entry)

    async def set_ip_filtered(self, *, on: bool) -> None:
        """Deal with nobody whom the IP filter blocks, or with everybody; kept where torrents are kept.

        Raises:
            NoSuchTorrentError: it is not in the session any more.
            StorageError: it cannot be kept; it holds all the same.
        """
        await self._hand.filter_addresses(self._entry, on=on)

    @property
    def super_seeding(self) -> bool:
        """Whether pieces are shown to peers one by one while nobody else has everything (BEP 16)."""
        return self._entry.super_seed

    def set_super_seeding(self, *, on: bool) -> None:
        """Begin or end super-seeding (BEP 16) at any time; it ends by itself when others have everything.

        Peers that are there when it begins know what we have: it is shown piece by piece to those that come.
        """
        self._hand.super_seed(self._entry, on=on)

    async def move_to(self, folder: str | os.PathLike[str]) -> None:
        """Move its files to another folder; returns when that is done. A complete torrent is seeded meanwhile.

        It may take long on another file system. Should the process end before, the next `Session.add`, with the old
        or the new folder, goes on with it. Cancelling the wait does not stop the move: `cancel_move` does.

        Args:
            folder: that the file, or the root folder, goes to; made when missing.

        Raises:
            StorageError: something is in the way, there is no room, or the system refuses; all is as it was.
            MoveCancelledError: `cancel_move` was called; all is as it was.
            AlreadyAddedError: another process is at work on the torrent there.
            SessionError: its files are not known yet, or being checked or moved; or this is no folder.
        """
        where = absolute(folder)
        await self._hand.relocate(self._entry, lambda _, now: Placement(where, now.root, now.names))

    async def rename(self, name: str) -> None:
        """Give the single file, or the root folder, another name; raises as `move_to`."""
        await self._hand.relocate(self._entry, lambda _, now: now.with_root(name))

    async def rename_file(self, index: int, path: str) -> None:
        """Give one file another name or another folder below the root.

        Args:
            index: from 0 into `files`.
            path: below the root folder, with slashes; for a single file, its name.

        Raises:
            SessionError: there is no such file, the path is not safe, or another file of the torrent is there.
            StorageError: as for `move_to`.
        """

        def choose(info: Info, now: Placement) -> Placement:
            shown = [number for number, file in enumerate(info.files) if not file.pad]
            if not 0 <= index < len(shown):
                raise SessionError(f"there is no file {index + 1}: the torrent has {len(shown)}")
            return now.renamed(info, shown[index], path)

        await self._hand.relocate(self._entry, choose)

    async def cancel_move(self) -> None:
        """Stop a move that goes on; files that have moved go back."""
        if self._life is not None:
            self._life.mover.cancel()

    async def pause_check(self) -> None:
        """Let a check that goes on read nothing more until `resume_check`."""
        if self._pace is not None:
            self._pace.pause()

    async def resume_check(self) -> None:
        """Let a check go on where it was paused."""
        if self._pace is not None:
            self._pace.resume()

    async def cancel_check(self) -> None:
        """End a check that goes on.

        After a recheck, what was believed before is believed again. A first check leaves the torrent FAILED, with
        CheckCancelledError, until `resume` or `recheck`.
        """
        if self._pace is not None:
            self._pace.cancel()

    @property
    def _life(self) -> Life | None:
        return self._entry.life

    @property
    def _pace(self) -> Pace | None:
        """Of a check that goes on."""
        return self._life.inspection.pace if self._life is not None else None

    async def _until(self, reached: Callable[[], bool]) -> None:
        entry = self._entry
        while not reached():
            error = entry.life.error if entry.life is not None else entry.error
            if entry.now_doing in TROUBLED and error is not None:
                raise error
            publisher = self._hand.publisher(entry)
            if publisher.ended:
                raise NoSuchTorrentError(f"{self.name} is not in the session any more")
            await publisher.change()
