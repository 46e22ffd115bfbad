"""Files that carry `.part` on the disk: one name of two at every instant, and never one that is somebody else's."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bittern.base.bitfield import Bitfield
from bittern.base.errors import StorageError
from bittern.io.disk.files import FileStorage
from bittern.io.disk.unfinished import conclude
from tests.io.disk.torrents import several, storage_of


@pytest.fixture(params=["hard links", "no hard links"])
def _links(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "no hard links":

        def link(*_args: object, **_options: object) -> None:
            raise PermissionError(errno.EPERM, "no hard links here")

        monkeypatch.setattr(os, "link", link)


def write(storage: FileStorage, data: bytes, piece_size: int) -> Iterator[int]:
    """Write piece by piece, as the pool does."""
    for piece, at in enumerate(range(0, len(data), piece_size)):
        storage.write(at, memoryview(data)[at : at + piece_size])
        storage.suffixes.stored(piece)
        yield piece


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@pytest.mark.usefixtures("_links")
def test_files_get_their_names_one_by_one_as_they_become_complete(tmp_path: Path) -> None:
    info, data = several([40, 10, 14], 16)
    storage = storage_of(info, tmp_path)
    storage.suffixes.find(suffix=True)
    storage.suffixes.expect(Bitfield(4))
    seen = [names(tmp_path) for _ in write(storage, data, 16)]
    assert seen == [["f0.part"], ["f0.part"], ["f0", "f1.part"], ["f0", "f1", "f2"]]
    assert storage.suffixed == set()
    into = bytearray(len(data))
    storage.read_into(0, memoryview(into))
    assert into == data
    storage.sync()
    storage.close()


@pytest.mark.usefixtures("_links")
def test_a_foreign_file_with_the_name_is_not_overwritten(tmp_path: Path) -> None:
    info, data = several([32, 10], 16)
    storage = storage_of(info, tmp_path)
    storage.suffixes.find(suffix=True)
    storage.suffixes.expect(Bitfield(3))
    writing = write(storage, data, 16)
    next(writing)
    mine = tmp_path / "name" / "d" / "f0"
    mine.write_bytes(b"mine")
    with pytest.raises(StorageError) as failed:
        list(writing)
    assert failed.value.path == str(mine)
    assert mine.read_bytes() == b"mine"
    assert (tmp_path / "name" / "d" / "f0.part").read_bytes() == data[:32]
    mine.unlink()
    storage.suffixes.expect(Bitfield(3, [0, 1]))
    assert names(tmp_path) == ["f0"]


def test_a_crash_between_the_two_names_is_put_right(tmp_path: Path) -> None:
    info, data = several([32, 10], 16)
    storage = storage_of(info, tmp_path)
    storage.suffixes.find(suffix=True)
    storage.write(0, memoryview(data))
    conclude(storage.paths[0], storage.where.trusted)
    assert names(tmp_path) == ["f0", "f0.part", "f1.part"]
    after = storage_of(info, tmp_path)
    after.suffixes.find()
    assert names(tmp_path) == ["f0", "f1.part"]
    assert after.suffixed == {1}
    after.suffixes.expect(Bitfield(3, [0, 1, 2]))  # and one that was complete, but not finished
    assert names(tmp_path) == ["f0", "f1"]


def test_two_files_that_may_both_be_ours_are_both_left_alone(tmp_path: Path) -> None:
    info, data = several([32, 10], 16)
    folder = tmp_path / "name" / "d"
    folder.mkdir(parents=True)
    (folder / "f0").write_bytes(b"one")
    (folder / "f0.part").write_bytes(data[:16])
    with pytest.raises(StorageError, match="one of them is not of this torrent") as failed:
        storage_of(info, tmp_path).suffixes.find(suffix=True)
    assert failed.value.kind is StorageError.Kind.EXISTS
    status = (folder / "f0.part").stat()
    storage = storage_of(info, tmp_path)
    storage.suffixes.find([(status.st_size, status.st_mtime_ns), None])  # what was noted tells
    assert storage.paths[0].endswith("f0.part")


def test_a_file_whose_name_with_the_suffix_is_another_files_goes_without(tmp_path: Path) -> None:
    info, data = several([32, 10], 16)
    storage = storage_of(info, tmp_path)
    storage.paths[1] = storage.paths[0] + ".PART"
    storage.suffixes.find(suffix=True)
    storage.suffixes.expect(Bitfield(3))
    list(write(storage, data, 16))
    assert names(tmp_path) == ["f0", "f0.PART"]


def test_a_link_in_the_way_is_not_followed(tmp_path: Path) -> None:
    info, data = several([32, 10], 16)
    storage = storage_of(info, tmp_path)
    storage.suffixes.find(suffix=True)
    storage.suffixes.expect(Bitfield(3))
    storage.write(0, memoryview(data))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "name" / "d").rename(tmp_path / "name" / "e")
    (tmp_path / "name" / "d").symlink_to(tmp_path / "elsewhere")
    storage.suffixes.stored(0)
    with pytest.raises(StorageError):
        storage.suffixes.stored(1)
    assert names(tmp_path / "elsewhere") == []


def test_a_file_that_was_taken_away_is_not_made_anew(tmp_path: Path) -> None:
    info, data = several([32, 10], 16)
    storage = storage_of(info, tmp_path)
    storage.suffixes.find(suffix=True)
    storage.suffixes.expect(Bitfield(3))
    storage.write(0, memoryview(data)[:32])
    storage.close()
    (tmp_path / "name" / "d" / "f0.part").unlink()
    storage.suffixes.stored(0)
    with pytest.raises(StorageError) as failed:
        storage.suffixes.stored(1)
    assert failed.value.kind is StorageError.Kind.MISSING
    assert names(tmp_path) == []


def test_a_file_that_is_parked_gets_its_name_when_it_is_made(tmp_path: Path) -> None:
    info, data = several([24, 4, 20], 16)
    storage = storage_of(info, tmp_path)
    storage.suffixes.find(suffix=True)
    storage.parking.find({0, 2})
    storage.suffixes.expect(Bitfield(3))
    list(write(storage, data, 16))
    assert [name for name in names(tmp_path) if not name.endswith(".parts")] == ["f0", "f2"]
    storage.want({0, 1, 2})
    assert names(tmp_path) == ["f0", "f1", "f2"]
    assert (tmp_path / "name" / "d" / "f1").read_bytes() == data[24:28]
