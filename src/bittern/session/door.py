"""How torrents come into a session, and go."""

from collections.abc import Callable, MutableMapping
from pathlib import Path

from bittern.base.errors import AlreadyAddedError, StorageError
from bittern.base.ids import InfoHashV1
from bittern.codec.magnet import Magnet
from bittern.codec.metainfo import Metainfo

from .content import Content
from .deleting import delete_content
from .entry import Entry, Mode, other_name
from .events import SaveFailed
from .options import AddOptions, check_priorities, check_selection
from .parts import Parts
from .placement import load_move
from .status import State


class Door:
    """The only place where torrents are added to, or taken out of, a session's entries.

    Args:
        entries: the session's.
    """

    def __init__(self, entries: MutableMapping[InfoHashV1, Entry]) -> None:
        self._entries = entries
        self._last_number = 0

    def restore(self, parts: Parts, entries: list[Entry]) -> None:
        """Take in torrents of an earlier run."""
        for entry in entries:
            self._last_number = max(self._last_number, entry.number)
            self._entries[entry.info_hash] = entry
            parts.waking.settle(entry)
            parts.steward.look_again(entry)

    async def admit(self, parts: Callable[[], Parts], found: Metainfo | Magnet, options: AddOptions) -> Entry:
        """Take in a new torrent, which begins; `keep` is to follow.

        Args:
            parts: of the session; raises SessionError where that is closed.
            found: the torrent.
            options: how to treat it.

        Raises:
            AlreadyAddedError: it is in this session, or another process is at work on it in the same place.
            SessionError: a file is selected, or given a priority, that a torrent whose files are known does not have;
                or the session was closed meanwhile.
            StorageError: its lock cannot be made.
        """
        info_hash = found.info.wire_hash if isinstance(found, Metainfo) else found.wire_hash
        self._refuse_another(info_hash)
        if isinstance(found, Metainfo):
            check_selection(found.info, options.select or ())
            check_priorities(found.info, options.priorities)
        try:
            lock = await parts().surroundings.store.lock(info_hash, options.place)
        except AlreadyAddedError:
            self._refuse_another(info_hash)  # it came meanwhile
            raise
        try:
            waking = parts().waking
            self._refuse_another(info_hash)  # likewise, to another place
        except BaseException:
            lock.release()
            raise
        self._last_number += 1
        entry = _new_entry(self._last_number, found, options)
        entry.position = len(self._entries)
        self._entries[info_hash] = entry
        waking.begin(entry, found, options, lock)
        return entry

    def _refuse_another(self, info_hash: InfoHashV1) -> None:
        if info_hash in self._entries:
            raise AlreadyAddedError(f"{self._entries[info_hash].name} is in the session already")

    async def keep(self, parts: Parts, entry: Entry, found: Metainfo | Magnet) -> None:
        """Write a new torrent down; what goes wrong is told, and tried again."""
        try:
            await parts.roster.enter(entry, found, kept=parts.surroundings.settings.keep_torrents)
        except StorageError as error:
            if entry.publisher is not None:
                entry.publisher.publish(SaveFailed(str(error)))

    @staticmethod
    async def look_up(parts: Parts, entry: Entry) -> Content | None:
        """What would be deleted with a torrent that sleeps; None for one that is awake, or of unknown files.

        Raises:
            SessionError: what was saved of it is damaged.
            StorageError: it cannot be read.
        """
        surroundings = parts.surroundings
        found = await parts.roster.source(entry) if entry.life is None else None
        if found is None:
            return None
        move = await load_move(surroundings.store, entry.info_hash, entry.place)
        handles, place = surroundings.runtime.handles, Path(entry.content) if entry.content else None
        folder = Path(entry.save_path)
        content = await surroundings.in_thread(Content, found.info, folder, handles, entry.select, place)
        if move is not None:
            content.place(move.at.folder / move.at.root, move.at.paths(found.info))
        return content

    async def dismiss(self, parts: Parts, entry: Entry, stored: Content | None, *, delete_data: bool) -> None:
        """Take a torrent out and forget its progress.

        Files go first: should the process be killed meanwhile, the next start misses them, and knows whose they were.

        Args:
            parts: of the session.
            entry: the torrent.
            stored: where `delete_data`, what `look_up` found: no damage is to be met when the torrent is half gone.
            delete_data: whether its files are deleted.

        Raises:
            StorageError: the state cannot be written, or a file cannot be deleted.
        """
        del self._entries[entry.info_hash]
        surroundings = parts.surroundings
        doomed = (entry.life.content if entry.life is not None else None) or stored
        refused: list[StorageError] = []

        async def erase() -> None:
            if delete_data and doomed is not None:
                try:
                    await surroundings.in_thread_for_long(delete_content, doomed)
                except StorageError as error:
                    refused.append(error)

        async def forget(place: str) -> None:
            await parts.roster.delete(entry, place, kept=surroundings.settings.keep_torrents)

        await parts.waking.remove(entry, erase, forget)
        if refused:
            raise refused[0]


def _new_entry(number: int, found: Metainfo | Magnet, options: AddOptions) -> Entry:
    own = found.trackers if isinstance(found, Metainfo) else tuple((url,) for url in found.trackers)
    name = found.info.name if isinstance(found, Metainfo) else found.name
    what = found.info if isinstance(found, Metainfo) else found
    return Entry(
        number=number,
        info_hash=what.wire_hash,
        also=other_name(what.wire_hash, what),
        private=found.info.private if isinstance(found, Metainfo) else None,
        save_path=str(options.save_path),
        content=str(options.content) if options.content is not None else None,
        name=name or "",
        tiers=(*options.trackers, *own),
        own_tiers=len(options.trackers),
        select=tuple(options.select) if options.select is not None else None,
        file_priorities=dict(options.priorities) or None,
        super_seed=options.super_seed,
        link=found.to_uri() if isinstance(found, Magnet) else None,
        mode=Mode.PAUSED if options.paused else Mode.AUTO,
        state=State.CHECKING,
    )
