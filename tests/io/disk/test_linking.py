"""Links are made over nothing and through no link, and follow the files that they lead to."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bittern.codec.links import NOT_LISTED
from bittern.codec.metainfo import File, Info
from bittern.io.disk.files import FileStorage
from bittern.io.disk.links import make_link, remove_link

from .torrents import several, storage_of


def says(path: Path) -> str:
    return str(path.readlink())


def linked() -> tuple[Info, bytes]:
    """`d/f0`, `d/f1`, and links: `up/a` to the first, `b` to their folder, `c` to nothing."""
    info, data = several([100, 100], 100)
    links = (
        File(("up", "a"), 0, 200, symlink=("d", "f0")),
        File(("b",), 0, 200, symlink=("d",)),
        File(("c",), 0, 200, symlink=("_", "etc")),
    )
    return replace(info, files=(*info.files, *links)), data


def written(folder: Path) -> FileStorage:
    info, data = linked()
    storage = storage_of(info, folder)
    storage.write(0, memoryview(data))
    return storage


def test_links_are_made_relative_and_once(tmp_path: Path) -> None:
    storage = written(tmp_path)
    for _ in range(2):
        assert storage.links.make(range(5)) == {str(tmp_path / "name" / "c"): NOT_LISTED}
        assert says(tmp_path / "name" / "up" / "a") == "../d/f0"
        assert says(tmp_path / "name" / "b") == "d"
        assert not os.path.lexists(tmp_path / "name" / "c")
    assert storage.links.own() == {
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
    assert storage.links.make(range(5))[str(place)] == "something else is in its place"
    assert list(storage.links.own()) == [2]
    assert (place.lstat().st_ino, place.lstat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_no_link_is_made_seen_or_removed_behind_a_link(tmp_path: Path) -> None:
    storage, outside = written(tmp_path / "root"), tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "root" / "name" / "up").symlink_to(outside)
    (problem,) = storage.links.make([0, 1, 2]).values()
    assert problem in {os.strerror(number) for number in (20, 40)}
    assert not list(outside.iterdir())
    (outside / "a").symlink_to("../d/f0")
    assert storage.links.own() == {}
    remove_link(str(tmp_path / "root" / "name" / "up" / "a"), "../d/f0", storage.where.trusted)
    assert (outside / "a").is_symlink()


def test_nothing_is_made_where_the_user_said_what_the_content_is(tmp_path: Path) -> None:
    info, _ = linked()
    paths = [str(tmp_path.joinpath("mine", *file.path)) for file in info.files]
    storage = FileStorage(info, tmp_path, storage_of(info, tmp_path)._handles, paths)
    assert storage.links.make(range(5)) == {}
    assert storage.links.own() == {}
    assert not list(tmp_path.iterdir())
    with pytest.raises(OSError, match="not supported"):
        make_link(paths[2], "x", ())


def test_a_link_leads_to_the_name_that_a_file_will_have(tmp_path: Path) -> None:
    info, data = linked()
    storage = storage_of(info, tmp_path)
    storage.suffixes.find(suffix=True)
    storage.write(0, memoryview(data))
    storage.links.make(range(5))
    assert says(tmp_path / "name" / "up" / "a") == "../d/f0"


def test_links_follow_files_that_moved(tmp_path: Path) -> None:
    storage = written(tmp_path)
    storage.links.make(range(5))
    before = storage.links.own()
    (tmp_path / "name" / "d" / "f0").rename(tmp_path / "name" / "new")
    storage.paths[0] = str(tmp_path / "name" / "new")
    storage.paths[3] = str(tmp_path / "name" / "e" / "b")
    assert storage.links.follow(before) == {}
    assert says(tmp_path / "name" / "up" / "a") == "../new"
    assert says(tmp_path / "name" / "e" / "b") == "../d"
    assert not os.path.lexists(tmp_path / "name" / "b")
    again = storage.links.own()
    storage.paths[3] = str(tmp_path / "name" / "b")
    (tmp_path / "name" / "b").write_bytes(b"theirs")
    assert storage.links.follow(again) == {str(tmp_path / "name" / "b"): "something else is in its place"}
    assert (tmp_path / "name" / "b").read_bytes() == b"theirs"
    assert not os.path.lexists(tmp_path / "name" / "e" / "b")


def test_links_that_a_kill_left_at_both_places_end_at_the_new_one(tmp_path: Path) -> None:
    storage = written(tmp_path)
    storage.links.make(range(5))
    before = storage.links.own()
    storage.paths[2] = str(tmp_path / "name" / "a")
    (tmp_path / "name" / "a").symlink_to("d/f0")
    assert storage.links.follow(before) == {}
    assert says(tmp_path / "name" / "a") == "d/f0"
    assert not os.path.lexists(tmp_path / "name" / "up" / "a")


def test_a_link_goes_whose_target_has_gone_elsewhere(tmp_path: Path) -> None:
    storage = written(tmp_path)
    storage.links.make(range(5))
    before = storage.links.own()
    storage.paths[0] = str(tmp_path / "outside")
    storage.links.follow(before)
    assert list(storage.links.own()) == [3]
    assert not os.path.lexists(tmp_path / "name" / "up" / "a")
