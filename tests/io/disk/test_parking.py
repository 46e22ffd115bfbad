"""Bytes of unwanted files live in the part file, and move to the files when these are wanted."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bittern.base.errors import StorageError
from bittern.io.disk.files import FileStorage
from bittern.io.disk.handles import Handles
from bittern.io.disk.hashing import HashJob, hash_pieces
from tests.io.disk.torrents import several, storage_of


def parked(folder: Path, wanted: set[int], lengths: list[int], piece: int = 16) -> tuple[FileStorage, bytes]:
    info, data = several(lengths, piece)
    storage = storage_of(info, folder)
    storage.parking.find(wanted)
    return storage, data


def read(storage: FileStorage, offset: int, length: int) -> bytes:
    into = bytearray(b"\xee" * length)
    storage.read_into(offset, memoryview(into))
    return bytes(into)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def part_name(storage: FileStorage) -> str:
    return Path(storage.parts.path).name


def test_unwanted_files_are_not_made_and_their_shared_bytes_are_kept(tmp_path: Path) -> None:
    storage, data = parked(tmp_path, {1}, [20, 20, 24])
    storage.write(16, memoryview(data)[16:48])  # pieces 1 and 2, shared by all three
    assert names(tmp_path) == sorted([part_name(storage), "f1"])
    assert part_name(storage).startswith(".")
    assert read(storage, 16, 32) == data[16:48]
    assert not storage.read_now(16, memoryview(bytearray(4)))
    storage.sync()
    storage.close()


def test_shared_pieces_hash_from_both_places(tmp_path: Path) -> None:
    storage, data = parked(tmp_path, {1}, [20, 20, 24])
    storage.write(16, memoryview(data)[16:48])
    info, _ = several([20, 20, 24], 16)
    jobs = [HashJob(piece, list(storage.places(piece * 16, 16)), expected=info.piece_hash(piece)) for piece in range(4)]
    assert [result.good for result in hash_pieces(jobs, threads=1)] == [False, True, True, False]
    storage.close()


def test_a_file_that_is_wanted_gets_its_bytes_and_the_part_file_goes_with_the_last(tmp_path: Path) -> None:
    storage, data = parked(tmp_path, {1}, [20, 20, 24])
    storage.write(16, memoryview(data)[16:48])
    storage.want({0, 1})
    assert names(tmp_path) == sorted([part_name(storage), "f0", "f1"])
    assert (tmp_path / "name" / "d" / "f0").read_bytes() == bytes(16) + data[16:20]
    assert read(storage, 16, 32) == data[16:48]
    storage.want({0, 1, 2})
    assert names(tmp_path) == ["f0", "f1", "f2"]
    assert read(storage, 16, 32) == data[16:48]
    storage.sync()
    assert names(tmp_path) == ["f0", "f1", "f2"]
    storage.close()


def test_syncing_makes_no_file_that_has_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage, data = parked(tmp_path, {1}, [20, 20, 24])
    storage.write(16, memoryview(data)[16:48])

    def delete_first(_: int) -> None:
        monkeypatch.undo()
        storage.want({0, 1, 2})  # while another thread syncs

    monkeypatch.setattr(os, "fdatasync", delete_first)
    storage.sync()
    assert names(tmp_path) == ["f0", "f1", "f2"]
    storage.write(20, memoryview(data)[20:40])
    storage.close()
    (tmp_path / "name" / "d" / "f1").unlink()
    with pytest.raises(StorageError):
        storage.sync()
    assert names(tmp_path) == ["f0", "f2"]
    storage.close()


def test_a_wanted_file_of_which_nothing_is_there_is_not_made(tmp_path: Path) -> None:
    storage, _ = parked(tmp_path, {0}, [20, 20, 24])
    storage.want({0, 1, 2})
    assert names(tmp_path) == []


def test_a_file_that_is_there_stays_when_it_is_not_wanted_any_more(tmp_path: Path) -> None:
    storage, data = parked(tmp_path, {0, 1, 2}, [20, 20, 24])
    storage.write(0, memoryview(data)[:20])
    storage.want({1})
    storage.write(16, memoryview(data)[16:48])
    assert names(tmp_path) == sorted([part_name(storage), "f0", "f1"])
    assert read(storage, 0, 48) == data[:48]
    storage.close()


def test_a_piece_under_way_of_a_file_nobody_wants_any_more_makes_it(tmp_path: Path) -> None:
    storage, data = parked(tmp_path, {0, 1}, [20, 60, 24])
    storage.want({0})
    storage.write(16, memoryview(data)[16:32])  # shared: f1's end of it is parked
    storage.write(32, memoryview(data)[32:48])  # of f1 alone
    assert "f1" in names(tmp_path)
    assert read(storage, 16, 32) == data[16:48]
    storage.close()


def test_the_next_run_finds_what_was_parked_even_if_it_wants_all(tmp_path: Path) -> None:
    storage, data = parked(tmp_path, {1}, [20, 20, 24])
    storage.write(16, memoryview(data)[16:48])
    storage.close()
    again, _ = parked(tmp_path, {0, 1, 2}, [20, 20, 24])
    assert read(again, 16, 32) == data[16:48]
    again.want({0, 1, 2})
    assert names(tmp_path) == ["f0", "f1", "f2"]
    assert read(again, 16, 32) == data[16:48]
    again.close()


def test_what_stands_in_the_place_of_a_wanted_file_is_left_alone(tmp_path: Path) -> None:
    storage, data = parked(tmp_path, {1}, [20, 20, 24])
    storage.write(16, memoryview(data)[16:48])
    (tmp_path / "name" / "d" / "f0").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError) as caught:
        storage.want({0, 1})
    assert caught.value.kind is StorageError.Kind.NOT_A_FILE
    assert not (tmp_path / "elsewhere").exists()
    assert read(storage, 16, 32) == data[16:48]
    storage.close()


@settings(max_examples=40, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 50), min_size=2, max_size=6),
    wanted=st.sets(st.integers(0, 5)),
    later=st.sets(st.integers(0, 5)),
    piece=st.sampled_from([4, 16, 32]),
    changes=st.lists(st.integers(0, 100), max_size=8),
)
def test_whatever_is_wanted_when_no_byte_is_ever_lost(
    tmp_path_factory: pytest.TempPathFactory,
    lengths: list[int],
    wanted: set[int],
    later: set[int],
    piece: int,
    changes: list[int],
) -> None:
    """Pieces that are wanted are written, whole, while files become wanted and unwanted; all read back."""
    if not sum(lengths):
        return
    folder = tmp_path_factory.mktemp("law")
    info, data = several(lengths, piece)
    storage = FileStorage(info, folder, Handles(4))
    storage.parking.find(wanted)
    written: set[int] = set()
    for at, change in enumerate(changes):
        now = later if at % 3 == 2 else wanted
        if at % 3:
            storage.want(now)
        pieces = [p for n in now if n < len(lengths) for p in info.geometry.pieces_of(info.files[n].offset, lengths[n])]
        if pieces:
            chosen = pieces[change % len(pieces)]
            begin, length = info.geometry.offset(chosen), info.geometry.piece_length(chosen)
            storage.write(begin, memoryview(data)[begin : begin + length])
            written.add(chosen)
        for chosen in written:
            begin, length = info.geometry.offset(chosen), info.geometry.piece_length(chosen)
            assert read(storage, begin, length) == data[begin : begin + length]
    storage.close()
