"""The .torrent file that a magnet link says to be somewhere (`xs`, `as`): believed only if it is that torrent's."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from math import inf
from typing import Self

from bittern.base.errors import BitternError
from bittern.codec.magnet import Magnet
from bittern.codec.metainfo import Metainfo
from bittern.engine.sources.guard import torrent_may_be_local
from bittern.io.http import HttpFetcher

from .events import Publisher, TorrentFileFailed
from .sources import fetch_torrent
from .surroundings import Surroundings

FETCH_SECONDS = 30.0
FIRST_RETRY_SECONDS = 60.0
RETRY_MOST_SECONDS = 3600.0
MOST_URLS = 5


class ExactSources:
    """Where one link says that its torrent is.

    What is there was written by nobody knows whom: its size is bounded, servers in the local network are asked only for
    what looks like a .torrent file, and it must have every info hash of the link.

    Args:
        link: that says so; its first five http and https URLs count. None for no link.
        http: fetches.
        threads: for what blocks.
        failed: is told a URL, why it gave nothing, and after how many seconds it is asked again (infinity: never).
    """

    def __init__(
        self, link: Magnet | None, http: HttpFetcher, threads: Executor, failed: Callable[[str, str, float], None]
    ) -> None:
        self._link = link
        self._http = http
        self._threads = threads
        self._failed = failed
        self._urls = list(link.torrent_urls[:MOST_URLS]) if link is not None else []

    @classmethod
    def of(cls, source: Metainfo | Magnet, surroundings: Surroundings, publisher: Publisher) -> Self:
        """Those of a torrent; none where web servers are not to be asked."""
        asked = isinstance(source, Magnet) and surroundings.settings.web_connections > 0

        def failed(url: str, reason: str, again: float) -> None:
            publisher.publish(TorrentFileFailed(url, reason, again))

        link = source if isinstance(source, Magnet) and asked else None
        return cls(link, surroundings.runtime.http, surroundings.threads, failed)

    @property
    def urls(self) -> tuple[str, ...]:
        """Those that are still asked."""
        return tuple(self._urls)

    async def find(self, wanted: Callable[[], bool]) -> Metainfo | None:
        """The torrent, from the first that has it; None where no URL is left, or it is not wanted any more.

        They count as asked still, until `enough` is called.

        Args:
            wanted: whether those that failed are to be asked again, each time twice as late.
        """
        wait = FIRST_RETRY_SECONDS
        while self._urls:
            for url in tuple(self._urls):
                found = await self._ask(url, wait if wanted() else inf)
                if found is not None:
                    return found
            if not self._urls or not wanted():
                break
            await asyncio.sleep(wait)
            wait = min(2 * wait, RETRY_MOST_SECONDS)
        return None

    def enough(self) -> None:
        """Ask nobody any more."""
        self._urls.clear()

    async def _ask(self, url: str, again: float) -> Metainfo | None:
        assert self._link is not None
        try:
            local = torrent_may_be_local(url)
            found = await fetch_torrent(url, self._http, self._threads, local=local, timeout_seconds=FETCH_SECONDS)
        except BitternError as error:
            self._failed(url, str(error), again)
            return None
        if self._link.leads_to(found.info.info_hash_v1, found.info.info_hash_v2):
            return found
        self._urls.remove(url)
        self._failed(url, "it is the file of another torrent", inf)
        return None
