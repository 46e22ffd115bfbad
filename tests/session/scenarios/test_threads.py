"""A system that allows few threads: a session has all that it needs when it opens, or it does not open."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import bittern
from bittern.base.errors import ThreadLimitError
from bittern.session.session import Session
from tests.session.rig import album, seeding, settings, write_torrent

ENOUGH = 9


@contextmanager
def allowed(count: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[threading.Thread]]:
    """So many threads may be started within; those that were have ended at its end."""
    started: list[threading.Thread] = []
    start = threading.Thread.start

    def limited(thread: threading.Thread) -> None:
        if len(started) == count:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", limited)
        yield started
    for thread in started:
        thread.join(60)
        assert not thread.is_alive()


async def test_a_session_that_lacks_a_thread_does_not_open_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for count in range(ENOUGH):
        with allowed(count, monkeypatch) as started, pytest.raises(ThreadLimitError):
            await Session(settings(tmp_path, keep_torrents=True)).open()
        assert len(started) == count
    async with Session(settings(tmp_path, keep_torrents=True)) as session:
        assert session.port


async def test_with_just_enough_threads_a_download_is_checked_and_completes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A check has its files read by threads of its own, where there may be some: one is enough."""
    meta = write_torrent(album(tmp_path / "content" / "album"), tmp_path / "album.torrent")
    with seeding(meta, tmp_path / "content", tmp_path / "seed") as seed, allowed(ENOUGH + 1, monkeypatch) as started:
        async with Session(settings(tmp_path / "s")) as session:
            assert len(started) == ENOUGH
            torrent = await session.add(tmp_path / "album.torrent", tmp_path / "to", peers=[seed])
            await torrent.completed()
            assert len(started) == ENOUGH
            await torrent.recheck()
            await torrent.completed()
            assert len(started) == ENOUGH + 1


def test_the_library_without_asyncio_says_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_torrent(album(tmp_path / "album"), tmp_path / "album.torrent")
    for count in (0, 1):
        with allowed(count, monkeypatch), pytest.raises(ThreadLimitError):
            bittern.sync.Session(settings(tmp_path / "s")).open()
        with allowed(count, monkeypatch), pytest.raises(ThreadLimitError):
            bittern.download(tmp_path / "album.torrent", tmp_path / "to", settings=settings(tmp_path / "s"))
