"""Disks that cannot read, files that change under a seed, syncs that fail: what is in doubt is looked at again."""

import asyncio
import errno
import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from bittern.base.errors import StorageError
from bittern.io.disk import handles, spans
from bittern.io.disk.handles import Handle, pread
from bittern.session import events
from bittern.session.session import Session
from bittern.session.status import State
from bittern.session.torrent import Torrent
from tests.session.rig import PIECE, eventually, fill, settings, torrent

SECONDS = 30
PIECES = 20


class BadDisk:
    """Reads of some bytes fail, so many times.

    Attributes:
        places: piece numbers; how often each fails yet.
        scans: so many times reads for hashing find something bad; then nothing is bad any more.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.places: dict[int, int] = {}
        self.scans = 1 << 30
        preadv = os.preadv

        def read(handle: Handle, into: memoryview, offset: int, flags: int) -> int:
            self._check(offset, len(into))
            return pread(handle, into, offset, flags)

        def scan(descriptor: int, into: list[memoryview], offset: int) -> int:
            if not self.scans:
                self.places.clear()
            try:
                self._check(offset, sum(map(len, into)))
            except OSError:
                self.scans -= 1
                raise
            return preadv(descriptor, into, offset)

        monkeypatch.setattr(handles, "pread", read)
        monkeypatch.setattr(spans, "_preadv", scan)

    def _check(self, offset: int, length: int) -> None:
        for piece in range(offset // PIECE, -(-(offset + length) // PIECE)):
            if self.places.get(piece, 0) > 0:
                self.places[piece] -= 1
                raise OSError(errno.EIO, os.strerror(errno.EIO))


class Pair:
    """A seed, and a leech that asks for what the test lets it."""

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self.source = fill(folder / "src" / "a.bin", PIECES * PIECE)
        self.data = self.source.read_bytes()
        self.meta = torrent(self.source)
        self._folder = folder
        self._stack = stack

    async def begin(self) -> Torrent:
        self.seed = await self._stack.enter_async_context(Session(settings(self._folder / "a")))
        self.leech = await self._stack.enter_async_context(Session(settings(self._folder / "b")))
        self.there = await self.seed.add(self.meta, self._folder / "src")
        await self.there.completed()
        return self.there

    async def ask(self) -> Torrent:
        return await self.leech.add(self.meta, self._folder / "dst", peers=[f"127.0.0.1:{self.seed.port}"])

    async def ask_again(self, got: Torrent) -> Torrent:
        """From the beginning, and at once: dialing again would take seconds."""
        await self.leech.remove(got, delete_data=True)
        return await self.ask()


async def settled(there: Torrent, true: Callable[[], bool]) -> None:
    await eventually(lambda: there.status.state is not State.CHECKING and true())


async def test_what_can_be_read_the_second_time_costs_no_peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The swarm goes on: nobody is left, nothing is checked but the one piece, and everybody gets everything."""
    async with AsyncExitStack() as stack:
        pair = Pair(tmp_path, stack)
        there = await pair.begin()
        stream = there.events(events.StateChanged, events.PeerJoined, events.CheckProgress)
        disk = BadDisk(monkeypatch)
        disk.places, disk.scans = {3: 1000}, 0
        got = await pair.ask()
        await asyncio.wait_for(got.completed(), SECONDS)
        assert not disk.places
        assert [type(event) for event in stream.take()] == [events.PeerJoined]
        assert not pair.seed.bans
        assert not pair.leech.bans
    assert (tmp_path / "dst" / "a.bin").read_bytes() == pair.data


async def test_what_can_be_read_the_third_time_is_seeded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with AsyncExitStack() as stack:
        pair = Pair(tmp_path, stack)
        there = await pair.begin()
        stream = there.events(events.StateChanged)
        disk = BadDisk(monkeypatch)
        disk.places, disk.scans = {3: 1000}, 1
        got = await pair.ask()
        await settled(there, lambda: not disk.places)
        got = await pair.ask_again(got)
        await asyncio.wait_for(got.completed(), SECONDS)
        assert stream.take() == [events.StateChanged(State.CHECKING), events.StateChanged(State.SEEDING)]
        assert not pair.seed.bans
        assert not pair.leech.bans
    assert (tmp_path / "dst" / "a.bin").read_bytes() == pair.data


async def test_what_can_not_be_read_is_missing_and_a_second_place_stops_the_torrent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with AsyncExitStack() as stack:
        pair = Pair(tmp_path, stack)
        there = await pair.begin()
        disk = BadDisk(monkeypatch)
        disk.places = {3: 1000}
        got = await pair.ask()
        await settled(there, lambda: there.status.done_bytes == (PIECES - 1) * PIECE)
        assert there.status.state is State.DOWNLOADING
        got = await pair.ask_again(got)
        await eventually(lambda: got.status.done_bytes == (PIECES - 1) * PIECE)  # all others are served
        await pair.leech.remove(got, delete_data=True)
        disk.places[7] = 1000
        got = await pair.ask()
        await settled(there, lambda: there.status.state is State.FAILED)
        error = there.status.error
        assert isinstance(error, StorageError)
        assert (error.kind, error.path) == (StorageError.Kind.IO, str(pair.source))
        assert not pair.seed.bans
        disk.places.clear()
        await there.resume()
        await settled(there, lambda: there.status.state is State.DOWNLOADING)  # the first place is missing still


async def test_a_file_that_is_cut_under_a_seed_is_served_as_far_as_it_goes(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        pair = Pair(tmp_path, stack)
        there = await pair.begin()
        os.truncate(pair.source, 10 * PIECE + 5)
        got = await pair.ask()
        await settled(there, lambda: there.status.done_bytes == 10 * PIECE)
        got = await pair.ask_again(got)
        await eventually(lambda: got.status.done_bytes == 10 * PIECE)
        assert not pair.leech.bans
        assert there.status.state is State.DOWNLOADING


@pytest.mark.parametrize("same", [True, False], ids=["same content", "other content"])
async def test_a_file_that_is_replaced_under_a_seed_is_looked_at_before_it_is_served(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    same: bool,  # noqa: FBT001 - a case
) -> None:
    monkeypatch.setattr(handles, "LOOK_SECONDS", 0.0)
    async with AsyncExitStack() as stack:
        pair = Pair(tmp_path, stack)
        there = await pair.begin()
        got = await pair.ask()
        await asyncio.wait_for(got.completed(), SECONDS)  # the file is open
        await pair.leech.remove(got, delete_data=True)
        stream = there.events(events.StateChanged)
        new = fill(tmp_path / "new", PIECES * PIECE, seed=1 if same else 2)
        new.replace(pair.source)
        got = await pair.ask()
        if same:
            await settled(there, lambda: len(stream.take()) == 2)
            got = await pair.ask_again(got)
            await asyncio.wait_for(got.completed(), SECONDS)
        else:
            await settled(there, lambda: there.status.state is State.FAILED)
            error = there.status.error
            assert isinstance(error, StorageError)
            assert (error.kind, error.path) == (StorageError.Kind.EXISTS, str(pair.source))
            assert got.status.done_bytes == 0
            assert not pair.leech.bans


async def test_what_was_written_since_the_last_good_sync_is_hashed_after_one_that_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system forgets what it could not write, and says so once."""
    failures = [errno.EIO]
    real = os.fdatasync

    def fdatasync(descriptor: int) -> None:
        if failures:
            raise OSError(failures.pop(), os.strerror(errno.EIO))
        real(descriptor)

    async with AsyncExitStack() as stack:
        pair = Pair(tmp_path, stack)
        await pair.begin()
        monkeypatch.setattr(os, "fdatasync", fdatasync)
        got = await pair.ask()
        await settled(got, lambda: got.status.state is State.FAILED)
        error = got.status.error
        assert isinstance(error, StorageError)
        assert (error.kind, error.path) == (StorageError.Kind.IO, str(tmp_path / "dst" / "a.bin"))
        written = tmp_path / "dst" / "a.bin"
        spoiled = bytearray(written.read_bytes())
        times = written.stat()
        spoiled[5] ^= 1  # as if that had not reached the disk
        written.write_bytes(spoiled)
        os.utime(written, ns=(times.st_atime_ns, times.st_mtime_ns))
        stream = got.events(events.CheckProgress)
        await got.resume()
        await asyncio.wait_for(got.completed(), SECONDS)
        assert stream.take()
    assert written.read_bytes() == pair.data
