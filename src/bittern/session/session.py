"""The session: the service that owns torrents, and the way into the library."""

import asyncio
import os
import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from bittern.base.address import Address
from bittern.base.errors import AlreadyAddedError, BitternError, NoSuchTorrentError, SessionError
from bittern.base.ids import InfoHashV1, PeerId
from bittern.codec.magnet import Magnet
from bittern.codec.metainfo import Metainfo
from bittern.engine.events import Event
from bittern.engine.swarm.lanes import Lanes
from bittern.io import capabilities
from bittern.io.disk.files import storage_error
from bittern.io.runtime import Runtime
from bittern.version import __version__

from .deleting import delete_content
from .life import Life
from .limits import check_limit
from .listening import draw_port, listening_sockets
from .lock import TorrentLock
from .options import AddOptions
from .settings import Settings
from .sources import TorrentSource, find_peer, find_torrent
from .store import Store
from .surroundings import Surroundings
from .torrent import Torrent

_TICK_SECONDS = 1.0
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
        self._torrents: dict[InfoHashV1, tuple[Torrent, Life]] = {}
        self._surroundings: Surroundings | None = None
        self._ticker: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        settings = self.settings
        store = Store(settings.state_folder())
        await store.open()
        try:
            port = settings.port if settings.port is not None else await _kept_port(store)
            sockets = listening_sockets(settings.listen, port, fallback=settings.port is None)
        except BaseException:
            await store.close()
            raise
        runtime = Runtime(
            settings.for_engine(capabilities.sockets()),
            _new_peer_id(),
            sockets,
            self._on_events,
            source=settings.source,
            seed=settings.seed,
        )
        self._surroundings = Surroundings(settings, runtime, store)
        self._ticker = asyncio.get_running_loop().create_task(self._tick(), name="bittern session")
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
    def torrents(self) -> tuple[Torrent, ...]:
        """All of them, in the order they were added."""
        return tuple([torrent for torrent, _ in self._torrents.values()])

    async def find(self, source: TorrentSource) -> Metainfo | Magnet:
        """What `source` names, read or fetched; nothing is added.

        Raises:
            BencodeError, MetainfoError, MagnetError: it is invalid; a note names the file or URL.
            NetworkError: the URL can not be fetched.
            OSError: the .torrent file can not be read.
        """
        return await find_torrent(source, self._open().runtime.http)

    async def add(
        self,
        source: TorrentSource,
        save_path: str | os.PathLike[str] | None = None,
        *,
        content: str | os.PathLike[str] | None = None,
        peers: Sequence[str] = (),
        select: Sequence[int] | None = None,
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
        surroundings = self._open()
        found = await self.find(source)
        options = AddOptions(
            save_path=_absolute(save_path if save_path is not None else self.settings.save_path),
            content=_absolute(content) if content is not None else None,
            addresses=tuple([address for peer in peers for address in await find_peer(peer)]),
            select=select,
            trackers=tuple(map(tuple, trackers)),
            paused=paused,
            trust=trust,
            overwrite=overwrite,
            recheck=recheck,
            super_seed=super_seed,
        )
        if isinstance(found, Magnet):
            options.addresses += await _peers_of(found)
        self._open()  # it may have been closed in between
        info_hash = found.info.wire_hash if isinstance(found, Metainfo) else found.wire_hash
        if info_hash in self._torrents:
            raise AlreadyAddedError(f"{self._torrents[info_hash][0].name} is in the session already")
        try:
            lock = TorrentLock(surroundings.store.folder / "locks", info_hash, options.place)
        except OSError as error:
            raise storage_error(error, str(surroundings.store.folder / "locks")) from error
        life = Life(found, options, lock, surroundings)
        torrent = Torrent(life)
        self._torrents[info_hash] = torrent, life
        life.start()
        return torrent

    async def remove(self, torrent: Torrent, *, delete_data: bool = False) -> None:
        """Take a torrent out and forget its progress.

        Args:
            torrent: of this session.
            delete_data: whether to delete its files too, and folders that are empty then.

        Raises:
            NoSuchTorrentError: it is not in this session.
            StorageError: the state can not be written, or a file can not be deleted.
        """
        surroundings = self._open()
        known, life = self._torrents.get(torrent.info_hash, (None, None))
        if known is not torrent or life is None:
            raise NoSuchTorrentError(f"{torrent.name} is not in this session")
        del self._torrents[torrent.info_hash]
        await life.remove()
        if delete_data and life.content is not None:
            await surroundings.in_thread(delete_content, life.content)

    def set_limits(self, *, down: float | None = None, up: float | None = None) -> None:
        """Change the limits of all torrents together; those in `settings` hold until then.

        Args:
            down: bytes of content per second; `math.inf` for no limit, None for no change.
            up: likewise; at 0 nothing is uploaded.

        Raises:
            SessionError: one is negative, or nothing could ever be downloaded.
        """
        self._set_limits(self._open().runtime.core.limits.whole, down, up)

    def group(self, name: str, *, down: float | None = None, up: float | None = None) -> None:
        """Make a group of torrents that share limits, or change them; `Torrent.join` puts torrents into it.

        Args:
            name: of the group.
            down: bytes of content per second of all its torrents together; `math.inf` for no limit, None for no change.
            up: likewise; at 0 nothing is uploaded.

        Raises:
            SessionError: one is negative, or nothing could ever be downloaded.
        """
        self._set_limits(self._open().runtime.core.limits.group(name), down, up)

    def _set_limits(self, lanes: Lanes, down: float | None, up: float | None) -> None:
        check_limit("down", down)
        check_limit("up", up, zero=True)
        lanes.set_limits(down, up)
        runtime = self._open().runtime
        runtime.core.limits_changed()
        runtime.turn.soon()

    async def close(self) -> None:
        """Tell the trackers, save, and end everything; `async with` calls it."""
        surroundings, self._surroundings = self._surroundings, None
        if surroundings is None:
            return
        if self._ticker is not None:
            self._ticker.cancel()
            await asyncio.wait([self._ticker])
        runtime = surroundings.runtime
        try:
            goodbye = asyncio.get_running_loop().create_task(_say_goodbye(runtime, self.settings.goodbye_seconds))
            await asyncio.gather(*[life.end() for _, life in self._torrents.values()], return_exceptions=True)
            await goodbye
        finally:
            await runtime.close()
            await surroundings.store.close()
            surroundings.threads.shutdown()

    def _open(self) -> Surroundings:
        if self._surroundings is None:
            raise SessionError("the session is not open: use it as `async with Session() as session`")
        return self._surroundings

    def _on_events(self, events: list[Event]) -> None:
        if self._surroundings is None:
            return
        lives = self._surroundings.lives
        for event in events:
            life = lives.get(event.torrent)
            if life is not None:
                life.on_event(event)

    async def _tick(self) -> None:
        period = min(_TICK_SECONDS, self.settings.save_seconds)
        saves: dict[Life, asyncio.Task[None]] = {}
        try:
            while True:
                await asyncio.sleep(period)
                for _, life in list(self._torrents.values()):
                    if life.tick(time.monotonic()) and life not in saves:
                        saves[life] = asyncio.create_task(life.save())
                saves = {life: task for life, task in saves.items() if not task.done()}
        finally:
            if saves:
                await asyncio.wait(list(saves.values()))


async def _kept_port(store: Store) -> int:
    """The port that was drawn in the first run."""
    kept = await store.fact("port")
    if kept is not None and kept.isascii() and kept.isdigit() and 0 < int(kept) < 65536:
        return int(kept)
    port = draw_port()
    await store.keep_fact("port", str(port))
    return port


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
    await asyncio.sleep(_GOODBYE_STEP_SECONDS)
    while runtime.core.goodbyes and loop.time() < give_up_at:  # noqa: ASYNC110 - the engine has no events to wait for
        await asyncio.sleep(_GOODBYE_STEP_SECONDS)
