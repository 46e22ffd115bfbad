import asyncio
from pathlib import Path

import pytest

from bittern.base.errors import NoSuchTorrentError, SessionError, StorageError
from bittern.codec.magnet import Magnet
from bittern.session import events
from bittern.session.session import Session
from bittern.session.status import State
from tests.session.rig import PIECE, album, eventually, fill, life_of, settings, torrent

SECONDS = 30


async def test_before_the_metadata_a_torrent_knows_little(tmp_path: Path) -> None:
    async with Session(settings(tmp_path / "a")) as session:
        there = await session.add("magnet:?xt=urn:btih:" + "ab" * 20, tmp_path)
        named = await session.add(Magnet.parse("magnet:?xt=urn:btih:" + "cd" * 20 + "&dn=film"), tmp_path)
        await eventually(lambda: there.status.state is State.METADATA)
        assert (there.name, named.name) == ("ab" * 20, "film")
        assert (there.info, there.path, there.files, there.trackers) == (None, None, (), ())
        status = there.status
        assert (status.total_bytes, status.complete, status.eta_seconds, status.peers) == (0, False, None, 0)
        with pytest.raises(SessionError, match="not known yet"):
            there.set_file_priorities({0: 0})
        assert repr(there) == f"<Torrent {'ab' * 20} metadata>"
        waiting = [asyncio.ensure_future(wait) for wait in (there.metadata(), there.checked(), there.completed())]
        await asyncio.sleep(0)
    for waiter in waiting:
        with pytest.raises(NoSuchTorrentError, match="not in the session any more"):
            await waiter


async def test_a_torrent_shows_its_files_without_pads(tmp_path: Path) -> None:
    meta = torrent(album(tmp_path / "album"))
    async with Session(settings(tmp_path / "a")) as session:
        there = await session.add(meta, tmp_path)
        assert ["/".join(file.path) for file in there.files] == ["one.bin", "two/b.bin", "two/c.bin", "two/empty.txt"]
        assert there.path == tmp_path / "album"
        assert (await there.metadata()) is meta.info
        await there.checked()
        assert there.status.done_bytes == there.status.total_bytes == 170_011
        assert session.torrents == (there,)


async def test_a_paused_torrent_stops_and_a_resumed_one_ends(tmp_path: Path) -> None:
    source = fill(tmp_path / "src" / "a.bin", 100 * PIECE)
    meta = torrent(source)
    slow = settings(tmp_path / "b", down_bytes_per_second=20 * PIECE)
    async with Session(settings(tmp_path / "a")) as seed, Session(slow) as leech:
        await (await seed.add(meta, tmp_path / "src")).completed()
        got = await leech.add(meta, tmp_path / "dst", peers=[f"127.0.0.1:{seed.port}"])
        await eventually(lambda: got.status.done_bytes > 0)
        await got.pause()
        await eventually(lambda: got.status.state is State.PAUSED and not got.status.peers)
        at = got.status.downloaded
        await asyncio.sleep(0.2)
        assert got.status.downloaded == at
        await got.pause()
        leech.set_limits(down=float("inf"))
        await got.resume()
        await asyncio.wait_for(got.completed(), SECONDS)
        assert (tmp_path / "dst" / "a.bin").read_bytes() == source.read_bytes()


async def test_files_are_wanted_and_not_wanted_while_the_torrent_runs(tmp_path: Path) -> None:
    source = tmp_path / "src" / "album"
    meta = torrent(album(source))
    async with Session(settings(tmp_path / "a")) as seed, Session(settings(tmp_path / "b")) as leech:
        await (await seed.add(meta, tmp_path / "src")).completed()
        got = await leech.add(meta, tmp_path / "dst", peers=[f"127.0.0.1:{seed.port}"], paused=True)
        await got.checked()
        got.set_file_priorities({0: 0})
        assert got.status.total_bytes == 71_707  # the pieces from the one on that both share
        await got.resume()
        await asyncio.wait_for(got.completed(), SECONDS)
        assert (tmp_path / "dst" / "album" / "two" / "c.bin").read_bytes() == (source / "two" / "c.bin").read_bytes()
        assert (got.status.state, got.status.done_bytes) == (State.SEEDING, 71_707)
        got.set_file_priorities({0: 7})
        assert (got.status.state, got.status.complete) == (State.DOWNLOADING, False)
        await got.recheck()
        await asyncio.wait_for(got.completed(), SECONDS)
        assert (tmp_path / "dst" / "album" / "one.bin").read_bytes() == (source / "one.bin").read_bytes()
        assert got.status.done_bytes == got.status.total_bytes == 170_011
        for wrong in ({4: 1}, {0: 8}, {-1: 1}):
            with pytest.raises(SessionError, match="there are 4 files"):
                got.set_file_priorities(wrong)


async def test_pieces_with_deadlines_come_first(tmp_path: Path) -> None:
    source = fill(tmp_path / "src" / "a.bin", 40 * PIECE)
    meta = torrent(source)
    slow = settings(tmp_path / "b", down_bytes_per_second=40.0 * PIECE)  # so that they come as they are asked for
    async with Session(settings(tmp_path / "a")) as seed, Session(slow) as leech:
        await (await seed.add(meta, tmp_path / "src")).completed()
        got = await leech.add(meta, tmp_path / "dst", peers=[f"127.0.0.1:{seed.port}"], paused=True)
        await got.checked()
        stream = got.events(events.PieceStored)
        for seconds, piece in enumerate((31, 7, 22)):
            await got.set_deadline(piece, 1.0 + seconds)
        await got.set_deadline(7, None)
        for wrong in (-1, 40):
            with pytest.raises(SessionError, match="no piece"):
                await got.set_deadline(wrong, 1.0)
        await got.resume()
        await asyncio.wait_for(got.completed(), SECONDS)
        stored = [event.piece for event in stream.take() if isinstance(event, events.PieceStored)]
        assert {31, 22} <= {*stored[:8]}, "all that was asked for first may be stored in any order"


async def test_a_deadline_wakes_who_sleeps_and_waits_for_a_check(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "a.bin", 20 * PIECE))
    kept = settings(tmp_path / "s", keep_torrents=True)
    async with Session(kept) as session:
        await (await session.add(meta, tmp_path)).completed()
    async with Session(kept) as session:
        (there,) = session.torrents
        assert session._entries[there.info_hash].life is None
        await there.set_deadline(3, 1.0)
        assert there.status.complete
        assert life_of(session, there).swarm is not None
        checking = asyncio.ensure_future(there.recheck())
        await asyncio.sleep(0)
        assert there.status.state is State.CHECKING
        await there.set_deadline(3, 1.0)
        assert there.status.complete
        with pytest.raises(SessionError, match="no piece 20"):
            await there.set_deadline(20, 1.0)
        await checking
    (tmp_path / "a.bin").unlink()
    async with Session(kept) as session:
        (there,) = session.torrents
        with pytest.raises(StorageError):
            await there.set_deadline(3, 1.0)


async def test_a_recheck_finds_what_changed_under_us(tmp_path: Path) -> None:
    source = fill(tmp_path / "src" / "a.bin", 20 * PIECE)
    meta = torrent(source)
    async with Session(settings(tmp_path / "a")) as seed, Session(settings(tmp_path / "b")) as leech:
        await (await seed.add(meta, tmp_path / "src")).completed()
        got = await leech.add(meta, tmp_path / "dst", peers=[f"127.0.0.1:{seed.port}"])
        await asyncio.wait_for(got.completed(), SECONDS)
        copy = tmp_path / "dst" / "a.bin"
        copy.write_bytes(bytes(4 * PIECE) + source.read_bytes()[4 * PIECE :])
        stream = got.events(events.Checked, events.Completed)
        await got.recheck()
        await asyncio.wait_for(got.completed(), SECONDS)
        assert stream.take() == [events.Checked(16 * PIECE, 20 * PIECE), events.Completed()]
        assert got.status.downloaded == 24 * PIECE
        assert copy.read_bytes() == source.read_bytes()


async def test_a_recheck_goes_on_when_its_waiter_is_cancelled(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "a.bin", 20 * PIECE))
    async with Session(settings(tmp_path / "a")) as session:
        there = await session.add(meta, tmp_path)
        await there.completed()
        stream = there.events(events.Checked)
        waiter = asyncio.ensure_future(there.recheck())
        await asyncio.sleep(0)
        waiter.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiter
        assert await asyncio.wait_for(anext(stream), SECONDS) == events.Checked(20 * PIECE, 20 * PIECE)


async def test_a_recheck_without_metadata_does_nothing(tmp_path: Path) -> None:
    async with Session(settings(tmp_path / "a")) as session:
        there = await session.add("magnet:?xt=urn:btih:" + "ab" * 20, tmp_path, paused=True)
        await eventually(lambda: there.status.state is State.PAUSED)
        await there.recheck()
        await eventually(lambda: there.status.state is State.PAUSED)
        await there.resume()
        await eventually(lambda: there.status.state is State.METADATA)
