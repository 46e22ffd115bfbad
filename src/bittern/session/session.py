"""The session: the service that owns torrents, and the way into the library."""

import asyncio
import os
import secrets
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self
from weakref import WeakValueDictionary

from bittern.base.address import Address
from bittern.base.errors import AlreadyAddedError, BitternError, NoSuchTorrentError, SessionError, StorageError
from bittern.base.ids import InfoHashV1, PeerId
from bittern.codec.magnet import Magnet
from bittern.codec.metainfo import Metainfo
from bittern.engine.events import Event, SleeperCalled
from bittern.engine.swarm.lanes import Lanes
from bittern.io import capabilities
from bittern.io.disk.files import storage_error
from bittern.io.runtime import Runtime
from bittern.version import __version__

from .board import Board
from .content import Content
from .deleting import delete_content
from .entry import Entry, Mode
from .events import SaveFailed
from .goals import Goal
from .hand import Hand
from .limits import check_limit
from .listening import draw_port, listening_sockets
from .lock import TorrentLock
from .options import AddOptions
from .placement import load_move
from .queue import Places
from .roster import Roster
from .settings import Settings
from .snapshot import status_of
from .sources import TorrentSource, find_peer, find_torrent
from .status import State, StatusChanges
from .steward import Steward
from .store import Store
from .surroundings import Surroundings
from .torrent import Torrent
from .waking import Waking

_GOODBYE_STEP_SECONDS = 0.02


class Session:
    """A BitTorrent client: `async with Session(Settings(...)) as session`.

    Everything happens on the running loop and a few threads; leaving the block tells trackers, saves progress and
    ends all of it.

    Args:
        settings: how it behaves.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self._entries: dict[InfoHashV1, Entry] = {}
        self._handles: WeakValueDictionary[InfoHashV1, Torrent] = WeakValueDictionary()
        self._parts: _Parts | None = None
        self._ticker: asyncio.Task[None] | None = None
        self._lock: TorrentLock | None = None
        self._board: Board[InfoHashV1] = Board()
        self._last_number = 0

    async def __aenter__(self) -> Self:
        settings = self.settings
        store = Store(settings.state_folder())
        await store.open()
        sockets: list[socket.socket] = []
        try:
            self._lock = _profile_lock(store.folder) if settings.keep_torrents else None
            roster = Roster(store)
            await roster.open()
            port = settings.port if settings.port is not None else await _kept_port(store)
            sockets = listening_sockets(settings.listen, port, fallback=settings.port is None)
            self._parts = parts = self._build(store, roster, sockets)
            if settings.keep_torrents:
                async for entries in roster.load():
                    self._restore(parts, entries)
            parts.steward.decide()
        except BaseException:
            await self._give_up(store, sockets)
            raise
        self._ticker = asyncio.get_running_loop().create_task(parts.steward.run(), name="bittern session")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def port(self) -> int:
        """The TCP port that is listened on."""
        return self._open().surroundings.runtime.port

    @property
    def torrents(self) -> tuple[Torrent, ...]:
        """All of them, in the order they were added."""
        parts = self._parts
        return tuple([self._handle(entry, parts) for entry in self._entries.values()]) if parts is not None else ()

    def get(self, info_hash: InfoHashV1) -> Torrent | None:
        """The torrent with this info hash, as the wire carries it; None when there is none."""
        entry = self._entries.get(info_hash)
        return self._handle(entry, self._open()) if entry is not None else None

    async def find(self, source: TorrentSource) -> Metainfo | Magnet:
        """What `source` names, read or fetched; nothing is added.

        Raises:
            BencodeError, MetainfoError, MagnetError: it is invalid; a note names the file or URL.
            NetworkError: the URL can not be fetched.
            OSError: the .torrent file can not be read.
        """
        return await find_torrent(source, self._open().surroundings.runtime.http)

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
        paused: bool = False,
        trust: bool = False,
        overwrite: bool = False,
        recheck: bool = False,
        super_seed: bool = False,
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
            paused: whether it stays out of its swarm until `Torrent.resume`.
            trust: believe that files of the right size are right, instead of hashing them.
            overwrite: whether files without a single right piece may be overwritten.
            recheck: hash what is there, whatever was saved, and fetch what is not there any more.
            super_seed: if all of it is there, send each piece about once: show pieces to peers one by one until
                others have everything (BEP 16).

        Raises:
            BencodeError, MetainfoError, MagnetError: the source is invalid.
            NetworkError: the URL can not be fetched, or a peer's name is unknown.
            OSError: the .torrent file can not be read.
            AlreadyAddedError: it is in this session, or another process is at work on it in the same place.
            SessionError: the session is not open.
        """
        self._open()
        found = await self.find(source)
        options = AddOptions(
            save_path=_absolute(save_path if save_path is not None else self.settings.save_path),
            content=_absolute(content) if content is not None else None,
            addresses=tuple([address for peer in peers for address in await find_peer(peer)]),
            select=select,
            priorities=dict(priorities),
            trackers=tuple(map(tuple, trackers)),
            paused=paused,
            trust=trust,
            overwrite=overwrite,
            recheck=recheck,
            super_seed=super_seed,
        )
        if isinstance(found, Magnet):
            options.addresses += await _peers_of(found)
        parts = self._open()  # it may have been closed in between
        info_hash = found.info.wire_hash if isinstance(found, Metainfo) else found.wire_hash
        if info_hash in self._entries:
            raise AlreadyAddedError(f"{self._entries[info_hash].name} is in the session already")
        store = parts.surroundings.store
        try:
            lock = TorrentLock(store.folder / "locks", info_hash, options.place)
        except OSError as error:
            raise storage_error(error, str(store.folder / "locks")) from error
        self._last_number += 1
        entry = _new_entry(self._last_number, found, options)
        entry.position = len(self._entries)
        self._entries[info_hash] = entry
        parts.waking.begin(entry, found, options, lock)
        await asyncio.shield(self._keep(parts, entry, found))
        return self._handle(entry, parts)

    async def remove(self, torrent: Torrent, *, delete_data: bool = False) -> None:
        """Take a torrent out and forget its progress.

        Args:
            torrent: of this session.
            delete_data: whether to delete its files too, and folders that are empty then.

        Raises:
            NoSuchTorrentError: it is not in this session.
            StorageError: the state can not be written, or a file can not be deleted.
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

    def set_places(self, places: Places) -> None:
        """Let more, or fewer, torrents run at a time from now on."""
        steward = self._open().steward
        steward.places = places
        steward.decide()

    def set_goal(self, goal: Goal) -> None:
        """From now on, torrents without a goal of their own have this one."""
        self._open().steward.goal = goal

    def set_limits(self, *, down: float | None = None, up: float | None = None) -> None:
        """Change the limits of all torrents together; those in `settings` hold until then.

        Args:
            down: bytes of content per second; `math.inf` for no limit, None for no change.
            up: likewise; at 0 nothing is uploaded.

        Raises:
            SessionError: one is negative, or nothing could ever be downloaded.
        """
        self._set_limits(self._open().surroundings.runtime.core.limits.whole, down, up)

    def group(self, name: str, *, down: float | None = None, up: float | None = None) -> None:
        """Make a group of torrents that share limits, or change them; `Torrent.join` puts torrents into it.

        Args:
            name: of the group.
            down: bytes of content per second of all its torrents together; `math.inf` for no limit, None for no change.
            up: likewise; at 0 nothing is uploaded.

        Raises:
            SessionError: one is negative, or nothing could ever be downloaded.
        """
        self._set_limits(self._open().surroundings.runtime.core.limits.group(name), down, up)

    def _set_limits(self, lanes: Lanes, down: float | None, up: float | None) -> None:
        check_limit("down", down)
        check_limit("up", up, zero=True)
        lanes.set_limits(down, up)
        runtime = self._open().surroundings.runtime
        runtime.core.limits_changed()
        runtime.turn.soon()

    def ban(self, host: str, seconds: float | None = None) -> None:
        """Have nothing to do with an address from now on: connections end, none is made or taken.

        Peers that provably sent wrong data are banned by themselves, for as long as the session is open.

        Args:
            host: a numeric IP address.
            seconds: for how long; None for as long as the session is open.

        Raises:
            SessionError: this is no IP address, or no time.
        """
        host, runtime = _numeric(host), self._open().surroundings.runtime
        if seconds is not None and not seconds > 0:
            raise SessionError(f"seconds = {seconds}: must be positive")
        now = runtime.now()
        runtime.core.bans.ban(host, now + seconds if seconds is not None else inf)
        runtime.core.bans_changed(host, now)
        runtime.turn.soon()

    def unban(self, host: str) -> bool:
        """Deal with an address again; False when it was not banned.

        Raises:
            SessionError: this is no IP address.
        """
        host, runtime = _numeric(host), self._open().surroundings.runtime
        found = runtime.core.bans.unban(host)
        runtime.core.bans_changed(host, runtime.now())
        runtime.turn.soon()
        return found

    @property
    def bans(self) -> dict[str, float | None]:
        """Banned addresses, and the seconds until each ban ends; None for as long as the session is open."""
        runtime = self._open().surroundings.runtime
        now = runtime.now()
        bans = runtime.core.bans.all(now)
        return {host: until - now if until != inf else None for host, until in bans.items()}

    async def close(self) -> None:
        """Tell the trackers, save, and end everything; `async with` calls it."""
        parts, self._parts = self._parts, None
        if parts is None:
            return
        # What is begun here is done to its end, whoever is cancelled meanwhile.
        await asyncio.shield(asyncio.get_running_loop().create_task(self._close(parts), name="bittern end"))

    async def _close(self, parts: "_Parts") -> None:
        surroundings, runtime = parts.surroundings, parts.surroundings.runtime
        if self._ticker is not None:
            self._ticker.cancel()
            await asyncio.wait([self._ticker])
        try:
            goodbye = asyncio.get_running_loop().create_task(_say_goodbye(runtime, self.settings.goodbye_seconds))
            now = time.monotonic()
            for entry in self._entries.values():
                if entry.life is not None:
                    entry.note(status_of(entry.life, entry.life.name, now), now)
                if entry.seeding_since is not None and entry.life is None and not parts.steward.goal.never:
                    entry.unsaved = True  # it seeded on
            await parts.steward.save()
            await parts.waking.close()
            await goodbye
        finally:
            parts.hand.close()
            for entry in self._entries.values():
                if entry.publisher is not None:
                    entry.publisher.end()
            await runtime.close()
            await surroundings.store.close()
            surroundings.threads.shutdown()
            if self._lock is not None:
                self._lock.release()

    def _open(self) -> "_Parts":
        if self._parts is None:
            raise SessionError("the session is not open: use it as `async with Session() as session`")
        return self._parts

    def _build(self, store: Store, roster: Roster, sockets: list[socket.socket]) -> "_Parts":
        settings = self.settings
        runtime = Runtime(
            settings.for_engine(capabilities.sockets()),
            _new_peer_id(),
            sockets,
            self._on_events,
            source=settings.source,
            seed=settings.seed,
        )
        surroundings = Surroundings(settings, runtime, store)
        waking = Waking(surroundings, roster, self._changed)
        steward = Steward(settings, self._entries, waking, roster, self._board, self._remove)
        hand = Hand(self._entries.values, surroundings, waking, steward, roster)
        return _Parts(surroundings, roster, waking, steward, hand)

    async def _give_up(self, store: Store, sockets: list[socket.socket]) -> None:
        """The session can not be opened."""
        parts, self._parts = self._parts, None
        if parts is not None:
            await parts.surroundings.runtime.close()
            parts.surroundings.threads.shutdown()
        else:
            for sock in sockets:
                sock.close()
        await store.close()
        if self._lock is not None:
            self._lock.release()

    def _restore(self, parts: "_Parts", entries: list[Entry]) -> None:
        for entry in entries:
            self._last_number = max(self._last_number, entry.number)
            self._entries[entry.info_hash] = entry
            parts.waking.settle(entry)
            parts.steward.look_again(entry)

    def _changed(self, entry: Entry) -> None:
        if self._parts is not None:
            self._parts.steward.look_again(entry)

    def _handle(self, entry: Entry, parts: "_Parts") -> Torrent:
        handle = self._handles.get(entry.info_hash)
        if handle is None:
            self._handles[entry.info_hash] = handle = Torrent(entry, parts.hand)
        return handle

    async def _keep(self, parts: "_Parts", entry: Entry, found: Metainfo | Magnet) -> None:
        """Write a new torrent down; what goes wrong is told, and tried again."""
        try:
            if isinstance(found, Metainfo):
                await parts.roster.keep_source(entry.info_hash, found.to_bytes())
            if self.settings.keep_torrents:
                await parts.roster.save([entry])
        except StorageError as error:
            if entry.publisher is not None:
                entry.publisher.publish(SaveFailed(str(error)))

    async def _remove(self, entry: Entry, *, delete_data: bool = False) -> None:
        parts = self._open()
        del self._entries[entry.info_hash]
        self._handles.pop(entry.info_hash, None)
        self._board.drop(entry.info_hash)
        found = await parts.roster.source(entry) if delete_data and entry.life is None else None
        content = entry.life.content if entry.life is not None else None
        move = await load_move(parts.surroundings.store, entry.info_hash, entry.place) if found is not None else None
        await parts.waking.remove(entry)
        await parts.roster.delete(entry, kept=self.settings.keep_torrents)
        if found is not None and content is None:
            handles, place = parts.surroundings.runtime.handles, Path(entry.content) if entry.content else None
            content = Content(found.info, Path(entry.save_path), handles, entry.select, place)
            if move is not None:
                content.place(move.at.folder / move.at.root, move.at.paths(found.info))
        if delete_data and content is not None:
            await parts.surroundings.in_thread(delete_content, content)

    def _on_events(self, events: list[Event]) -> None:
        parts = self._parts
        if parts is None:
            return
        lives = parts.surroundings.lives
        for event in events:
            if isinstance(event, SleeperCalled):
                entry = self._entries.get(event.info_hash)
                if entry is not None:
                    parts.waking.wake(entry, event.addresses)
                continue
            life = lives.get(event.torrent)
            if life is not None:
                life.on_event(event)


@dataclass(frozen=True, slots=True)
class _Parts:
    """What an open session consists of."""

    surroundings: Surroundings
    roster: Roster
    waking: Waking
    steward: Steward
    hand: Hand


async def _kept_port(store: Store) -> int:
    """The port that was drawn in the first run."""
    kept = await store.fact("port")
    if kept is not None and kept.isascii() and kept.isdigit() and 0 < int(kept) < 65536:
        return int(kept)
    port = draw_port()
    await store.keep_fact("port", str(port))
    return port


def _profile_lock(folder: Path) -> TorrentLock:
    """Makes a session the only one that keeps its torrents in `folder`."""
    try:
        return TorrentLock(folder / "locks", b"", "session")
    except AlreadyAddedError:
        raise SessionError(f"another session with keep_torrents uses {folder}: end it first") from None
    except OSError as error:
        raise storage_error(error, str(folder)) from error


def _new_entry(number: int, found: Metainfo | Magnet, options: AddOptions) -> Entry:
    own = found.trackers if isinstance(found, Metainfo) else tuple((url,) for url in found.trackers)
    name = found.info.name if isinstance(found, Metainfo) else found.name
    return Entry(
        number=number,
        info_hash=found.info.wire_hash if isinstance(found, Metainfo) else found.wire_hash,
        save_path=str(options.save_path),
        content=str(options.content) if options.content is not None else None,
        name=name or "",
        tiers=(*options.trackers, *own),
        select=tuple(options.select) if options.select is not None else None,
        file_priorities=dict(options.priorities) or None,
        link=found.to_uri() if isinstance(found, Magnet) else None,
        mode=Mode.PAUSED if options.paused else Mode.AUTO,
        state=State.CHECKING,
    )


def _numeric(host: str) -> str:
    try:
        return Address.of(host, 0).host
    except ValueError:
        raise SessionError(f"{host!r} is no IP address") from None


def _absolute(path: str | os.PathLike[str]) -> Path:
    return Path(os.path.realpath(Path(path).expanduser()))


def _new_peer_id() -> PeerId:
    """`-BZ` and the version (BEP 20), then chance."""
    digits = "".join(__version__.split("+")[0].split("."))[:4].ljust(4, "0")
    return PeerId(f"-BZ{digits}-".encode() + secrets.token_bytes(12))


async def _peers_of(magnet: Magnet) -> tuple[Address, ...]:
    """The peers that a link names (`x.pe`), as far as they can be found."""
    found: list[Address] = []
    for peer in magnet.peers:
        with suppress(BitternError):
            found += await find_peer(peer)
    return tuple(found)


async def _say_goodbye(runtime: Runtime, seconds: float) -> None:
    """Wait until trackers know that we leave, but not longer than they may take."""
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + seconds
    runtime.core.dormitory.leave()
    runtime.turn.soon()
    await asyncio.sleep(_GOODBYE_STEP_SECONDS)
    while runtime.core.goodbyes and loop.time() < give_up_at:  # noqa: ASYNC110 - the engine has no events to wait for
        await asyncio.sleep(_GOODBYE_STEP_SECONDS)
