"""Symbolic links of a torrent (BEP 47), in the life of it: made last, moved, and removed when they are ours."""

import asyncio
import logging
from collections.abc import Collection
from pathlib import Path
from threading import Event

import pytest

from bittern.codec.metainfo import Metainfo
from bittern.io.disk.linking import Linking
from bittern.session.content import Content
from bittern.session.deleting import delete_content
from bittern.session.session import Session
from bittern.session.status import State
from bittern.tools.create import CreateOptions, Version, create
from bittern.tools.scan import Symlinks, scan
from tests.io.disk.elsewhere import part_folders
from tests.session.rig import PIECE, album, eventually, settings

SECONDS = 30
LINKS = {"alias": "two", "two/first": "../one.bin", "only links/here/b": "../../two/b.bin"}


def linked_album(folder: Path, version: Version = Version.V1) -> Metainfo:
    """The torrent of `album` in `folder`, with links in it."""
    root = album(folder / "album")
    for place, text in LINKS.items():
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).symlink_to(text)
    options = CreateOptions(version=version, piece_size=PIECE)
    return create(scan(root, symlinks=Symlinks.KEEP), options).metainfo


def links_in(root: Path) -> dict[str, str]:
    """What links there are, and what they say."""
    return {str(path.relative_to(root)): str(path.readlink()) for path in root.rglob("*") if path.is_symlink()}


async def complete(session: Session, meta: Metainfo, folder: Path) -> None:
    """Add it, wait until it is complete, and until its links are made if there are to be any."""
    torrent = await session.add(meta, folder)
    await asyncio.wait_for(torrent.completed(), SECONDS)
    if session.settings.symlinks:
        await eventually(lambda: links_in(folder / "album") == LINKS)


@pytest.mark.parametrize("version", Version)
async def test_no_link_is_made_unless_it_is_asked_for(tmp_path: Path, version: Version) -> None:
    meta = linked_album(tmp_path / "src", version)
    async with Session(settings(tmp_path / "a")) as seed:
        await complete(seed, meta, tmp_path / "src")
        for asked in (False, True):
            root = tmp_path / f"dst{asked}" / "album"
            async with Session(settings(tmp_path / f"b{asked}", symlinks=asked)) as leech:
                got = await leech.add(meta, root.parent, peers=[f"127.0.0.1:{seed.port}"], paused=True)
                await asyncio.wait_for(got.checked(), SECONDS)
                assert not links_in(root)
                await got.resume()
                await asyncio.wait_for(got.completed(), SECONDS)
                assert got.status.total_bytes == 170_011
            assert links_in(root) == (LINKS if asked else {})
            assert (root / "one.bin").read_bytes() == (tmp_path / "src" / "album" / "one.bin").read_bytes()


async def test_links_are_made_for_what_is_complete_already_and_need_no_check(tmp_path: Path) -> None:
    meta = linked_album(tmp_path / "src")
    root = tmp_path / "src" / "album"
    for place in LINKS:
        (root / place).unlink()
    async with Session(settings(tmp_path / "a")) as session:
        await complete(session, meta, tmp_path / "src")
    assert not links_in(root)
    async with Session(settings(tmp_path / "a", symlinks=True)) as session:
        await complete(session, meta, tmp_path / "src")
        (root / "alias").unlink()
        await session.torrents[0].recheck()
        assert session.torrents[0].status.state is State.SEEDING
    assert links_in(root) == LINKS


async def test_why_a_link_is_not_made_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    meta = linked_album(tmp_path / "src")
    (tmp_path / "src" / "album" / "alias").unlink()
    (tmp_path / "src" / "album" / "alias").write_text("mine")
    with caplog.at_level(logging.WARNING, "bittern.session"):
        async with Session(settings(tmp_path / "a", symlinks=True)) as session:
            torrent = await session.add(meta, tmp_path / "src", select=[0, 1, 2, 3])
            await asyncio.wait_for(torrent.completed(), SECONDS)
            torrent.set_file_priorities(dict.fromkeys(range(len(torrent.files)), 4))
            await torrent.recheck()
            await torrent.completed()
    (line,) = {record.getMessage() for record in caplog.records}
    assert line.endswith("album/alias was not made: something else is in its place")
    assert (tmp_path / "src" / "album" / "alias").read_text() == "mine"


@pytest.mark.parametrize("other", [False, True], ids=["same file system", "other file system"])
async def test_links_follow_a_move_and_renames(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    other: bool,  # noqa: FBT001 - a case
) -> None:
    meta = linked_album(tmp_path / "src")
    if other:
        part_folders(monkeypatch)
    async with Session(settings(tmp_path / "a")) as session:
        torrent = await session.add(meta, tmp_path / "src")
        await torrent.completed()
        await torrent.move_to(tmp_path / "new")
        assert links_in(tmp_path / "new" / "album") == LINKS
        assert not (tmp_path / "src" / "album").exists()
        await torrent.rename("tape")
        assert links_in(tmp_path / "new" / "tape") == LINKS
        numbers = {"/".join(file.path): number for number, file in enumerate(torrent.files)}
        await torrent.rename_file(numbers["one.bin"], "deep/first.bin")
        assert links_in(tmp_path / "new" / "tape") == {**LINKS, "two/first": "../deep/first.bin"}
        await torrent.rename_file(numbers["alias"], "deep/alias")
        moved = {place: text for place, text in LINKS.items() if place != "alias"}
        moved |= {"two/first": "../deep/first.bin", "deep/alias": "../two"}
        assert links_in(tmp_path / "new" / "tape") == moved
        await session.remove(torrent, delete_data=True)
    assert not list((tmp_path / "new").iterdir())


async def test_what_is_in_the_place_of_a_link_does_not_move(tmp_path: Path) -> None:
    meta = linked_album(tmp_path / "src")
    alias = tmp_path / "src" / "album" / "alias"
    alias.unlink()
    alias.symlink_to("/nowhere")
    async with Session(settings(tmp_path / "a")) as session:
        torrent = await session.add(meta, tmp_path / "src")
        await torrent.completed()
        await torrent.move_to(tmp_path / "new")
    assert links_in(tmp_path / "src" / "album") == {"alias": "/nowhere"}
    assert "alias" not in links_in(tmp_path / "new" / "album")


async def test_removing_deletes_links_that_say_what_ours_do_and_no_others(tmp_path: Path) -> None:
    meta = linked_album(tmp_path / "src")
    root = tmp_path / "src" / "album"
    (root / "two" / "first").unlink()
    (root / "two" / "first").symlink_to("b.bin")
    async with Session(settings(tmp_path / "a")) as session:
        torrent = await session.add(meta, tmp_path / "src")
        await torrent.completed()
        await session.remove(torrent, delete_data=True)
    assert sorted(str(path.relative_to(root)) for path in root.rglob("*")) == ["two", "two/first"]


async def test_no_link_comes_after_the_files_were_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    meta = linked_album(tmp_path / "src")
    for place in LINKS:
        (tmp_path / "src" / "album" / place).unlink()
    deleted, make = Event(), Linking.make

    def make_late(links: Linking, wanted: Collection[int]) -> dict[str, str]:
        deleted.wait(0.5)
        return make(links, wanted)

    def delete_and_say_so(content: Content) -> None:
        delete_content(content)
        deleted.set()

    monkeypatch.setattr(Linking, "make", make_late)
    monkeypatch.setattr("bittern.session.door.delete_content", delete_and_say_so)
    async with Session(settings(tmp_path / "a", symlinks=True)) as session:
        torrent = await session.add(meta, tmp_path / "src")
        await torrent.completed()
        await session.remove(torrent, delete_data=True)
    assert deleted.is_set()
    assert not list((tmp_path / "src").iterdir())
