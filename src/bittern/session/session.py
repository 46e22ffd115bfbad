"""The session: the service that owns torrents, and the way into the library."""

import asyncio
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType, TracebackType
from typing import Self
from weakref import WeakValueDictionary

from bittern.base.errors import NoSuchTorrentError, SessionError
from bittern.base.ids import InfoHashV1
from bittern.codec.magnet import Magnet
from bittern.codec.metainfo import Metainfo
from bittern.engine.events import Event, NodeHeard, SleeperCalled
from bittern.engine.nat.lease import Lease
from bittern.io.dht import Table
from bittern.io.tasks import Tasks, to_its_end

from .board import Board
from .dht import Dht
from .door import Door
from .entry import Entry
from .folders import absolute
from .goals import Goal
from .options import AddOptions
from .parts import Foundation, Parts
from .privacy import effective
from .queue import Places
from .services import services
from .settings import Settings
from .sources import TorrentSource, check_web_seeds, find_peer, find_torrent, peers_of
from .status import IpFilterStatus, StatusChanges
from .torrent import Torrent


class Session:
    """A BitTorrent client: `async with Session(Settings(...)) as session`.

    Everything happens on the running loop and a few threads; leaving the block tells trackers, saves progress and
    ends all of it. Then it may be opened again, also on another loop: it begins anew, with what is kept in its folder.

    While it is not open it has no torrents, and whatever needs more than `settings` raises SessionError.

    Args:
        settings: how it behaves.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self._entries: dict[InfoHashV1, Entry] = {}
        self._handles: WeakValueDictionary[InfoHashV1, Torrent] = WeakValueDictionary()
        self._parts: Parts | None = None
        self._tasks = Tasks()
        self._ending: asyncio.Task[None] | None = None
        self._board: Board[InfoHashV1] = Board()
        self._door = Door(self._entries)
        self._dht = Dht(self._table, self._known_nodes)

    async def __aenter__(self) -> Self:
        return await self.open()

    async def open(self) -> Self:
        """Begin; `async with` calls it. For a notebook, say, where a session lives longer than a block.

        Raises:
            StorageError: the state cannot be used.
            NetworkError: the port is taken, or an address is not this machine's, or a list cannot be fetched.
            IpListError: a list of `Settings.ip_filter` is none, or damaged.
            OSError: it cannot be read.
            SessionError: it is open, or another session keeps its torrents in the same folder.
            ThreadLimitError: the system allows too few threads.
        """
        if self._parts is not None:
            raise SessionError("the session is open already")
        if self._ending is not None and not self._ending.done():  # nobody waits for it, and the folder is not free yet
            await asyncio.wait([self._ending])
        self._forget()
        settings = effective(self.settings)
        foundation = await Foundation.lay(settings)
        try:
            parts = self._build(foundation, settings)
        except BaseException:
            foundation.close_sockets()
            await foundation.raze()
            raise
        self._parts = parts
        try:
            parts.runtime.disk.begin()
            await parts.filtering.begin()
            if self.settings.keep_torrents:
                await parts.rules.restore()
                async for entries in parts.roster.load():
                    self._door.restore(parts, entries)
            parts.steward.begin()
        except BaseException:
            if self._parts is parts:  # nobody closed it in between
                self._parts = None
                await parts.waking.close()  # somebody may have been called already
                await parts.take_down()
            raise
        for work, name in services(parts, self._entries, self.settings):
            self._tasks.start(work, name)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def port(self) -> int:
        """The TCP port that is listened on."""
        return self._open().runtime.port

    @property
    def cut_off(self) -> str | None:
        """Why nothing is sent or received, where the interface that the session is bound to is gone."""
        tether = self._open().tether
        return tether.cut_off if tether is not None else None

    @property
    def port_mappings(self) -> tuple[Lease, ...]:
        """Ports of the router that lead to us, where it was asked for some (`Settings.port_mapping`)."""
        return self._open().whereabouts.leases

    @property
    def searches_dht(self) -> bool:
        """Whether peers are looked for in the distributed hash table: `Settings.dht`, and a way there."""
        return self._open().node is not None

    @property
    def proxy_trouble(self) -> str | None:
        """Why the proxy cannot be used, as far as it was tried; None while it works, or where there is none."""
        proxying = self._open().surroundings.route.proxying
        return proxying.trouble if proxying is not None else None

    @property
    def searches_locally(self) -> bool:
        """Whether peers are looked for in a local network (BEP 14): wanted, and there is one to listen in."""
        return self._open().runtime.searches_locally

    @property
    def dht(self) -> Dht:
        """The distributed hash table; its calls need `Settings.dht`."""
        return self._dht

    @property
    def torrents(self) -> tuple[Torrent, ...]:
        """All of them, in the order they were added."""
        parts = self._parts
        return tuple([self._handle(entry, parts) for entry in self._entries.values()]) if parts is not None else ()

    def get(self, info_hash: InfoHashV1) -> Torrent | None:
        """The torrent with this info hash, as the wire carries it; None when there is none."""
        entry, parts = self._entries.get(info_hash), self._parts
        return self._handle(entry, parts) if entry is not None and parts is not None else None

    async def find(self, source: TorrentSource) -> Metainfo | Magnet:
        """What `source` names, read or fetched; nothing is added.

        Raises:
            BencodeError, MetainfoError, MagnetError: it is invalid; a note names the file or URL.
            NetworkError: the URL cannot be fetched.
            OSError: the .torrent file cannot be read.
        """
        parts = self._open()
        return await find_torrent(source, parts.runtime.http, parts.surroundings.threads)

    async def add(
        self,
        source: TorrentSource,
        save_path: str | os.PathLike[str] | None = None,
        *,
        content: str | os.PathLike[str] | None = None,
        peers: Sequence[str] = (),
        select: Sequence[int] | None = None,
        priorities: Mapping[int, int] = MappingProxyType({}),
        trackers: Sequence[Sequence[str]] = (),
        web_seeds: Sequence[str] = (),
        paused: bool = False,
        metadata_only: bool = False,
        trust: bool = False,
        overwrite: bool = False,
        recheck: bool = False,
        super_seed: bool = False,
        ip_filtered: bool = True,
    ) -> Torrent:
        """Take a torrent in. Files that are there are checked, then it joins its swarm; both after this returns.

        Args:
            source: a Metainfo, a Magnet, the path or URL of a .torrent file, a magnet link, or an info hash.
            save_path: the folder that its file, or root folder, goes to; None for the one in the settings.
            content: instead, the file or the root folder itself.
            peers: `HOST:PORT` of peers to connect to.
            select: the files to fetch, as numbers from 0 into `Torrent.files`; None for all.
            priorities: how much single files are wanted, by such numbers, whatever `select` says; see
                `Torrent.set_file_priorities`.
            trackers: tiers of URLs to ask beside those of the torrent.
            web_seeds: http or https URLs of servers that have the files, beside those of the torrent (BEP 19): of the
                file itself, or of the folder that its file or root folder is in, which ends in a slash.
            paused: whether it stays out of its swarm until `Torrent.resume`.
            metadata_only: of a link, get the metadata and then wait for `Torrent.resume`, paused: until then no file is
                made or looked at and no content is asked for, so that files can be chosen (`Torrent.select_files`).
            trust: believe that files of the right size are right, instead of hashing them.
            overwrite: whether files without a single right piece may be overwritten.
            recheck: hash what is there, whatever was saved, and fetch what is not there any more.
            super_seed: if all of it is there, send each piece about once: show pieces to peers one by one until
                others have everything (BEP 16).
            ip_filtered: whether the IP filter of the session is for it; see `Torrent.set_ip_filtered`.

        Raises:
            BencodeError, MetainfoError, MagnetError: the source is invalid.
            NetworkError: the URL cannot be fetched, or a peer's name is unknown.
            OSError: the .torrent file cannot be read.
            AlreadyAddedError: it is in this session, or another process is at work on it in the same place.
            SessionError: the session is not open, a web seed is no such URL, a peer is not written so, or `select` or
                `priorities` name what the torrent does not have; what a link leads to is not known yet: it FAILS then.
            StorageError: the state folder cannot be used.
        """
        self._open()
        check_web_seeds(web_seeds)
        found, route = await self.find(source), self._open().surroundings.route
        if web_seeds:
            found = replace(found, web_seeds=tuple(dict.fromkeys((*web_seeds, *found.web_seeds))))
        options = AddOptions(
            save_path=absolute(save_path if save_path is not None else self.settings.save_path),
            content=absolute(content) if content is not None else None,
            addresses=tuple([address for peer in peers for address in await find_peer(peer, route)]),
            select=select,
            priorities=dict(priorities),
            trackers=tuple(map(tuple, trackers)),
            paused=paused or metadata_only,
            metadata_only=metadata_only,
            trust=trust,
            overwrite=overwrite,
            recheck=recheck,
            super_seed=super_seed,
        )
        if isinstance(found, Magnet):
            options.addresses += await peers_of(found, route)
        entry = await self._door.admit(self._open, found, options)
        parts = self._open()
        parts.filtering.exempt(entry.info_hash, on=not ip_filtered)
        if parts.node is not None and isinstance(found, Metainfo):
            parts.node.named(found)
        await asyncio.shield(self._door.keep(parts, entry, found))
        await parts.filtering.keep()
        return self._handle(entry, parts)

    async def remove(self, torrent: Torrent, *, delete_data: bool = False) -> None:
        """Take a torrent out and forget its progress.

        Args:
            torrent: of this session.
            delete_data: whether to delete its files too, and folders that are empty then.

        Raises:
            NoSuchTorrentError: it is not in this session.
            SessionError: its files are to be deleted, and what was saved of it is damaged: it stays.
            StorageError: the state cannot be read, and it stays; or cannot be written, or a file cannot be deleted.
        """
        entry = self._entries.get(torrent.info_hash)
        if entry is None or self._handles.get(torrent.info_hash) is not torrent:
            raise NoSuchTorrentError(f"{torrent.name} is not in this session")
        await asyncio.shield(self._remove(entry, delete_data=delete_data))

    def changes(self, since: int = 0) -> StatusChanges:
        """The torrents that changed after a revision, and how they are now; costs as much as there are changes.

        Args:
            since: the revision that came with the last answer; 0 for everything.
        """
        changes = self._board.since(since)
        found = [(key, self.get(key)) for key in changes.changed]
        return StatusChanges(
            revision=changes.revision,
            whole=changes.whole,
            torrents={key: torrent.status for key, torrent in found if torrent is not None},
            gone=changes.gone,
        )

    # What is set here holds in the next session too where torrents are kept; see Settings.keep_torrents.

    def set_places(self, places: Places) -> None:
        """Let more, or fewer, torrents run at a time from now on."""
        self._open().rules.set_places(places)

    def set_goal(self, goal: Goal) -> None:
        """From now on, torrents without a goal of their own have this one."""
        self._open().rules.set_goal(goal)

    def set_limits(self, *, down: float | None = None, up: float | None = None) -> None:
        """Change the limits of all torrents together; those in `settings` hold until then.

        Args:
            down: bytes of content per second; `math.inf` for no limit, None for no change.
            up: likewise; at 0 nothing is uploaded.

        Raises:
            SessionError: one is negative, or nothing could ever be downloaded.
        """
        self._open().rules.set_limits(down, up)

    @property
    def limits(self) -> tuple[float, float]:
        """Bytes of content per second of all torrents together, down and up; `math.inf` for no limit."""
        return self._open().rules.limits

    def group(self, name: str, *, down: float | None = None, up: float | None = None) -> None:
        """Make a group of torrents that share limits, or change them; `Torrent.join` puts torrents into it.

        Args:
            name: of the group.
            down: bytes of content per second of all its torrents together; `math.inf` for no limit, None for no change.
            up: likewise; at 0 nothing is uploaded.

        Raises:
            SessionError: one is negative, or nothing could ever be downloaded.
        """
        self._open().rules.set_group(name, down, up)

    @property
    def groups(self) -> dict[str, tuple[float, float]]:
        """Each group and its limits in bytes per second, down and up; `math.inf` for no limit."""
        return self._open().rules.groups

    @property
    def ip_filter(self) -> IpFilterStatus:
        """What the IP filter is made of, and whom it kept out so far; see `Settings.ip_filter`."""
        return self._open().filtering.status

    async def reload_ip_filter(self, sources: Iterable[str] | None = None) -> IpFilterStatus:
        """Read the lists of the IP filter again, and part with everybody whom they block now.

        Where a list cannot be had or read, what was loaded before holds.

        Args:
            sources: other lists from now on, as in `Settings.ip_filter`; none at all for no filter.

        Raises:
            IpListError: one is no list of addresses, or damaged.
            NetworkError: one cannot be fetched, and was not before.
            OSError: a file cannot be read.
        """
        return await self._open().filtering.reload(sources)

    def ban(self, host: str, seconds: float | None = None) -> None:
        """Have nothing to do with an address from now on: connections end, none is made or taken.

        Peers that provably sent wrong data are banned by themselves, until they are unbanned.

        Args:
            host: a numeric IP address.
            seconds: for how long; None for good.

        Raises:
            SessionError: this is no IP address, or no time.
        """
        self._open().rules.ban(host, seconds)

    def unban(self, host: str) -> bool:
        """Deal with an address again; False when it was not banned.

        Raises:
            SessionError: this is no IP address.
        """
        return self._open().rules.unban(host)

    @property
    def bans(self) -> dict[str, float | None]:
        """Banned addresses, and the seconds until each ban ends; None for good."""
        return self._open().rules.bans

    async def close(self) -> None:
        """Tell the trackers, save, and end everything; `async with` calls it.

        Who is cancelled meanwhile has it done to its end all the same, and then is; a second time ends the wait, and
        what is not done yet goes on. To call it again is to wait for that.
        """
        parts, self._parts = self._parts, None
        if parts is not None:
            self._ending = asyncio.get_running_loop().create_task(self._close(parts), name="bittern end")
        if self._ending is not None and not self._ending.done():
            await to_its_end(self._ending)

    async def _close(self, parts: Parts) -> None:
        parts.steward.rest()
        try:
            await self._tasks.close()
            goodbye = asyncio.get_running_loop().create_task(parts.say_goodbye(self.settings.goodbye_seconds))
            now = time.monotonic()
            parts.steward.note(now)
            for entry in self._entries.values():
                if entry.seeding_since is not None and entry.life is None and not parts.steward.goal.never:
                    entry.unsaved = True  # it seeded on
            await parts.steward.save()
            await parts.rules.close()
            await parts.filtering.close()
            await parts.waking.close()
            await parts.steward.save_moved()
            await goodbye
        finally:
            parts.hand.close()
            for entry in self._entries.values():
                if entry.publisher is not None:
                    entry.publisher.end()
            await parts.take_down()

    def _open(self) -> Parts:
        if self._parts is None:
            raise SessionError("the session is not open: use it as `async with Session() as session`")
        return self._parts

    def _build(self, foundation: Foundation, settings: Settings) -> Parts:
        return Parts.build(
            settings,
            foundation,
            self._entries,
            self._board,
            on_events=self._on_events,
            changed=self._changed,
            remove=self._remove,
        )

    async def _table(self) -> Table:
        node = self._open().node
        if node is None:
            raise SessionError("the session takes no part in the distributed hash table: use Settings(dht=True)")
        return await node.table()

    def _known_nodes(self) -> int:
        node = self._parts.node if self._parts is not None else None
        return node.nodes if node is not None else 0

    def _changed(self, entry: Entry) -> None:
        if self._parts is not None:
            self._parts.steward.look_again(entry)

    def _forget(self) -> None:
        """The torrents of the last time are not those of the next, whose handles are others."""
        for info_hash in self._entries:
            self._board.drop(info_hash)
        self._entries.clear()
        self._handles.clear()

    def _handle(self, entry: Entry, parts: Parts) -> Torrent:
        handle = self._handles.get(entry.info_hash)
        if handle is None:
            self._handles[entry.info_hash] = handle = Torrent(entry, parts.hand)
        return handle

    async def _remove(self, entry: Entry, *, delete_data: bool = False) -> None:
        stored = await self._door.look_up(self._open(), entry) if delete_data else None
        parts = self._open()  # it may have been closed in between
        if self._entries.get(entry.info_hash) is not entry:  # somebody else, or a goal, was faster
            raise NoSuchTorrentError(f"{entry.name} is not in this session any more")
        self._handles.pop(entry.info_hash, None)
        self._board.drop(entry.info_hash)
        parts.filtering.exempt(entry.info_hash, on=False)
        await self._door.dismiss(parts, entry, stored, delete_data=delete_data)
        await parts.filtering.keep()

    def _on_events(self, events: list[Event]) -> None:
        parts = self._parts
        if parts is None:
            return
        listeners = parts.surroundings.listeners
        for event in events:
            if isinstance(event, NodeHeard):
                if parts.node is not None:
                    parts.node.meet(event.address)
                continue
            if isinstance(event, SleeperCalled):
                entry = self._entries.get(event.info_hash)
                if entry is not None:
                    parts.waking.wake(entry, event.addresses)
                continue
            listener = listeners.get(event.torrent)
            if listener is not None:
                listener.on_event(event)
