"""A link on the disk is made over nothing, and only one that says what ours does is removed."""

import os
from pathlib import Path

import pytest

from bittern.io.disk.links import is_link, make_link, remove_link


def says(path: Path) -> str:
    return str(path.readlink())


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


def test_a_link_is_made_once_and_over_nothing(tmp_path: Path) -> None:
    path, trusted = str(tmp_path / "a" / "l"), (str(tmp_path),)
    for _ in range(2):
        make_link(path, "x", trusted)
    with pytest.raises(FileExistsError):
        make_link(path, "y", trusted)
    assert says(tmp_path / "a" / "l") == "x"


def test_outside_of_the_users_folders_no_link_is_made_or_seen(tmp_path: Path) -> None:
    path = tmp_path / "l"
    with pytest.raises(OSError, match="not supported"):
        make_link(str(path), "x", ())
    path.symlink_to("x")
    assert not is_link(str(path), "x", ())
