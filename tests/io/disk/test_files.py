"""A torrent's byte space over files: what is written is read back, and every refusal of the system has a name."""

import errno
import os
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bittern.base.errors import LocalProtocolError, StorageError
from bittern.io import capabilities
from bittern.io.disk import files as module
from bittern.io.disk import handles
from bittern.io.disk.failures import storage_error
from bittern.io.disk.files import FileStorage
from bittern.io.disk.handles import Handle
from tests.io.disk.torrents import several, storage_of

Kind = StorageError.Kind


@pytest.fixture(params=["preadv", "seek and read"], autouse=True)
def _system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param != "preadv":
        monkeypatch.setattr(capabilities, "PREADV", False)
        monkeypatch.setattr(capabilities, "READ_NOWAIT", 0)


def read(storage: FileStorage, offset: int, length: int) -> bytes:
    into = bytearray(b"\xee" * length)
    storage.read_into(offset, memoryview(into))
    return bytes(into)


def test_what_is_written_anywhere_is_read_back_from_anywhere(tmp_path: Path) -> None:
    info, data = several([10, 0, 5, 100, 7, 1], 16, pads=(2,))
    storage = storage_of(info, tmp_path, limit=1)
    for begin in (60, 0, 90, 30, 120):
        storage.write(begin, memoryview(data)[begin : begin + 30])
    for begin in range(0, len(data), 7):
        for length in (1, 9, 50):
            part = data[begin : begin + length]
            assert read(storage, begin, len(part)) == part
    root = tmp_path / "name" / "d"
    assert {path.name: path.read_bytes() for path in root.iterdir()} == {
        "f0": data[:10], "f3": data[15:115], "f4": data[115:122], "f5": data[122:],
    }  # fmt: skip
    assert not (tmp_path / "name" / ".pad").exists()
    storage.close()


def test_pads_are_zeros_whatever_is_written_there(tmp_path: Path) -> None:
    info, _ = several([10, 6, 16], 16, pads=(1,))
    storage = storage_of(info, tmp_path)
    storage.write(0, memoryview(b"\xff" * 32))
    assert read(storage, 8, 10) == b"\xff\xff" + bytes(6) + b"\xff\xff"
    storage.close()


def test_files_without_bytes_are_made_once_asked_for(tmp_path: Path) -> None:
    info, _ = several([0, 10, 0], 16)
    storage = storage_of(info, tmp_path)
    storage.create_empty()
    assert sorted(path.name for path in (tmp_path / "name" / "d").iterdir()) == ["f0", "f2"]
    storage.close()


def test_bytes_outside_the_torrent_are_our_mistake(tmp_path: Path) -> None:
    info, _ = several([10], 16)
    with pytest.raises(LocalProtocolError):
        storage_of(info, tmp_path).write(5, memoryview(bytes(6)))
    assert list(tmp_path.iterdir()) == []


def test_reading_without_waiting_finds_what_is_in_memory_or_says_no(tmp_path: Path) -> None:
    info, data = several([10, 6, 5000], 16, pads=(1,))
    storage = storage_of(info, tmp_path)
    into = bytearray(len(data))
    assert not storage.read_now(0, memoryview(into))  # nothing is there
    storage.write(0, memoryview(data))
    if storage.read_now(0, memoryview(into)):
        assert into == data
    else:
        assert not capabilities.READ_NOWAIT or not storage._nowait
    (tmp_path / "name" / "d" / "f2").write_bytes(data[16:20])
    assert not storage.read_now(0, memoryview(into))  # shorter than it should be
    storage.close()


def test_where_the_system_cannot_read_without_waiting_it_is_asked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on file systems that do not know the flag: inline where they lie in memory, else never."""
    info, data = several([100], 16)
    calls = list[int]()
    real = handles.pread

    def pread(handle: Handle, into: memoryview, offset: int, flags: int) -> int:
        calls.append(flags)
        if flags:
            raise OSError(errno.EOPNOTSUPP, "not supported")
        return real(handle, into, offset, flags)

    monkeypatch.setattr(handles, "pread", pread)
    monkeypatch.setattr(capabilities, "READ_NOWAIT", 8)
    for in_memory in (True, False):
        monkeypatch.setattr(capabilities, "in_memory", lambda _, answer=in_memory: answer)
        calls.clear()
        storage = storage_of(info, tmp_path)
        storage.write(0, memoryview(data))
        into = bytearray(100)
        assert [storage.read_now(0, memoryview(into)) for _ in range(2)] == [in_memory, in_memory]
        assert calls == ([8, 0, 0] if in_memory else [8])
        storage.close()


def test_a_read_in_small_steps_is_put_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system may read and write less than it was asked to."""
    info, data = several([1000], 16)
    real_read, real_write = handles.pread, handles.pwrite
    monkeypatch.setattr(handles, "pread", lambda handle, into, at, flags: real_read(handle, into[:7], at, flags))
    monkeypatch.setattr(handles, "pwrite", lambda handle, data, at: real_write(handle, data[:11], at))
    storage = storage_of(info, tmp_path)
    storage.write(0, memoryview(data))
    assert read(storage, 3, 990) == data[3:993]
    storage.close()


# --- refusals


def refusal(act: Callable[[], object]) -> StorageError:
    with pytest.raises(StorageError) as caught:
        act()
    return caught.value


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_a_write_that_the_system_refuses_is_told_with_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    info, data = several([10, 20], 16)

    def refuse(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    storage = storage_of(info, tmp_path)
    storage.write(0, memoryview(data)[:10])
    monkeypatch.setattr(handles, "pwrite", refuse)
    error = refusal(lambda: storage.write(5, memoryview(data)[5:30]))
    assert error.path == str(tmp_path / "name" / "d" / "f0")
    assert error.kind is storage_error(OSError(code, ""), "").kind
    storage.close()


@contextmanager
def small_files() -> Iterator[None]:
    """The system lets nobody write beyond 1,000 bytes of a file: not pytest its report, either."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


def test_a_file_that_is_too_large_for_the_system_is_told(tmp_path: Path) -> None:
    info, data = several([5000], 16)
    storage = storage_of(info, tmp_path)
    with small_files():
        error = refusal(lambda: storage.write(0, memoryview(data)))
    assert error.kind is Kind.TOO_LARGE
    storage.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_folder_of_somebody_else_is_told(tmp_path: Path) -> None:
    info, data = several([10], 16)
    storage = storage_of(info, tmp_path)
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents[:3]:
        if parent.owner() == "root" and parent != Path("/tmp"):
            parent.chmod(parent.stat().st_mode | 0o011)
    os.seteuid(65534)
    try:
        assert refusal(lambda: storage.write(0, memoryview(data))).kind is Kind.PERMISSION
    finally:
        os.seteuid(0)


def test_what_stands_in_the_way_is_told(tmp_path: Path) -> None:
    info, data = several([10], 16)
    storage = storage_of(info, tmp_path)
    place = tmp_path / "name" / "d" / "f0"
    assert refusal(lambda: read(storage, 0, 10)).kind is Kind.MISSING
    place.mkdir(parents=True)
    assert refusal(lambda: storage.write(0, memoryview(data))).kind is Kind.NOT_A_FILE
    assert refusal(lambda: read(storage, 0, 10)).kind is Kind.NOT_A_FILE
    storage.close()
    place.rmdir()
    (tmp_path / "elsewhere").write_bytes(b"untouched")
    place.symlink_to(tmp_path / "elsewhere")
    assert refusal(lambda: storage.write(0, memoryview(data))).kind is Kind.NOT_A_FILE
    assert (tmp_path / "elsewhere").read_bytes() == b"untouched"
    place.unlink()
    place.parent.rmdir()
    place.parent.write_bytes(b"")
    assert refusal(lambda: storage.write(0, memoryview(data))).kind is Kind.NOT_A_FILE


def test_a_file_that_is_too_short_is_told(tmp_path: Path) -> None:
    info, data = several([10], 16)
    storage = storage_of(info, tmp_path)
    storage.write(0, memoryview(data)[:4])
    error = refusal(lambda: read(storage, 2, 5))
    assert error.kind is Kind.IO
    assert "shorter" in str(error)
    storage.close()


def test_syncing_touches_what_was_written_and_says_what_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info, data = several([10, 10], 16)
    storage = storage_of(info, tmp_path)
    synced = list[int]()
    monkeypatch.setattr(os, "fdatasync", synced.append)
    storage.write(0, memoryview(data)[:10])
    storage.sync()
    storage.sync()
    assert len(synced) == 1

    def broken(_: int) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(os, "fdatasync", broken)
    storage.write(10, memoryview(data)[10:])
    assert refusal(storage.sync).path.endswith("f1")
    storage.close()


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 60), st.booleans()), min_size=1, max_size=8), st.data())
def test_any_layout_reads_back_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, layout: list[tuple[int, bool]], data: st.DataObject
) -> None:
    lengths = [max(size, 1) if pad else size for size, pad in layout]
    pads = tuple(at for at, (_, pad) in enumerate(layout) if pad)
    if not any(size and at not in pads for at, size in enumerate(lengths)):
        lengths.append(5)
    info, content = several(lengths, 16, pads)
    storage = storage_of(info, tmp_path_factory.mktemp("any"), limit=2)
    cuts = sorted({0, len(content), *data.draw(st.lists(st.integers(0, len(content)), max_size=6))})
    for begin, end in reversed(list(pairwise(cuts))):
        storage.write(begin, memoryview(content)[begin:end])
    assert read(storage, 0, len(content)) == content
    storage.close()


def test_room_is_set_aside_for_what_is_wanted(tmp_path: Path) -> None:
    info, data = several([5_000_000, 10, 0, 3_000_000], 1 << 20)
    storage = storage_of(info, tmp_path)
    storage.write(0, memoryview(data)[: 1 << 20])
    storage.allocate({0, 1, 2})
    root = tmp_path / "name" / "d"
    assert {path.name: path.stat().st_size for path in root.iterdir()} == {"f0": 5_000_000, "f1": 10}
    assert (root / "f0").stat().st_blocks * 512 >= 5_000_000
    assert read(storage, 0, 1 << 20) == data[: 1 << 20]
    storage.close()


def test_room_that_is_not_there_is_told_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info, _ = several([5_000_000], 1 << 20)
    storage = storage_of(info, tmp_path / "new" / "folder")
    monkeypatch.setattr(module, "free_bytes", lambda _: 4_999_999)
    with pytest.raises(StorageError, match="5000000 bytes are needed, 4999999 are free") as caught:
        storage.allocate({0})
    assert caught.value.kind is Kind.DISK_FULL
    assert not (tmp_path / "new").exists()


def test_an_absurd_size_is_refused_at_once_when_room_is_to_be_set_aside(tmp_path: Path) -> None:
    info, _ = several([100], 1 << 20)
    huge = replace(info, files=(replace(info.files[0], length=1 << 62),))
    with pytest.raises(StorageError) as caught:
        FileStorage(huge, tmp_path, handles.Handles()).allocate({0})
    assert caught.value.kind is Kind.DISK_FULL
    assert not list(tmp_path.iterdir())


def test_only_files_that_the_torrent_marks_become_executable(tmp_path: Path) -> None:
    info, data = several([100, 100], 100)
    marked = replace(info, files=(replace(info.files[0], executable=True), info.files[1]))
    storage = FileStorage(marked, tmp_path, handles.Handles())
    storage.write(0, memoryview(data))
    one, other = (Path(path) for path in storage.paths)
    one.chmod(0o640)
    other.chmod(0o640)
    storage.mark_executable({0, 1})
    assert [path.stat().st_mode & 0o777 for path in (one, other)] == [0o750, 0o640]
    storage.close()
