"""Where files are by name and number; nothing in it leads outside, and no two files share a place."""

from pathlib import Path

import pytest

from bittern.base.errors import SessionError
from bittern.codec.metainfo import Info
from bittern.session.options import AddOptions
from bittern.session.placement import Move, Placement, begin_move, end_move, load_move
from bittern.session.roster import Roster
from bittern.session.store import Record, Store
from tests.session.rig import album, fill, torrent


@pytest.fixture
def info(tmp_path: Path) -> Info:
    return torrent(album(tmp_path / "album")).info


def names(info: Info) -> list[str]:
    return ["/".join(file.path) for file in info.files]


def test_files_are_where_the_torrent_says_unless_they_were_renamed(info: Info, tmp_path: Path) -> None:
    options = AddOptions(save_path=tmp_path)
    placement = Placement.of(info, options)
    assert placement.paths(info) == [str(tmp_path / "album" / name) for name in names(info)]
    number = names(info).index("two/b.bin")
    other = placement.renamed(info, number, "three/new.bin").with_root("tape")
    assert other.paths(info)[number] == str(tmp_path / "tape" / "three" / "new.bin")
    other.apply(info, options)
    assert (options.save_path, options.root, options.place) == (tmp_path, "tape", str(tmp_path))
    assert Placement.of(info, options) == other == Placement.decode(other.encode())
    assert other.renamed(info, number, "two/b.bin").names == {}


def test_content_of_another_name_keeps_its_kind_of_place(info: Info, tmp_path: Path) -> None:
    options = AddOptions(save_path=tmp_path, content=tmp_path / "a" / "mine")
    Placement(tmp_path / "b", "mine").apply(info, options)
    assert (options.content, options.place) == (tmp_path / "b" / "mine", str(tmp_path / "b" / "mine"))


@pytest.mark.parametrize("path", ["", "..", "a/../b", "/etc/passwd", "a//b", "a\0b", ".", "a/", "a\nb", "x\u202eb"])
def test_names_that_lead_elsewhere_are_refused(info: Info, tmp_path: Path, path: str) -> None:
    placement = Placement(tmp_path, "album")
    with pytest.raises(SessionError, match="cannot be the name"):
        placement.renamed(info, 0, path)
    with pytest.raises(SessionError, match="cannot be the name"):
        placement.with_root(path or "a/b")
    with pytest.raises(ValueError, match=r"^"):
        Placement.decode(Placement(tmp_path, path).encode())


@pytest.mark.parametrize("path", ["one.bin", "ONE.bin", "one.bin/inside", "two"])
def test_two_files_have_two_places(info: Info, tmp_path: Path, path: str) -> None:
    with pytest.raises(SessionError, match="another file"):
        Placement(tmp_path, "album").renamed(info, names(info).index("two/b.bin"), path)


def test_a_single_file_is_its_own_root(tmp_path: Path) -> None:
    info = torrent(fill(tmp_path / "a.bin", 10)).info
    assert Placement(tmp_path, "a.bin").renamed(info, 0, "b.bin").paths(info) == [str(tmp_path / "b.bin")]


async def test_a_move_is_found_by_both_places_until_it_ends(info: Info, tmp_path: Path) -> None:
    store = Store(tmp_path / "state")
    await store.open()
    await Roster(store).open()
    key, old, new = info.wire_hash, Placement(Path("/old"), "album"), Placement(Path("/new"), "album", {0: "x"})
    await store.put(Record(key, "/old", info.raw))
    move = Move("/old", new, old, "/new")
    await begin_move(store, key, move)
    assert [await load_move(store, key, place) for place in ("/old", "/new", "/other")] == [move, move, None]
    await end_move(store, key, "/old", "/new", new)
    assert await load_move(store, key, "/old") is None
    assert await load_move(store, key, "/new") == Move("/new", new)
    assert await store.load(key, "/old") is None
    assert await store.load(key, "/new") == Record(key, "/new", info.raw)
    await store.delete(key, "/new")
    assert await load_move(store, key, "/new") is None
    await store.close()


@pytest.mark.parametrize("text", ["", "{}", "[1]", '["/a", "..", []]', '["/a", "b", [[0, "../x"]]]', '["/a", "b", 7]'])
async def test_a_placement_that_can_not_be_read_is_as_none(info: Info, tmp_path: Path, text: str) -> None:
    store = Store(tmp_path / "state")
    await store.open()
    await store.do_durably(
        [("INSERT INTO placements VALUES (?, ?, ?, ?, ?)", (info.wire_hash, "/a", text, None, None))]
    )
    assert await load_move(store, info.wire_hash, "/a") is None
    await store.close()


@pytest.mark.parametrize("names", ['[[1e999, "a"]]', "[" * 100_000, '[[0, ".."]]', "5"])
def test_what_was_never_written_is_no_placement(names: str) -> None:
    with pytest.raises((ValueError, TypeError)):
        Placement.decode(f'["/down", "root", {names}]')
