import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bittern.base.address import Address
from bittern.base.transport import Transport
from bittern.codec.bencode import decode, encode
from bittern.codec.metainfo import Metainfo
from bittern.codec.resume import Resume
from bittern.engine.swarm.approach import Past
from bittern.io.disk.files import FileStorage
from bittern.session.content import Content, Stamps
from bittern.session.session import Session
from bittern.session.status import State
from bittern.session.store import Store
from tests.session.rig import PIECE, eventually, fill, life_of, settings, torrent, tracking

SECONDS = 30


async def test_the_order_of_a_save_is_stamps_then_pieces_then_sync_then_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    look, sync, save = Content.look_again, FileStorage.sync, Store.save

    def looked(content: Content) -> Stamps:
        steps.append("look")
        return look(content)

    def synced(storage: FileStorage) -> None:
        steps.append("sync")
        sync(storage)

    async def saved(store: Store, info_hash: bytes, save_path: str, resume: bytes) -> None:
        steps.append("save")
        await save(store, info_hash, save_path, resume)

    meta = torrent(fill(tmp_path / "a.bin", 20 * PIECE))
    async with Session(settings(tmp_path / "a", save_seconds=1000)) as seed:
        await (await seed.add(meta, tmp_path)).completed()
        with monkeypatch.context() as patch:
            patch.setattr(Content, "look_again", looked)
            patch.setattr(FileStorage, "sync", synced)
            patch.setattr(Store, "save", saved)
            async with Session(settings(tmp_path / "b", save_seconds=1000)) as leech:
                got = await leech.add(meta, tmp_path / "dst", peers=[f"127.0.0.1:{seed.port}"])
                await asyncio.wait_for(got.completed(), SECONDS)
    assert steps == ["look", "sync", "save"]


def spoil(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(5 * PIECE)
        file.write(b"spoiled")


@pytest.mark.parametrize("change", [spoil, lambda path: os.truncate(path, 5 * PIECE)], ids=["spoiled", "cut"])
async def test_what_somebody_else_does_to_a_file_meanwhile_is_found_by_the_next_run(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    """The last save of a run is not fooled into saying that this is how the file should look."""
    path = fill(tmp_path / "a.bin", 20 * PIECE)
    meta = torrent(path)
    async with Session(settings(tmp_path / "a")) as session:
        await (await session.add(meta, tmp_path)).completed()
        change(path)
    async with Session(settings(tmp_path / "a")) as session:
        there = await session.add(meta, tmp_path)
        await there.checked()
        assert 5 * PIECE <= there.status.done_bytes < 20 * PIECE


async def test_what_is_deleted_meanwhile_is_missed_by_the_next_run(tmp_path: Path) -> None:
    path = fill(tmp_path / "a.bin", 20 * PIECE)
    meta = torrent(path)
    async with Session(settings(tmp_path / "a")) as session:
        await (await session.add(meta, tmp_path)).completed()
        path.unlink()
    async with Session(settings(tmp_path / "a")) as session:
        there = await session.add(meta, tmp_path)
        await eventually(lambda: there.status.state is State.MISSING_FILES)
    assert not path.exists()


async def test_progress_is_saved_while_it_downloads(tmp_path: Path) -> None:
    source = fill(tmp_path / "src" / "a.bin", 100 * PIECE)
    meta = torrent(source)
    slow = settings(tmp_path / "b", down_bytes_per_second=40 * PIECE)
    async with Session(settings(tmp_path / "a")) as seed, Session(slow) as leech:
        await (await seed.add(meta, tmp_path / "src")).completed()
        got = await leech.add(meta, tmp_path / "dst", peers=[f"127.0.0.1:{seed.port}"])
        await got.checked()
        journal = life_of(leech, got).journal
        found: list[int] = []
        while len(found) < 3:
            record = await journal.open()
            assert record is not None
            assert record.resume is not None
            count = len(Resume.decode(record.resume).have())
            if count and count not in found:
                found.append(count)
                assert count * PIECE <= got.status.done_bytes
            await asyncio.sleep(0.02)


async def test_without_news_nothing_is_written(tmp_path: Path) -> None:
    async with Session(settings(tmp_path / "a")) as session:
        there = await session.add(torrent(fill(tmp_path / "a.bin", 20 * PIECE)), tmp_path)
        await there.completed()
        life = life_of(session, there)
        assert life.swarm is not None
        now = session._open().surroundings.runtime.now()
        assert not life.journal.due(life.swarm, now + 1000)
        life.journal.stored(3)
        assert life.journal.due(life.swarm, now + 1000)
        await eventually(lambda: life.swarm is not None and not life.journal.due(life.swarm, now + 1000))


async def test_what_was_done_in_a_swarm_that_was_left_counts(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "src" / "a.bin", 20 * PIECE))
    async with Session(settings(tmp_path / "a")) as seed, Session(settings(tmp_path / "b")) as leech:
        there = await seed.add(meta, tmp_path / "src")
        await there.completed()
        got = await leech.add(meta, tmp_path / "dst", peers=[f"127.0.0.1:{seed.port}"])
        await asyncio.wait_for(got.completed(), SECONDS)
        assert (there.status.uploaded, got.status.downloaded) == (20 * PIECE, 20 * PIECE)
        await got.recheck()
        assert got.status.downloaded == 20 * PIECE


def private(meta: Metainfo) -> Metainfo:
    """The same, for members of its tracker only (BEP 27)."""
    info = decode(meta.info.raw)
    assert isinstance(info, dict)
    return Metainfo.from_bytes(encode({"announce": meta.trackers[0][0], "info": info | {b"private": 1}}))


@pytest.mark.parametrize("secret", [False, True])
async def test_without_its_tracker_a_torrent_finds_its_peers_again_but_a_private_one_does_not(
    tmp_path: Path,
    secret: bool,  # noqa: FBT001 - a parameter
) -> None:
    source = fill(tmp_path / "src" / "a.bin", 100 * PIECE)
    slow = settings(tmp_path / "b", down_bytes_per_second=40 * PIECE, use_pex=False)
    async with Session(settings(tmp_path / "a", use_pex=False)) as seed:
        with tracking() as tracker:
            meta = torrent(source, tracker.url)
            meta = private(meta) if secret else meta
            await (await seed.add(meta, tmp_path / "src")).completed()
            await eventually(lambda: tracker.has_seed(seed.port))
            async with Session(slow) as leech:
                got = await leech.add(meta, tmp_path / "dst")
                await eventually(lambda: got.status.done_bytes > 0)
        async with Session(replace(slow, down_bytes_per_second=float("inf"))) as leech:
            got = await leech.add(meta, tmp_path / "dst")
            if secret:
                await eventually(lambda: any(tracker.failures for tracker in got.trackers))
                assert (got.found_by, got.status.complete) == ({}, False)
            else:
                await asyncio.wait_for(got.completed(), SECONDS)
                assert got.found_by == {"resume": 1}
            record = await life_of(leech, got).journal.open()
            assert record is not None
            assert record.resume is not None
            kept = Resume.decode(record.resume)
            assert kept.peers == (() if secret else (Address("127.0.0.1", seed.port),))
            assert kept.ways == (b"" if secret else bytes([Past(first=Transport.TCP).code]))


async def test_a_complete_torrent_keeps_its_peers_and_does_not_dial_them(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "src" / "a.bin", 2 * PIECE))
    async with Session(settings(tmp_path / "a")) as seed:
        await (await seed.add(meta, tmp_path / "src")).completed()
        where = Address("127.0.0.1", seed.port)
        async with Session(settings(tmp_path / "b")) as session:
            got = await session.add(meta, tmp_path / "dst", peers=[str(where)])
            await asyncio.wait_for(got.completed(), SECONDS)
        for _ in range(2):
            async with Session(settings(tmp_path / "b")) as session:
                got = await session.add(meta, tmp_path / "dst")
                await asyncio.wait_for(got.completed(), SECONDS)
                assert got.found_by == {}
                assert life_of(session, got).journal.peers == (where,)


async def test_a_torrent_that_is_checked_again_keeps_its_peers(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "src" / "a.bin", 100 * PIECE))
    async with (
        Session(settings(tmp_path / "a")) as seed,
        Session(settings(tmp_path / "b", down_bytes_per_second=40 * PIECE)) as leech,
    ):
        await (await seed.add(meta, tmp_path / "src")).completed()
        got = await leech.add(meta, tmp_path / "dst", peers=[f"127.0.0.1:{seed.port}"])
        await eventually(lambda: got.status.done_bytes > 0)
        await got.recheck()
        assert life_of(leech, got).journal.peers == (Address("127.0.0.1", seed.port),)
