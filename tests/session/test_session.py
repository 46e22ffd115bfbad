import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from bittern.base.errors import MetainfoError, NoSuchTorrentError, SessionError, StorageError
from bittern.codec.magnet import Magnet
from bittern.codec.metainfo import Metainfo
from bittern.session import events
from bittern.session.entry import Entry
from bittern.session.goals import Goal
from bittern.session.roster import Roster
from bittern.session.session import Session
from bittern.session.settings import Settings
from bittern.session.status import State
from bittern.tools.create import Version
from tests.codec.torn import torn
from tests.session.rig import PIECE, album, eventually, fill, settings, torrent, tracking

SECONDS = 30


def same(one: Path, two: Path) -> bool:
    """Whether two folders, or files, hold the same."""
    if one.is_file():
        return one.read_bytes() == two.read_bytes()
    names = sorted(path.relative_to(one) for path in one.rglob("*"))
    found = sorted(path.relative_to(two) for path in two.rglob("*"))
    return names == found and all(same(one / n, two / n) for n in names if (one / n).is_file())


async def test_a_folder_goes_from_one_session_to_another(tmp_path: Path) -> None:
    meta = torrent(album(tmp_path / "src" / "album"))
    async with Session(settings(tmp_path / "a")) as seed, Session(settings(tmp_path / "b")) as leech:
        await (await seed.add(meta, tmp_path / "src")).completed()
        got = await leech.add(meta, tmp_path / "dst", peers=[f"127.0.0.1:{seed.port}"])
        stream = got.events()
        await asyncio.wait_for(got.completed(), SECONDS)
        status = got.status
        assert (status.state, status.complete, status.done_bytes) == (State.SEEDING, True, 170_011)
        assert status.downloaded == 170_011
        assert same(tmp_path / "src" / "album", tmp_path / "dst" / "album")
    told = [event async for event in stream]
    assert [event for event in told if isinstance(event, events.StateChanged)] == [
        events.StateChanged(State.DOWNLOADING),
        events.StateChanged(State.SEEDING),
    ]
    assert sum(isinstance(event, events.PieceStored) for event in told) == meta.info.geometry.piece_count
    assert events.Completed() in told


async def test_the_next_run_believes_what_was_saved(tmp_path: Path) -> None:
    meta = torrent(album(tmp_path / "album"))
    async with Session(settings(tmp_path / "a")) as session:
        await (await session.add(meta, tmp_path)).completed()
    async with Session(settings(tmp_path / "a")) as session:
        again = await session.add(meta, tmp_path)
        stream = again.events()
        await asyncio.wait_for(again.completed(), SECONDS)
    assert not [event async for event in stream if isinstance(event, events.CheckProgress)]


async def test_what_changed_between_runs_is_checked_and_fetched_anew(tmp_path: Path) -> None:
    source = fill(tmp_path / "src" / "a.bin", 20 * PIECE)
    meta = torrent(source)
    async with Session(settings(tmp_path / "a")) as seed:
        await (await seed.add(meta, tmp_path / "src")).completed()
        peers = [f"127.0.0.1:{seed.port}"]
        async with Session(settings(tmp_path / "b")) as leech:
            await asyncio.wait_for((await leech.add(meta, tmp_path / "dst", peers=peers)).completed(), SECONDS)
        copy = tmp_path / "dst" / "a.bin"
        with copy.open("r+b") as file:
            file.seek(5 * PIECE)
            file.write(bytes(10))
        async with Session(settings(tmp_path / "b")) as leech:
            again = await leech.add(meta, tmp_path / "dst", peers=peers)
            await asyncio.wait_for(again.completed(), SECONDS)
            assert again.status.downloaded == source.stat().st_size + PIECE
        assert same(source, copy)


async def test_a_file_with_other_content_is_protected(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "src" / "a.bin", 20 * PIECE))
    mine = fill(tmp_path / "dst" / "a.bin", 20 * PIECE, seed=2)
    before = mine.read_bytes()
    async with Session(settings(tmp_path / "b")) as session:
        refused = await session.add(meta, tmp_path / "dst")
        with pytest.raises(StorageError) as caught:
            await asyncio.wait_for(refused.completed(), SECONDS)
        assert (caught.value.kind, caught.value.path) == (StorageError.Kind.EXISTS, str(mine))
        assert refused.status.state is State.FAILED
        assert refused.status.error is caught.value
    assert mine.read_bytes() == before


async def test_a_file_with_other_content_may_be_given_up(tmp_path: Path) -> None:
    source = fill(tmp_path / "src" / "a.bin", 20 * PIECE)
    meta = torrent(source)
    fill(tmp_path / "dst" / "a.bin", 20 * PIECE, seed=2)
    async with Session(settings(tmp_path / "a")) as seed, Session(settings(tmp_path / "b")) as session:
        await (await seed.add(meta, tmp_path / "src")).completed()
        peers = [f"127.0.0.1:{seed.port}"]
        got = await session.add(meta, tmp_path / "dst", peers=peers, overwrite=True)
        await asyncio.wait_for(got.completed(), SECONDS)
    assert same(source, tmp_path / "dst" / "a.bin")


async def test_right_pieces_of_a_strange_file_are_kept(tmp_path: Path) -> None:
    source = fill(tmp_path / "src" / "a.bin", 20 * PIECE)
    meta = torrent(source)
    fill(tmp_path / "dst" / "a.bin", 0).write_bytes(source.read_bytes()[: 7 * PIECE + 100])
    async with Session(settings(tmp_path / "a")) as seed, Session(settings(tmp_path / "b")) as session:
        await (await seed.add(meta, tmp_path / "src")).completed()
        got = await session.add(meta, tmp_path / "dst", peers=[f"127.0.0.1:{seed.port}"])
        await asyncio.wait_for(got.completed(), SECONDS)
        assert got.status.downloaded == 13 * PIECE
    assert same(source, tmp_path / "dst" / "a.bin")


async def test_a_magnet_fetches_its_metadata_and_the_next_run_has_it(tmp_path: Path) -> None:
    meta = torrent(album(tmp_path / "src" / "album"))
    async with Session(settings(tmp_path / "a")) as seed:
        await (await seed.add(meta, tmp_path / "src")).completed()
        link = Magnet.parse(f"{meta.to_magnet().to_uri()}&x.pe=127.0.0.1:{seed.port}&x.pe=no.such.invalid:1")
        async with Session(settings(tmp_path / "b")) as leech:
            got = await leech.add(link, tmp_path / "dst")
            assert got.name == "album"
            stream = got.events()
            info = await asyncio.wait_for(got.metadata(), SECONDS)
            assert info == meta.info
            await asyncio.wait_for(got.completed(), SECONDS)
            assert events.MetadataReceived("album", 170_011) in stream.take()
    async with Session(settings(tmp_path / "b")) as leech:
        again = await leech.add(link, tmp_path / "dst")
        await asyncio.wait_for(again.completed(), SECONDS)
    assert same(tmp_path / "src" / "album", tmp_path / "dst" / "album")


async def test_only_selected_files_are_fetched(tmp_path: Path) -> None:
    meta = torrent(album(tmp_path / "src" / "album"), version=Version.HYBRID)
    async with Session(settings(tmp_path / "a")) as seed, Session(settings(tmp_path / "b")) as leech:
        await (await seed.add(meta, tmp_path / "src")).completed()
        got = await leech.add(meta, tmp_path / "dst", peers=[f"127.0.0.1:{seed.port}"], select=[2])
        await asyncio.wait_for(got.completed(), SECONDS)
        chosen = got.files[2]
        assert (got.status.total_bytes, got.status.downloaded) == (chosen.length, chosen.length)
    assert [p.name for p in (tmp_path / "dst" / "album").rglob("*.bin")] == [chosen.path[-1]]


async def test_removing_forgets_and_leaves_the_files(tmp_path: Path) -> None:
    meta = torrent(album(tmp_path / "album"))
    async with Session(settings(tmp_path / "state")) as session:
        there = await session.add(meta, tmp_path)
        await there.completed()
        stream = there.events()
        waiting = asyncio.ensure_future(there.completed())
        await session.remove(there)
        assert session.torrents == ()
        assert [event async for event in stream][-1] == events.StateChanged(State.REMOVED)
        assert (tmp_path / "album" / "one.bin").exists()
        with pytest.raises(NoSuchTorrentError):
            await there.completed()
        with pytest.raises(NoSuchTorrentError):
            await session.remove(there)
        await asyncio.wait([waiting])
        waiting.exception()
        again = await session.add(meta, tmp_path)
        stream = again.events()
        await again.completed()
        assert any(isinstance(event, events.CheckProgress) for event in stream.take())


async def test_trackers_hear_of_our_coming_our_success_and_our_going(tmp_path: Path) -> None:
    with tracking() as tracker:
        meta = torrent(fill(tmp_path / "src" / "a.bin", 20 * PIECE), tracker.url)
        async with Session(settings(tmp_path / "a")) as seed:
            await (await seed.add(meta, tmp_path / "src")).completed()
            await eventually(lambda: tracker.has_seed(seed.port))
            async with Session(settings(tmp_path / "b")) as leech:
                got = await leech.add(meta, tmp_path / "dst")
                await asyncio.wait_for(got.completed(), SECONDS)
                await eventually(lambda: "completed" in tracker.events(leech.port))
                (told,) = got.trackers
                assert (told.url, told.failures, told.supported) == (tracker.url, 0, True)
                port = leech.port
            assert tracker.events(port) == ["started", "completed", "stopped"]
            assert tracker.events(seed.port) == ["started"]
            port = seed.port
        assert tracker.events(port) == ["started", "stopped"]
        assert {announce.user_agent for announce in tracker.announces} == {"bittern/0.1.0"}


async def test_trackers_are_not_asked_when_that_is_not_wanted(tmp_path: Path) -> None:
    with tracking() as tracker:
        meta = torrent(fill(tmp_path / "a.bin", 1000), tracker.url, "wss://127.0.0.1:1/announce")
        async with Session(settings(tmp_path / "a", use_trackers=False)) as session:
            there = await session.add(meta, tmp_path)
            await there.completed()
            assert there.trackers == ()
        assert tracker.announces == []
        async with Session(settings(tmp_path / "a")) as session:
            there = await session.add(meta, tmp_path)
            await there.completed()
            assert [told.supported for told in there.trackers] == [True, False]


async def test_a_torrent_added_paused_waits(tmp_path: Path) -> None:
    with tracking() as tracker:
        meta = torrent(fill(tmp_path / "a.bin", 1000), tracker.url)
        async with Session(settings(tmp_path / "a")) as session:
            there = await session.add(meta, tmp_path, paused=True)
            await there.completed()
            await eventually(lambda: there.status.state is State.PAUSED)
            assert tracker.announces == []
            await there.resume()
            assert there.status.state is State.SEEDING
            await eventually(lambda: tracker.has_seed(session.port))


async def test_what_can_not_be_transferred_is_refused_before_anything_starts(tmp_path: Path) -> None:
    fill(tmp_path / "a.bin", 100_000)
    async with Session(settings(tmp_path / "a")) as session:
        with pytest.raises(SessionError, match="HOST:PORT"):
            await session.add(torrent(tmp_path / "a.bin"), tmp_path, peers=["nonsense"])
        with pytest.raises(FileNotFoundError):
            await session.add(tmp_path / "none.torrent")
        assert session.torrents == ()


async def test_an_empty_torrent_is_complete_at_once(tmp_path: Path) -> None:
    (tmp_path / "album").mkdir()
    (tmp_path / "album" / "empty").touch()
    info = b"d5:filesld6:lengthi0e4:pathl5:emptyeee4:name5:album12:piece lengthi32768e6:pieces0:e"
    meta = Metainfo.from_bytes(b"d4:info" + info + b"e")
    async with Session(settings(tmp_path / "a")) as session:
        there = await session.add(meta, tmp_path / "dst")
        await asyncio.wait_for(there.completed(), SECONDS)
        assert there.status.complete
    assert (tmp_path / "dst" / "album" / "empty").stat().st_size == 0


async def test_a_session_has_to_be_open(tmp_path: Path) -> None:
    session = Session(Settings(state_dir=tmp_path))
    with pytest.raises(SessionError, match="async with"):
        await session.add("magnet:?xt=urn:btih:" + "ab" * 20)
    with pytest.raises(SessionError, match="async with"):
        _ = session.port
    await session.close()


@pytest.mark.parametrize("kept", [False, True])
async def test_a_session_that_is_opened_again_begins_anew(tmp_path: Path, *, kept: bool) -> None:
    """Its torrents are those that are kept, with handles of their own; who looks for changes hears that others went."""
    meta = torrent(fill(tmp_path / "a.bin", PIECE))
    link = Magnet.parse("magnet:?xt=urn:btih:" + "ab" * 20)
    session = Session(settings(tmp_path / "s", keep_torrents=kept))
    async with session:
        before = await session.add(meta, tmp_path)
        await asyncio.wait_for(before.completed(), SECONDS)
        await session.add(link)
        seen = session.changes()
        assert set(seen.torrents) == {meta.info.wire_hash, link.wire_hash}
    assert (session.torrents, session.get(meta.info.wire_hash), dict(session.changes().torrents)) == ((), None, {})
    async with session:
        changes = session.changes(seen.revision)
        if kept:
            there = session.torrents[0]
            assert changes.gone == ()
        else:
            assert set(changes.gone) == {meta.info.wire_hash, link.wire_hash}
            assert session.torrents == ()
            there = await session.add(meta, tmp_path)
        assert there is not before
        await asyncio.wait_for(there.completed(), SECONDS)
        with pytest.raises(NoSuchTorrentError):
            await before.recheck()


def test_a_session_may_be_opened_again_on_another_loop(tmp_path: Path) -> None:
    session = Session(settings(tmp_path / "s"))

    async def run() -> None:
        async with session:
            await session.add("magnet:?xt=urn:btih:" + "ab" * 20)

    asyncio.run(run())
    asyncio.run(run())


async def test_of_two_who_remove_a_torrent_one_is_told_that_it_is_gone(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "a.bin", PIECE))
    async with Session(settings(tmp_path / "s", keep_torrents=True)) as session:
        there = await session.add(meta, tmp_path)
        await asyncio.wait_for(there.completed(), SECONDS)
        first, second = await asyncio.gather(session.remove(there), session.remove(there), return_exceptions=True)
        assert first is None
        assert isinstance(second, NoSuchTorrentError)


async def test_what_is_set_of_a_torrent_that_is_gone_does_not_reach_the_one_that_was_added_since(
    tmp_path: Path,
) -> None:
    meta = torrent(fill(tmp_path / "a.bin", PIECE))
    session = Session(settings(tmp_path / "s", keep_torrents=True))
    async with session:
        gone = await session.add(meta, tmp_path)
        await session.remove(gone)
        again = await session.add(meta, tmp_path)
        for command in (partial(gone.set_priority, 3), partial(gone.set_goal, Goal(ratio=1)), partial(gone.move, 0)):
            with pytest.raises(NoSuchTorrentError):
                command()
        assert (again.priority, again.goal) == (0, None)
    with pytest.raises(NoSuchTorrentError):
        again.set_priority(3)


async def test_a_torrent_of_version_2_alone_goes_from_one_session_to_another(tmp_path: Path) -> None:
    meta = torrent(album(tmp_path / "src" / "album"), version=Version.V2)
    async with Session(settings(tmp_path / "a")) as seed, Session(settings(tmp_path / "b")) as leech:
        await (await seed.add(meta, tmp_path / "src")).completed()
        got = await leech.add(meta, tmp_path / "dst", peers=[f"127.0.0.1:{seed.port}"])
        await asyncio.wait_for(got.completed(), SECONDS)
        assert got.status.done_bytes == got.status.total_bytes == got.status.downloaded == 170_011
    assert same(tmp_path / "src" / "album", tmp_path / "dst" / "album")
    with (tmp_path / "dst" / "album" / "one.bin").open("r+b") as file:
        file.write(b"damaged")
    async with Session(settings(tmp_path / "b")) as leech:
        again = await leech.add(meta, tmp_path / "dst")
        await asyncio.wait_for(again.checked(), SECONDS)
        assert again.status.done_bytes == 170_011 - PIECE  # all but the piece that does not hash


@pytest.mark.parametrize("wrong", [1, 2])
async def test_a_hybrid_that_contradicts_itself_fails_with_words_and_is_not_fetched_over_and_over(
    tmp_path: Path, wrong: int
) -> None:
    """BEP 52: data that has one of the two hashes and not the other is the torrent's fault, not the peers'."""
    meta = torn(torrent(album(tmp_path / "src" / "album"), version=Version.HYBRID), 1, wrong=wrong)
    async with Session(settings(tmp_path / "a")) as seed, Session(settings(tmp_path / "b")) as leech:
        await (await seed.add(meta, tmp_path / "src", trust=True)).completed()
        got = await leech.add(meta, tmp_path / "dst", peers=[f"127.0.0.1:{seed.port}"])
        stream = got.events()
        await eventually(lambda: got.status.state is State.FAILED)
        assert isinstance(got.status.error, MetainfoError)
        assert "piece 1 has one of its two hashes" in str(got.status.error)
        assert got.status.downloaded <= meta.info.total_length
    told = [event async for event in stream]
    assert not any(isinstance(event, events.PieceFailed) for event in told)
    assert not any(isinstance(event, events.PeerDropped) and event.offence for event in told)
    async with Session(settings(tmp_path / "c")) as session:
        there = await session.add(meta, tmp_path / "src")
        await eventually(lambda: there.status.state is State.FAILED)
        assert isinstance(there.status.error, MetainfoError)


@pytest.mark.parametrize("version", [Version.V2, Version.HYBRID])
async def test_a_btmh_magnet_fetches_its_layers_once(tmp_path: Path, version: Version) -> None:
    """Who had them by hash messages gives them to others after a restart, without its first source (BEP 52)."""
    meta = torrent(album(tmp_path / "src" / "album"), version=version)
    link = replace(meta.to_magnet(), info_hash_v1=None)
    async with Session(settings(tmp_path / "a")) as seed, Session(settings(tmp_path / "b")) as leech:
        await (await seed.add(meta, tmp_path / "src")).completed()
        got = await leech.add(link, tmp_path / "dst", peers=[f"127.0.0.1:{seed.port}"])
        await asyncio.wait_for(got.completed(), SECONDS)
    assert same(tmp_path / "src" / "album", tmp_path / "dst" / "album")
    async with Session(settings(tmp_path / "b")) as again, Session(settings(tmp_path / "c")) as other:
        await asyncio.wait_for((await again.add(link, tmp_path / "dst")).completed(), SECONDS)
        got = await other.add(link, tmp_path / "more", peers=[f"127.0.0.1:{again.port}"])
        await asyncio.wait_for(got.completed(), SECONDS)
    assert same(tmp_path / "src" / "album", tmp_path / "more" / "album")


async def test_closing_leaves_no_task_and_no_thread(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "src" / "a.bin", 20 * PIECE))
    tasks = asyncio.all_tasks()
    async with Session(settings(tmp_path / "a")) as seed, Session(settings(tmp_path / "b")) as leech:
        await (await seed.add(meta, tmp_path / "src")).completed()
        got = await leech.add(meta, tmp_path / "dst", peers=[f"127.0.0.1:{seed.port}"])
        await asyncio.wait_for(got.completed(), SECONDS)
    assert asyncio.all_tasks() == tasks
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("bittern")] == []


async def test_closing_ends_a_check_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    with path.open("wb") as file:
        file.truncate(64 << 30)
    count = (64 << 30) // (1 << 24)
    info = b"d6:lengthi%de4:name5:a.bin12:piece lengthi%de6:pieces%d:%se" % (
        64 << 30,
        1 << 24,
        count * 20,
        bytes(count * 20),
    )
    meta = Metainfo.from_bytes(b"d4:info" + info + b"e")
    began = asyncio.get_running_loop().time()
    async with Session(settings(tmp_path / "a")) as session:
        there = await session.add(meta, tmp_path, overwrite=True)
        await eventually(lambda: there.status.check is not None)
        assert there.status.state is State.CHECKING
    assert asyncio.get_running_loop().time() - began < 10.0  # all of it takes longer than that


async def test_a_session_may_be_opened_and_closed_by_hand_and_opened_again(tmp_path: Path) -> None:
    session = await Session(settings(tmp_path / "a")).open()
    with pytest.raises(SessionError, match="open already"):
        await session.open()
    await session.close()
    async with session:
        assert session.port


async def test_an_opening_that_is_cancelled_ends_those_who_were_called_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = settings(tmp_path / "state", keep_torrents=True)
    async with Session(kept) as session:
        await (await session.add(torrent(fill(tmp_path / "a.bin", PIECE)), tmp_path)).completed()
    load, called = Roster.load, asyncio.Event()

    async def slowly(roster: Roster) -> AsyncIterator[list[Entry]]:
        async for entries in load(roster):
            yield entries
        [entry] = session._entries.values()
        session._open().waking.wake(entry)
        called.set()
        await asyncio.Event().wait()

    with monkeypatch.context() as patch:
        patch.setattr(Roster, "load", slowly)
        opening = asyncio.create_task(session.open())
        await called.wait()
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        assert asyncio.all_tasks() == {asyncio.current_task()}
    async with session:
        await asyncio.wait_for(session.torrents[0].completed(), SECONDS)
