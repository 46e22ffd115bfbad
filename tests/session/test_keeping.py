"""The files of a torrent without its life: found, chosen, moved, written down, closed."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bittern.base.bitfield import Bitfield
from bittern.base.errors import StorageError
from bittern.codec.metainfo import Metainfo
from bittern.session import events
from bittern.session.identity import Identity
from bittern.session.keeping import Keeping
from bittern.session.lock import TorrentLock
from bittern.session.options import AddOptions
from bittern.session.placement import Placement
from bittern.session.session import Session
from tests.session.rig import album, settings, torrent


async def unasked() -> Mapping[bytes, bytes]:
    """Piece layers, which nobody needs."""
    raise AssertionError


class Case:
    """A torrent's files, and what its listeners hear."""

    def __init__(self, session: Session, meta: Metainfo, folder: Path) -> None:
        self.info = meta.info
        self.options = AddOptions(save_path=folder, select=[1])
        self.publisher = events.Publisher(100)
        self.heard = self.publisher.stream()
        surroundings = session._open().surroundings
        lock = TorrentLock(surroundings.store.folder, self.info.wire_hash, self.options.place)
        self.identity = Identity(meta, self.options)
        self.keeping = Keeping(self.identity, self.options, lock, surroundings, self.publisher)

    async def look(self, *, known: bool = True) -> Bitfield:
        """What is there."""
        _, saved = await self.identity.recall(self.keeping.journal)
        return await self.keeping.look(self.info, (), saved, unasked, known=known, believe=True, doubted=None)


@asynccontextmanager
async def keeping(tmp_path: Path, folder: Path) -> AsyncIterator[Case]:
    """The album of `tmp_path`, of which the second file is wanted, in `folder`."""
    meta = torrent(album(tmp_path / "src" / "album"))
    async with Session(settings(tmp_path / "state")) as session:
        case = Case(session, meta, folder)
        try:
            yield case
        finally:
            case.keeping.close()
            case.keeping.mover.release()


async def test_what_is_there_is_found_and_counted(tmp_path: Path) -> None:
    async with keeping(tmp_path, tmp_path / "src") as case:
        assert (case.keeping.content, case.keeping.done_bytes) == (None, 0)
        have = await case.look()
        assert have.complete
        assert case.keeping.content is not None
        assert case.keeping.done_bytes == case.keeping.content.total_bytes > 0
        assert await case.keeping.reads(0)


async def test_pieces_that_come_are_counted_as_far_as_they_are_wanted(tmp_path: Path) -> None:
    async with keeping(tmp_path, tmp_path / "dst") as case:
        have = await case.look(known=False)
        assert (have.count, case.keeping.done_bytes) == (0, 0)
        content = case.keeping.content
        assert content is not None
        [piece, *_] = list(content.wanted)
        case.keeping.stored(piece)
        before = case.keeping.done_bytes
        assert before == content.bytes_of(piece) > 0
        everything = Bitfield.full(have.size)
        case.options.select = None
        case.keeping.choose(case.info, everything, Bitfield(have.size, [piece]))
        assert content.wanted is everything
        assert case.keeping.done_bytes >= before
        await case.keeping.settle()
        assert not await case.keeping.reads(piece)  # nobody wrote it


async def test_files_move_and_the_next_look_finds_them_there(tmp_path: Path) -> None:
    async with keeping(tmp_path, tmp_path / "src") as case:
        await case.look()
        was = Placement.of(case.info, case.options)
        await case.keeping.move(Placement(tmp_path / "new", was.root, was.names))
        assert case.options.save_path == tmp_path / "new"
        assert (tmp_path / "new" / "album" / "one.bin").exists()
        assert any(isinstance(event, events.Moved) for event in case.heard.take())
        assert (await case.look()).complete


async def test_nothing_is_saved_without_files_or_a_swarm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with keeping(tmp_path, tmp_path / "src") as case:

        async def refuse(*_args: object, **_options: object) -> None:
            raise AssertionError

        monkeypatch.setattr(case.keeping.journal, "save", refuse)
        await case.keeping.save(None)
        await case.look()
        await case.keeping.save(None)


async def test_files_that_are_missing_are_told(tmp_path: Path) -> None:
    async with keeping(tmp_path, tmp_path / "src") as case:
        await case.look()
        (tmp_path / "src" / "album" / "two" / "b.bin").unlink()
        with pytest.raises(StorageError) as missed:
            await case.look()
        assert missed.value.kind is StorageError.Kind.GONE


async def test_complete_files_get_what_only_complete_ones_have_before_the_end(tmp_path: Path) -> None:
    async with keeping(tmp_path, tmp_path / "src") as case:
        await case.keeping.finished()  # nothing was to be made
        await case.look()
        case.keeping.completed()
        await case.keeping.finished()
        assert case.keeping.journal.counters.completed_at is not None
