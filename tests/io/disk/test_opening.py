"""No link below a trusted folder is followed, and nothing but a regular file is opened."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bittern.io.disk.opening import open_safely, reader

WRITE = os.O_RDWR | os.O_CREAT


def test_folders_are_made_for_writing_only(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file"
    with pytest.raises(FileNotFoundError):
        open_safely(str(path), os.O_RDONLY, (str(tmp_path),))
    assert not (tmp_path / "a").exists()
    for folder in ((str(tmp_path / "new"),), ()):
        inner = tmp_path / "new" / "a" / "file" if folder else path
        os.close(open_safely(str(inner), WRITE, folder))
        assert inner.is_file()


@pytest.mark.parametrize("flags", [os.O_RDONLY, WRITE])
@pytest.mark.parametrize("planted", ["a", "a/b", "a/b/file"])
def test_a_link_anywhere_below_is_not_followed(tmp_path: Path, planted: str, flags: int) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    for base in (root, outside):
        (base / "a" / "b").mkdir(parents=True)
    (outside / "a" / "b" / "file").write_bytes(b"theirs")
    link = root / planted
    if link.is_dir():
        link.rename(tmp_path / "away")
    link.symlink_to(outside / planted)
    with pytest.raises(OSError, match=r"."):
        open_safely(str(root / "a" / "b" / "file"), flags, (str(root),))
    assert (outside / "a" / "b" / "file").read_bytes() == b"theirs"


def test_the_trusted_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    os.close(open_safely(str(tmp_path / "link" / "file"), WRITE, (str(tmp_path / "link"),)))
    assert (tmp_path / "real" / "file").is_file()


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_regular_file_is_refused_and_never_waited_for(tmp_path: Path, make: Callable[[str], None]) -> None:
    make(str(tmp_path / "thing"))
    for trusted in ((), (str(tmp_path),)):
        with pytest.raises(IsADirectoryError):
            open_safely(str(tmp_path / "thing"), os.O_RDONLY, trusted)


def test_descriptors_are_not_inherited_and_folders_not_kept_open(tmp_path: Path) -> None:
    before = len(list(Path("/dev/fd").iterdir()))
    descriptor = open_safely(str(tmp_path / "a" / "file"), WRITE, (str(tmp_path),))
    assert not os.get_inheritable(descriptor)
    os.close(descriptor)
    assert len(list(Path("/dev/fd").iterdir())) == before


def test_hashing_reads_the_same_way(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"data")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with reader((str(tmp_path),))(str(tmp_path / "file")) as file:
        assert file.read() == b"data"
    with pytest.raises(OSError, match=r"."):
        reader((str(tmp_path),))(str(tmp_path / "link"))
