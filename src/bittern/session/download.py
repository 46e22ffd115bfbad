"""The one-liner for programs that are not asyncio's."""

import asyncio
import os
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from bittern.io.threads import starting

from .session import Session
from .settings import Settings
from .sources import TorrentSource


def download(
    source: TorrentSource,
    into: str | os.PathLike[str] = ".",
    *,
    peers: tuple[str, ...] = (),
    settings: Settings | None = None,
    timeout: float | None = None,
) -> Path:
    """Download a torrent, verify it, and return the path of its file or root folder.

    It runs in a thread and a loop of its own, so it may be called anywhere, in Jupyter too; it waits for the end.
    Ctrl-C saves what is there; the next call goes on.

    ```python
    path = bittern.download("album.torrent", into="downloads")
    print(path, "is complete and verified")
    ```

    Args:
        source: a Metainfo, a Magnet, the path or URL of a .torrent file, a magnet link, or an info hash.
        into: the folder to download to.
        peers: `HOST:PORT` of peers to connect to, beside those that trackers name.
        settings: of the session.
        timeout: seconds after which to give up, with what is there saved; None for never.

    Raises:
        BitternError: as `Session.add` and `Torrent.completed`.
        OSError: the .torrent file cannot be read.
        TimeoutError: it is not complete in time.
    """
    work = _Work(replace(settings or Settings(), save_path=Path(into)), source, peers, timeout)
    thread = threading.Thread(target=work.run, name="bittern-download")
    try:
        with starting():
            thread.start()
        work.ended.wait()  # not `join`, which takes an interrupt for the end of the thread (bpo-45274)
    except BaseException:
        work.cancel()
        if thread.ident is not None:
            work.ended.wait()
        raise
    finally:
        if thread.ident is not None:
            thread.join()
    return work.result()


class _Work:
    """A download in another thread."""

    def __init__(
        self, settings: Settings, source: TorrentSource, peers: tuple[str, ...], timeout: float | None
    ) -> None:
        self.ended = threading.Event()
        self._settings = settings
        self._source = source
        self._peers = peers
        self._timeout = timeout
        self._path: Path | None = None
        self._error: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Path] | None = None
        self._cancelled = False

    def run(self) -> None:
        try:
            self._path = asyncio.run(self._download())
        except BaseException as error:  # noqa: BLE001 - it is raised again in the thread that waits
            self._error = error
        finally:
            self.ended.set()

    def cancel(self) -> None:
        self._cancelled = True  # for one that has not come so far as to have a task
        if self._loop is not None and self._task is not None:
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._task.cancel)

    def result(self) -> Path:
        if self._error is not None:
            raise self._error
        assert self._path is not None
        return self._path

    async def _download(self) -> Path:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        if self._cancelled:
            raise asyncio.CancelledError
        async with Session(self._settings) as session:
            torrent = await session.add(self._source, peers=self._peers)
            async with asyncio.timeout(self._timeout):
                await torrent.completed()
            assert torrent.path is not None
            return torrent.path
