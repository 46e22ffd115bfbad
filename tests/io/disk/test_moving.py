"""Files move whole: by rename, or by a copy that is on the disk before the source goes."""

import os
from collections.abc import Callable
from contextlib import nullcontext, suppress
from functools import partial
from pathlib import Path
from threading import Event

import pytest

from bittern.base.errors import StorageError
from bittern.io.disk import moving
from bittern.io.disk.moving import MoveStoppedError, carry, draft_of
from tests.io.disk.elsewhere import part_folders
from tests.io.disk.torrents import several, storage_of


class _KilledError(BaseException):
    """What a process that was killed does not get to see."""


def _move(source: Path, target: Path, stop: Event | None = None) -> list[str]:
    told: list[str] = []
    carry(
        str(source),
        str(target),
        lambda: told.append("switched" if target.exists() else "not there"),
        nullcontext(),
        stop or Event(),
        lambda count: told.append(f"{count}"),
    )
    return told


def test_on_one_file_system_a_move_is_a_rename(tmp_path: Path) -> None:
    source, target = tmp_path / "a", tmp_path / "new" / "b"
    source.write_bytes(b"data")
    inode = source.stat().st_ino
    assert _move(source, target) == ["switched"]
    assert (source.exists(), target.read_bytes(), target.stat().st_ino) == (False, b"data", inode)


def test_elsewhere_a_move_copies_bytes_holes_times_and_permissions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part_folders(monkeypatch)
    source, target = tmp_path / "a", tmp_path / "new" / "b"
    with source.open("wb") as file:
        file.truncate(64 << 20)
        file.seek(40 << 20)
        file.write(b"x" * 5000)
    source.chmod(0o640)
    os.utime(source, ns=(5, 123_456_789))
    before = source.read_bytes()
    told = _move(source, target)
    assert told[-1] == "switched"
    assert sum(map(int, told[:-1])) < 25 << 20  # holes are not read
    status = target.stat()
    assert (status.st_mtime_ns, status.st_mode & 0o777, status.st_size) == (123_456_789, 0o640, 64 << 20)
    assert status.st_blocks * 512 < 30 << 20
    assert target.read_bytes() == before
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["b"]


def test_what_is_at_the_target_is_never_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = tmp_path / "a", tmp_path / "b"
    source.write_bytes(b"data")
    target.write_bytes(b"theirs")
    for _ in range(2):
        with pytest.raises(FileExistsError):
            _move(source, target)
        part_folders(monkeypatch)
    assert (source.read_bytes(), target.read_bytes()) == (b"data", b"theirs")


def test_a_stopped_copy_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part_folders(monkeypatch)
    source, stop = tmp_path / "a", Event()
    source.write_bytes(bytes(range(256)) * 12_000)
    with pytest.raises(MoveStoppedError):
        carry(str(source), str(tmp_path / "n" / "a"), lambda: None, nullcontext(), stop, lambda _: stop.set())
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["a"]


def _calls(monkeypatch: pytest.MonkeyPatch, die_at: int) -> list[str]:
    """Count the calls that change the disk, and die before the one with that number, for ever."""
    calls: list[str] = []

    def dying(name: str, real: Callable[..., object], *args: object, **kwargs: object) -> object:
        calls.append(name)
        if len(calls) > die_at:
            raise _KilledError
        return real(*args, **kwargs)

    for name in ("rename", "unlink", "makedirs", "fsync", "utime"):
        monkeypatch.setattr(os, name, partial(dying, name, getattr(os, name)))
    monkeypatch.setattr(moving, "_copy", partial(dying, "copy", moving._copy))
    return calls


@pytest.mark.parametrize("other", [False, True], ids=["same file system", "other file system"])
def test_after_death_at_any_step_the_same_move_ends_well(tmp_path: Path, other: bool) -> None:  # noqa: FBT001 - a case
    """The drill in short: every call that changes the disk is the last one once; then it is done again."""
    for step in range(100):
        folder = tmp_path / str(step)
        info, data = several([1000, 0, 5000, 300], 256)
        storage = storage_of(info, folder / "old")
        storage.parking.find({0, 1, 2})
        storage.create_empty()
        storage.write(0, memoryview(data)[: 24 * 256])
        storage.sync()
        targets = [path.replace("/old/", "/new/") for path in storage.paths]
        parts = storage.parts.path.replace("/old/", "/new/")
        with pytest.MonkeyPatch.context() as patch:
            if other:
                part_folders(patch)
            calls = _calls(patch, step)
            with suppress(_KilledError):
                storage.move(targets, parts, str(folder / "new"), Event(), lambda _: None)
        dead = len(calls) > step
        again = storage_of(info, folder / "old")  # what the next process knows
        with pytest.MonkeyPatch.context() as patch:
            if other:
                part_folders(patch)
            again.move(targets, parts, str(folder / "new"), Event(), lambda _: None)
        assert not [path for path in (folder / "old").rglob("*") if path.is_file()]
        assert sorted(path.name for path in (folder / "new").rglob("*") if path.is_file()) == sorted(
            [Path(parts).name, "f0", "f1", "f2"]
        )
        again.parking.find({0, 1, 2})
        into = bytearray(24 * 256)
        again.read_into(0, memoryview(into))
        assert bytes(into) == data[: 24 * 256]
        storage.close()
        again.close()
        if not dead:
            assert step > 4
            return
    pytest.fail("the move never ended")


def test_reading_goes_on_while_files_move(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info, data = several([1000, 500], 256)
    storage = storage_of(info, tmp_path / "old")
    storage.write(0, memoryview(data))
    old = list(storage.paths)
    storage.move(
        [path.replace("/old/", "/new/") for path in old],
        storage.parts.path,
        str(tmp_path / "new"),
        Event(),
        lambda _: None,
    )
    new = list(storage.paths)
    storage.paths[:] = old  # a reader that looked before the move
    into = bytearray(1500)
    monkeypatch.setattr(storage.where, "lock", _Turn(lambda: storage.paths.__setitem__(slice(None), new)))
    storage.read_into(0, memoryview(into))
    assert bytes(into) == data
    storage.close()


class _Turn:
    """A lock: when it is had, something has happened."""

    def __init__(self, happen: Callable[[], None]) -> None:
        self._happen = happen

    def __enter__(self) -> None:
        self._happen()

    def __exit__(self, *_: object) -> None:
        return


def test_a_move_that_the_system_refuses_names_the_target(tmp_path: Path) -> None:
    info, data = several([1000], 256)
    storage = storage_of(info, tmp_path / "old")
    storage.write(0, memoryview(data))
    (tmp_path / "file").touch()
    target = str(tmp_path / "file" / "x")
    with pytest.raises(StorageError) as caught:
        storage.move([target], storage.parts.path, str(tmp_path), Event(), lambda _: None)
    assert (caught.value.kind, caught.value.path) == (StorageError.Kind.NOT_A_FILE, target)
    into = bytearray(1000)
    storage.read_into(0, memoryview(into))
    assert bytes(into) == data
    assert not Path(draft_of(target)).exists()
    storage.close()
