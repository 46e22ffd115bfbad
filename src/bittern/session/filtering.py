"""The IP filter of a session: where its lists come from, when they are read, and for which torrents it is not."""

import asyncio
import json
import logging
from collections.abc import Iterable, Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from bittern.base.errors import NetworkError, StorageError
from bittern.base.ids import InfoHashV1
from bittern.codec.ip_list import IpList, IpListReader
from bittern.codec.ip_ranges import NO_RANGES, IpRanges
from bittern.io.disk.atomic import write_atomic

from .folders import absolute
from .status import IpFilterStatus
from .store import read_json
from .surroundings import Surroundings

MOST_BYTES = 64 << 20
"""Of a list that is fetched, as it comes."""
FETCH_SECONDS = 120.0
_URLS = ("http://", "https://")
_CHUNK = 1 << 16
_EVERYBODY = ("0.0.0.0/0", "::/0")
_EXEMPT = "unfiltered"  # the fact that holds who is exempt

_log = logging.getLogger("bittern.session")


class _Copy(NamedTuple):
    """A list that was fetched: its URL, its bytes, and where they are kept for a day when it cannot be had."""

    name: str
    data: bytes
    path: Path


class Filtering:
    """The filter of one session.

    Args:
        surroundings: with the settings, the engine and the store.
    """

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self._core = surroundings.runtime.core
        self._sources = surroundings.settings.ip_filter
        self._read = IpList(NO_RANGES, 0, 0, 0, "")
        self._unsaved = False
        self._one_at_a_time = asyncio.Lock()

    @property
    def status(self) -> IpFilterStatus:
        """What is loaded, and what it kept out."""
        read, counts = self._read, self._core.ip_filter.counts
        return IpFilterStatus(
            ranges=len(read.ranges),
            entries=read.entries,
            bad_lines=read.bad,
            first_bad_line=read.first_bad,
            blocked={what.value: count for what, count in counts.items() if count},
        )

    async def begin(self) -> None:
        """Load the lists of the settings. Until they are there nobody is dealt with.

        Raises:
            IpListError, NetworkError, OSError: a list cannot be had or read.
        """
        ip_filter = self._core.ip_filter
        if self._surroundings.settings.keep_torrents:
            ip_filter.exempt = dict.fromkeys(_hashes(await self._surroundings.store.fact(_EXEMPT)))
        if self._sources:
            exempt, ip_filter.exempt = ip_filter.exempt, {}
            ip_filter.ranges = IpRanges.of(_EVERYBODY)
            await self.reload(None)
            ip_filter.exempt = exempt
            ip_filter.counts.clear()

    async def reload(self, sources: Iterable[str] | None) -> IpFilterStatus:
        """Read the lists again, or others from now on; where one cannot be had, what was loaded before holds.

        Raises:
            IpListError, NetworkError, OSError: a list cannot be had or read.
        """
        async with self._one_at_a_time:
            chosen = self._sources if sources is None else tuple(sources)
            lists = [await self._fetched(source) if source.startswith(_URLS) else source for source in chosen]
            self._read = await self._surroundings.in_thread(_read, lists)
            self._sources = chosen
            self._core.ip_filter.ranges = self._read.ranges
            self._changed()
            return self.status

    def exempts(self, torrent: InfoHashV1) -> bool:
        """Whether the filter is not for a torrent."""
        return torrent in self._core.ip_filter.exempt

    def exempt(self, torrent: InfoHashV1, *, on: bool) -> None:
        """Let the filter be not for a torrent, or for it again; `keep` is to follow."""
        ip_filter = self._core.ip_filter
        if on == self.exempts(torrent):
            return
        self._unsaved = True
        if on:
            ip_filter.exempt[torrent] = None
        else:
            del ip_filter.exempt[torrent]
        self._changed()

    async def keep(self) -> None:
        """Write down which torrents are exempt, where torrents are kept.

        Raises:
            StorageError: that cannot be written; it holds all the same.
        """
        if self._unsaved and self._surroundings.settings.keep_torrents:
            self._unsaved = False
            kept = json.dumps([str(each) for each in self._core.ip_filter.exempt])
            await asyncio.shield(self._surroundings.store.keep_fact(_EXEMPT, kept))

    async def close(self) -> None:
        """Write down what a call that was cancelled did not."""
        try:
            await self.keep()
        except StorageError as error:
            _log.warning("it cannot be kept which torrents the IP filter is not for: %s", error)

    def _changed(self) -> None:
        runtime = self._surroundings.runtime
        self._core.filter_changed(runtime.now())
        runtime.turn.soon()

    async def _fetched(self, url: str) -> _Copy | Path:
        """A list from a web server; the copy of the last time where that does not answer."""
        folder = self._surroundings.store.folder / "ip-filter"
        kept = folder / sha256(url.encode()).hexdigest()[:32]
        try:
            # The lists decide who is asked: they themselves have to come from somewhere.
            status, data = await self._surroundings.runtime.http.fetch(url, MOST_BYTES, FETCH_SECONDS, filtered=False)
            error = NetworkError(f"HTTP status {status}")
        except NetworkError as failed:
            status, data, error = 0, b"", failed
        if status == 200:
            return _Copy(url, data, kept)
        if not await self._surroundings.in_thread(kept.is_file):
            error.add_note(url)
            raise error
        _log.warning("the IP filter %s cannot be had, the copy of the last time holds: %s", url, error)
        return kept


def _read(lists: Iterable[str | Path | _Copy]) -> IpList:
    """All lists as one; those that were fetched, and are good, are kept."""
    reader = IpListReader()
    for each in lists:
        if isinstance(each, _Copy):
            reader.read(each.name, [each.data])
            try:
                each.path.parent.mkdir(mode=0o700, exist_ok=True)
                write_atomic(each.path, each.data)
            except OSError as error:
                _log.warning("the IP filter cannot be kept for the next time: %s", error)
        else:
            reader.read(str(each), _chunks(absolute(each)))
    return reader.result()


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from iter(partial(file.read, _CHUNK), b"")


def _hashes(text: str | None) -> Iterator[InfoHashV1]:
    try:
        for each in read_json(text or "[]"):
            yield InfoHashV1.from_hex(each)
    except (ValueError, TypeError):
        _log.warning("it makes no sense which torrents the IP filter is not for: that is forgotten")
