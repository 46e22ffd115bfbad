"""Names of unfinished files: one of two at every instant, and never one that is somebody else's."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.bitfield import Bitfield
from bittern.base.errors import StorageError
from bittern.io.disk.files import FileStorage
from bittern.io.disk.unfinished import Look, Unfinished, conclude, has_suffix
from tests.io.disk.torrents import several, storage_of

LENGTH = 100
OURS, THEIRS = Look(LENGTH, 1, (1, 1)), Look(50, 2, (1, 2))


@pytest.mark.parametrize(
    ("own", "other", "known", "wanted", "answer"),
    [
        (None, None, None, True, True),
        (None, None, None, False, False),
        (OURS, None, None, True, False),  # what has its name keeps it
        (None, THEIRS, None, False, True),  # what was begun with the suffix goes on with it
        (OURS, Look(LENGTH, 1, (1, 1)), None, True, False),  # two names of one file: a crash came between
        (THEIRS, OURS, (LENGTH, 1), False, True),
        (OURS, THEIRS, (LENGTH, 1), True, False),
        (OURS, THEIRS, None, True, False),  # as long as it is to be
        (THEIRS, OURS, None, True, None),
        (OURS, THEIRS, (LENGTH, 9), True, None),
        (OURS, Look(LENGTH, 1, (1, 3)), (LENGTH, 1), True, None),
    ],
)
def test_which_name_a_file_has(
    own: Look | None,
    other: Look | None,
    known: tuple[int, int] | None,
    wanted: bool,  # noqa: FBT001 - a case
    answer: bool | None,  # noqa: FBT001 - a case
) -> None:
    assert has_suffix(own, other, length=LENGTH, known=known, wanted=wanted) is answer


_LOOKS = st.none() | st.builds(Look, st.integers(0, 3), st.integers(0, 2), st.tuples(st.just(1), st.integers(0, 2)))


@given(_LOOKS, _LOOKS, st.none() | st.tuples(st.integers(0, 3), st.integers(0, 2)), st.booleans())
def test_no_file_is_chosen_beside_one_that_may_be_ours(
    own: Look | None,
    other: Look | None,
    known: tuple[int, int] | None,
    wanted: bool,  # noqa: FBT001 - a case
) -> None:
    answer = has_suffix(own, other, length=3, known=known, wanted=wanted)
    if own is None or other is None or own.identity == other.identity:
        assert answer is not None
    elif answer is not None:
        chosen, refused = (other, own) if answer else (own, other)
        assert chosen[:2] == known != refused[:2] or (known is None and chosen == own and own.size == 3)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.data())
def test_a_file_is_complete_when_all_its_pieces_are_stored(lengths: list[int], data: st.DataObject) -> None:
    info, _ = several(lengths, 16)
    count = info.geometry.piece_count
    order = data.draw(st.permutations(range(count)))
    first = data.draw(st.integers(0, count))
    have = set(order[:first])
    unfinished = Unfinished(info, Bitfield(count, have), range(len(lengths)))

    def complete() -> list[int]:
        spans = [info.geometry.pieces_of(file.offset, file.length) for file in info.files]
        return [number for number, pieces in enumerate(spans) if have >= set(pieces)]

    assert unfinished.complete() == complete()
    for piece in [*order[first:], *order[:2]]:  # some are stored twice
        have.add(piece)
        files = [n for n, file in enumerate(info.files) if piece in info.geometry.pieces_of(file.offset, file.length)]
        unfinished.stored(piece, files)
        assert unfinished.complete() == complete()


# --- on the disk


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
        storage.stored(piece)
        yield piece


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@pytest.mark.usefixtures("_links")
def test_files_get_their_names_one_by_one_as_they_become_complete(tmp_path: Path) -> None:
    info, data = several([40, 10, 14], 16)
    storage = storage_of(info, tmp_path)
    storage.find(suffix=True)
    storage.expect(Bitfield(4))
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
    storage.find(suffix=True)
    storage.expect(Bitfield(3))
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
    storage.expect(Bitfield(3, [0, 1]))
    assert names(tmp_path) == ["f0"]


def test_a_crash_between_the_two_names_is_put_right(tmp_path: Path) -> None:
    info, data = several([32, 10], 16)
    storage = storage_of(info, tmp_path)
    storage.find(suffix=True)
    storage.write(0, memoryview(data))
    conclude(storage.paths[0], storage.trusted)
    assert names(tmp_path) == ["f0", "f0.part", "f1.part"]
    after = storage_of(info, tmp_path)
    after.find()
    assert names(tmp_path) == ["f0", "f1.part"]
    assert after.suffixed == {1}
    after.expect(Bitfield(3, [0, 1, 2]))  # and one that was complete, but not finished
    assert names(tmp_path) == ["f0", "f1"]


def test_two_files_that_may_both_be_ours_are_both_left_alone(tmp_path: Path) -> None:
    info, data = several([32, 10], 16)
    folder = tmp_path / "name" / "d"
    folder.mkdir(parents=True)
    (folder / "f0").write_bytes(b"one")
    (folder / "f0.part").write_bytes(data[:16])
    with pytest.raises(StorageError, match="one of them is not of this torrent") as failed:
        storage_of(info, tmp_path).find(suffix=True)
    assert failed.value.kind is StorageError.Kind.EXISTS
    status = (folder / "f0.part").stat()
    storage = storage_of(info, tmp_path)
    storage.find([(status.st_size, status.st_mtime_ns), None])  # what was noted tells
    assert storage.paths[0].endswith("f0.part")


def test_a_file_whose_name_with_the_suffix_is_another_files_goes_without(tmp_path: Path) -> None:
    info, data = several([32, 10], 16)
    storage = storage_of(info, tmp_path)
    storage.paths[1] = storage.paths[0] + ".PART"
    storage.find(suffix=True)
    storage.expect(Bitfield(3))
    list(write(storage, data, 16))
    assert names(tmp_path) == ["f0", "f0.PART"]


def test_a_link_in_the_way_is_not_followed(tmp_path: Path) -> None:
    info, data = several([32, 10], 16)
    storage = storage_of(info, tmp_path)
    storage.find(suffix=True)
    storage.expect(Bitfield(3))
    storage.write(0, memoryview(data))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "name" / "d").rename(tmp_path / "name" / "e")
    (tmp_path / "name" / "d").symlink_to(tmp_path / "elsewhere")
    storage.stored(0)
    with pytest.raises(StorageError):
        storage.stored(1)
    assert names(tmp_path / "elsewhere") == []


def test_a_file_that_was_taken_away_is_not_made_anew(tmp_path: Path) -> None:
    info, data = several([32, 10], 16)
    storage = storage_of(info, tmp_path)
    storage.find(suffix=True)
    storage.expect(Bitfield(3))
    storage.write(0, memoryview(data)[:32])
    storage.close()
    (tmp_path / "name" / "d" / "f0.part").unlink()
    storage.stored(0)
    with pytest.raises(StorageError) as failed:
        storage.stored(1)
    assert failed.value.kind is StorageError.Kind.MISSING
    assert names(tmp_path) == []


def test_a_file_that_is_parked_gets_its_name_when_it_is_made(tmp_path: Path) -> None:
    info, data = several([24, 4, 20], 16)
    storage = storage_of(info, tmp_path)
    storage.find(suffix=True)
    storage.park({0, 2})
    storage.expect(Bitfield(3))
    list(write(storage, data, 16))
    assert [name for name in names(tmp_path) if not name.endswith(".parts")] == ["f0", "f2"]
    storage.want({0, 1, 2})
    assert names(tmp_path) == ["f0", "f1", "f2"]
    assert (tmp_path / "name" / "d" / "f1").read_bytes() == data[24:28]
