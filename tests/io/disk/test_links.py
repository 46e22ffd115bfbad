"""Links are made over nothing, through no link, and only those that say what ours do are removed."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bittern.codec.links import NOT_LISTED
from bittern.codec.metainfo import File, Info
from bittern.io.disk.files import FileStorage
from bittern.io.disk.links import is_link, make_link, remove_link

from .torrents import several, storage_of


def linked() -> tuple[Info, bytes]:
    """`d/f0`, `d/f1`, and links: `up/a` to the first, `b` to their folder, `c` to nothing."""
    info, data = several([100, 100], 100)
    links = (
        File(("up", "a"), 0, 200, symlink=("d", "f0")),
        File(("b",), 0, 200, symlink=("d",)),
        File(("c",), 0, 200, symlink=("_", "etc")),
    )
    return replace(info, files=(*info.files, *links)), data


def says(path: Path) -> str:
    return str(path.readlink())


def written(folder: Path) -> FileStorage:
    info, data = linked()
    storage = storage_of(info, folder)
    storage.write(0, memoryview(data))
    return storage


def test_links_are_made_relative_and_once(tmp_path: Path) -> None:
    storage = written(tmp_path)
    for _ in range(2):
        assert storage.make_links(range(5)) == {str(tmp_path / "name" / "c"): NOT_LISTED}
        assert says(tmp_path / "name" / "up" / "a") == "../d/f0"
        assert says(tmp_path / "name" / "b") == "d"
        assert not os.path.lexists(tmp_path / "name" / "c")
    assert storage.own_links() == {
        2: (str(tmp_path / "name" / "up" / "a"), "../d/f0"),
        3: (str(tmp_path / "name" / "b"), "d"),
    }


@pytest.mark.parametrize(
    "plant",
    [lambda path: path.write_bytes(b"theirs"), lambda path: path.mkdir(), lambda path: path.symlink_to("/etc")],
    ids=["file", "folder", "link"],
)
def test_what_is_in_the_place_of_a_link_stays(tmp_path: Path, plant: Callable[[Path], object]) -> None:
    storage, place = written(tmp_path), tmp_path / "name" / "b"
    plant(place)
    before = place.lstat()
    assert storage.make_links(range(5))[str(place)] == "something else is in its place"
    assert list(storage.own_links()) == [2]
    assert (place.lstat().st_ino, place.lstat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_no_link_is_made_seen_or_removed_behind_a_link(tmp_path: Path) -> None:
    storage, outside = written(tmp_path / "root"), tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "root" / "name" / "up").symlink_to(outside)
    (problem,) = storage.make_links([0, 1, 2]).values()
    assert problem in {os.strerror(number) for number in (20, 40)}
    assert not list(outside.iterdir())
    (outside / "a").symlink_to("../d/f0")
    assert storage.own_links() == {}
    remove_link(str(tmp_path / "root" / "name" / "up" / "a"), "../d/f0", storage.trusted)
    assert (outside / "a").is_symlink()


def test_nothing_is_made_where_the_user_said_what_the_content_is(tmp_path: Path) -> None:
    info, _ = linked()
    paths = [str(tmp_path.joinpath("mine", *file.path)) for file in info.files]
    storage = FileStorage(info, tmp_path, storage_of(info, tmp_path)._handles, paths)
    assert storage.make_links(range(5)) == {}
    assert storage.own_links() == {}
    assert not list(tmp_path.iterdir())
    with pytest.raises(OSError, match="not supported"):
        make_link(paths[2], "x", ())


def test_a_link_leads_to_the_name_that_a_file_will_have(tmp_path: Path) -> None:
    info, data = linked()
    storage = storage_of(info, tmp_path)
    storage.find(suffix=True)
    storage.write(0, memoryview(data))
    storage.make_links(range(5))
    assert says(tmp_path / "name" / "up" / "a") == "../d/f0"


def test_links_follow_files_that_moved(tmp_path: Path) -> None:
    storage = written(tmp_path)
    storage.make_links(range(5))
    before = storage.own_links()
    (tmp_path / "name" / "d" / "f0").rename(tmp_path / "name" / "new")
    storage.paths[0] = str(tmp_path / "name" / "new")
    storage.paths[3] = str(tmp_path / "name" / "e" / "b")
    assert storage.relink(before) == {}
    assert says(tmp_path / "name" / "up" / "a") == "../new"
    assert says(tmp_path / "name" / "e" / "b") == "../d"
    assert not os.path.lexists(tmp_path / "name" / "b")
    again = storage.own_links()
    storage.paths[3] = str(tmp_path / "name" / "b")
    (tmp_path / "name" / "b").write_bytes(b"theirs")
    assert storage.relink(again) == {str(tmp_path / "name" / "b"): "something else is in its place"}
    assert (tmp_path / "name" / "b").read_bytes() == b"theirs"
    assert not os.path.lexists(tmp_path / "name" / "e" / "b")


def test_links_that_a_kill_left_at_both_places_end_at_the_new_one(tmp_path: Path) -> None:
    storage = written(tmp_path)
    storage.make_links(range(5))
    before = storage.own_links()
    storage.paths[2] = str(tmp_path / "name" / "a")
    (tmp_path / "name" / "a").symlink_to("d/f0")
    assert storage.relink(before) == {}
    assert says(tmp_path / "name" / "a") == "d/f0"
    assert not os.path.lexists(tmp_path / "name" / "up" / "a")


def test_a_link_goes_whose_target_has_gone_elsewhere(tmp_path: Path) -> None:
    storage = written(tmp_path)
    storage.make_links(range(5))
    before = storage.own_links()
    storage.paths[0] = str(tmp_path / "outside")
    storage.relink(before)
    assert list(storage.own_links()) == [3]
    assert not os.path.lexists(tmp_path / "name" / "up" / "a")


def test_only_a_link_that_says_the_same_is_removed(tmp_path: Path) -> None:
    path, trusted = tmp_path / "a" / "l", (str(tmp_path),)
    make_link(str(path), "x", trusted)
    assert is_link(str(path), "x", trusted)
    remove_link(str(path), "y", trusted)
    assert says(path) == "x"
    remove_link(str(path), "x", trusted)
    assert not os.path.lexists(path)
    path.write_bytes(b"x")
    remove_link(str(path), "x", trusted)
    assert path.read_bytes() == b"x"
