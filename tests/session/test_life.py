import asyncio
from pathlib import Path

import pytest

from bittern.base.errors import StorageError
from bittern.io.disk.files import FileStorage
from bittern.session import events
from bittern.session.session import Session
from bittern.session.status import State
from bittern.session.store import FILE
from tests.session.rig import PIECE, album, eventually, fill, life_of, settings, torrent

SECONDS = 30


class FullDisk:
    """Makes writes fail like on a full disk, until there is space."""

    def __init__(self, patch: pytest.MonkeyPatch, kind: StorageError.Kind = StorageError.Kind.DISK_FULL) -> None:
        self.full = True
        real = FileStorage.write

        def write(storage: FileStorage, offset: int, data: memoryview) -> None:
            if self.full:
                raise StorageError(kind, storage.paths[0])
            real(storage, offset, data)

        patch.setattr(FileStorage, "write", write)


async def test_a_full_disk_is_told_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = fill(tmp_path / "src" / "a.bin", 20 * PIECE)
    meta = torrent(source)
    disk = FullDisk(monkeypatch)
    async with (
        Session(settings(tmp_path / "a")) as seed,
        Session(settings(tmp_path / "b", retry_seconds=0.2)) as leech,
    ):
        await (await seed.add(meta, tmp_path / "src")).completed()
        got = await leech.add(meta, tmp_path / "dst", peers=[f"127.0.0.1:{seed.port}"])
        with pytest.raises(StorageError, match=r"a\.bin: no space left"):
            await asyncio.wait_for(got.completed(), SECONDS)
        assert got.status.state is State.FAILED
        disk.full = False
        await eventually(lambda: got.status.state is State.SEEDING)
        assert got.status.complete
        assert got.status.error is None
    assert (tmp_path / "dst" / "a.bin").read_bytes() == source.read_bytes()


async def test_other_trouble_of_the_disk_waits_for_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    meta = torrent(fill(tmp_path / "src" / "a.bin", 20 * PIECE))
    disk = FullDisk(monkeypatch, StorageError.Kind.PERMISSION)
    async with (
        Session(settings(tmp_path / "a")) as seed,
        Session(settings(tmp_path / "b", retry_seconds=0.0)) as leech,
    ):
        await (await seed.add(meta, tmp_path / "src")).completed()
        got = await leech.add(meta, tmp_path / "dst", peers=[f"127.0.0.1:{seed.port}"])
        with pytest.raises(StorageError, match="permission denied"):
            await asyncio.wait_for(got.completed(), SECONDS)
        disk.full = False
        await asyncio.sleep(0.3)
        assert got.status.state is State.FAILED
        await got.resume()
        await asyncio.wait_for(got.completed(), SECONDS)


async def test_a_file_that_vanishes_stops_the_seed(tmp_path: Path) -> None:
    source = fill(tmp_path / "src" / "a.bin", 20 * PIECE)
    kept = source.read_bytes()
    meta = torrent(source)
    async with Session(settings(tmp_path / "a")) as seed, Session(settings(tmp_path / "b")) as leech:
        there = await seed.add(meta, tmp_path / "src")
        await there.completed()
        stream = there.events(events.StateChanged, events.Failed)
        seed._open().surroundings.runtime.handles.close()
        source.unlink()
        got = await leech.add(meta, tmp_path / "dst", peers=[f"127.0.0.1:{seed.port}"])
        await eventually(lambda: there.status.state is State.MISSING_FILES)
        error = there.status.error
        assert isinstance(error, StorageError)
        assert (error.kind, error.path) == (StorageError.Kind.GONE, str(source))
        states = [events.StateChanged(State.CHECKING), events.StateChanged(State.MISSING_FILES)]
        assert stream.take() == [*states, events.Failed(error)]
        source.write_bytes(kept)
        await there.resume()
        await there.completed()
        assert there.status.state is State.SEEDING
        await leech.remove(got)
        got = await leech.add(meta, tmp_path / "dst", peers=[f"127.0.0.1:{seed.port}"])
        await asyncio.wait_for(got.completed(), SECONDS)


async def test_a_ratio_ends_the_seed(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "src" / "a.bin", 20 * PIECE))
    async with (
        Session(settings(tmp_path / "a", seed_ratio=1.0)) as seed,
        Session(settings(tmp_path / "b")) as leech,
    ):
        there = await seed.add(meta, tmp_path / "src")
        await there.completed()
        await asyncio.sleep(0.25)
        assert there.status.state is State.SEEDING
        got = await leech.add(meta, tmp_path / "dst", peers=[f"127.0.0.1:{seed.port}"])
        await asyncio.wait_for(got.completed(), SECONDS)
        await eventually(lambda: there.status.state is State.FINISHED)
        assert there.status.complete
        await there.resume()
        await asyncio.sleep(0.25)
        assert there.status.state is State.SEEDING
        await seed.remove(there)
    async with Session(settings(tmp_path / "b", seed_minutes=0.002)) as leech:
        got = await leech.add(meta, tmp_path / "dst")
        await eventually(lambda: got.status.state is State.FINISHED)


async def test_what_was_sent_counts_over_all_runs(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "src" / "a.bin", 20 * PIECE))
    for run in (1, 2):
        async with Session(settings(tmp_path / "a")) as seed, Session(settings(tmp_path / f"b{run}")) as leech:
            there = await seed.add(meta, tmp_path / "src")
            await there.completed()
            got = await leech.add(meta, tmp_path / f"dst{run}", peers=[f"127.0.0.1:{seed.port}"])
            await asyncio.wait_for(got.completed(), SECONDS)
            assert there.status.uploaded == run * 20 * PIECE
            assert got.status.downloaded == 20 * PIECE
            await there.recheck()
            assert there.status.uploaded == run * 20 * PIECE


async def test_damaged_state_means_a_check_and_no_more(tmp_path: Path) -> None:
    meta = torrent(album(tmp_path / "album"))
    async with Session(settings(tmp_path / "a")) as session:
        await (await session.add(meta, tmp_path)).completed()
    (tmp_path / "a" / FILE).write_bytes(b"rubbish")
    async with Session(settings(tmp_path / "a")) as session:
        there = await session.add(meta, tmp_path)
        stream = there.events()
        await asyncio.wait_for(there.completed(), SECONDS)
        assert any(isinstance(event, events.CheckProgress) for event in stream.take())


async def test_state_that_can_not_be_written_is_told_and_does_no_harm(tmp_path: Path) -> None:
    source = fill(tmp_path / "src" / "a.bin", 20 * PIECE)
    meta = torrent(source)
    async with Session(settings(tmp_path / "a")) as seed, Session(settings(tmp_path / "b")) as leech:
        await (await seed.add(meta, tmp_path / "src")).completed()
        got = await leech.add(meta, tmp_path / "dst")
        stream = got.events(events.SaveFailed)
        await got.checked()
        await leech._open().surroundings.store._write("DROP TABLE torrents", ())
        await got.pause()
        life = life_of(leech, got)
        life.journal.stored(0)
        await life.save()
        event = await asyncio.wait_for(anext(stream), SECONDS)
        assert isinstance(event, events.SaveFailed)
        assert FILE in event.reason
        assert got.status.state is State.PAUSED


async def test_bytes_that_the_system_lost_stop_the_torrent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    meta = torrent(fill(tmp_path / "a.bin", 20 * PIECE))

    def sync(storage: FileStorage) -> None:
        raise StorageError(StorageError.Kind.IO, storage.paths[0])

    async with Session(settings(tmp_path / "a")) as session:
        there = await session.add(meta, tmp_path)
        await there.completed()
        life = life_of(session, there)
        with monkeypatch.context() as patch:
            patch.setattr(FileStorage, "sync", sync)
            life.journal.stored(0)
            await life.save()
        assert there.status.state is State.FAILED
        before = await life.journal.open()
        await life.save()
        assert await life.journal.open() == before, "progress that is in doubt is never saved"


async def test_pausing_while_files_are_checked_holds_after_it(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "a.bin", 20 * PIECE))
    async with Session(settings(tmp_path / "a")) as session:
        there = await session.add(meta, tmp_path)
        await there.pause()
        assert there.status.state is State.CHECKING
        await eventually(lambda: there.status.state is State.PAUSED)
