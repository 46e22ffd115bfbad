import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from bittern.io.disk.handles import LOOK_SECONDS, Handle, Handles

needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts descriptors in /proc")


def is_open(handle: Handle) -> bool:
    try:
        os.fstat(handle.fd)
    except OSError:
        return False
    return True


def open_files() -> int:
    """How many descriptors this process has; 0 where the system does not say."""
    listing = Path("/proc/self/fd")
    return len(list(listing.iterdir())) if listing.exists() else 0


def test_a_file_is_opened_once_and_shared(tmp_path: Path) -> None:
    handles = Handles()
    path = str(tmp_path / "a" / "b" / "c")
    one = handles.acquire(path, write=True)
    assert handles.acquire(path, write=False) is one
    assert handles.acquire(path, write=True) is one
    assert one.users == 3
    for _ in range(3):
        handles.release(one)
    assert is_open(one)
    handles.close()
    assert not is_open(one)


def test_a_missing_file_is_made_for_writing_only(tmp_path: Path) -> None:
    handles = Handles()
    with pytest.raises(FileNotFoundError):
        handles.acquire(str(tmp_path / "x"), write=False)
    assert list(tmp_path.iterdir()) == []
    handles.release(handles.acquire(str(tmp_path / "new" / "x"), write=True))
    assert (tmp_path / "new" / "x").is_file()
    handles.close()


def test_reading_gives_way_to_writing_without_hurting_who_reads(tmp_path: Path) -> None:
    handles, path = Handles(), tmp_path / "x"
    path.write_bytes(b"old")
    reader = handles.acquire(str(path), write=False)
    writer = handles.acquire(str(path), write=True)
    assert (reader is writer, reader.writable, writer.writable) == (False, False, True)
    assert os.read(reader.fd, 3) == b"old"
    handles.release(reader)
    assert not is_open(reader)
    handles.release(writer)
    assert handles.acquire(str(path), write=False) is writer
    handles.release(writer)
    handles.close()


def test_the_least_used_is_closed_first_and_never_one_in_use(tmp_path: Path) -> None:
    handles = Handles(limit=2)
    held = handles.acquire(str(tmp_path / "held"), write=True)
    first = handles.acquire(str(tmp_path / "first"), write=True)
    handles.release(first)
    second = handles.acquire(str(tmp_path / "second"), write=True)
    handles.release(second)
    assert [is_open(one) for one in (held, first, second)] == [True, False, True]
    busy = [handles.acquire(str(tmp_path / str(at)), write=True) for at in range(4)]
    assert all(is_open(one) for one in (held, *busy))
    for one in (held, *busy):
        handles.release(one)
    handles.release(handles.acquire(str(tmp_path / "again"), write=True))
    assert sum(is_open(one) for one in (held, second, *busy)) <= 2
    handles.close()


@contextmanager
def few_files(free: int) -> Iterator[None]:
    """This process may open so many files more."""
    resource = pytest.importorskip("resource", reason="needs limits of processes")
    before, fillers = resource.getrlimit(resource.RLIMIT_NOFILE), [os.open(os.devnull, os.O_RDONLY)]
    highest = max(int(path.name) for path in Path("/proc/self/fd").iterdir())
    while fillers[-1] < highest:
        fillers.append(os.open(os.devnull, os.O_RDONLY))
    resource.setrlimit(resource.RLIMIT_NOFILE, (fillers[-1] + 1 + free, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        for fd in fillers:
            os.close(fd)


@needs_proc
@pytest.mark.parametrize("folders", [1, 3])
def test_where_no_more_files_may_be_open_those_that_nobody_uses_give_way(tmp_path: Path, folders: int) -> None:
    handles, trusted = Handles(), (str(tmp_path),)
    held = handles.acquire(str(tmp_path / "held"), write=True, trusted=trusted)
    with few_files(8):
        for at in range(40):
            path = tmp_path / str(at % folders) / str(at)
            handles.release(handles.acquire(str(path), write=True, trusted=trusted))
            assert path.exists()
        assert is_open(held)
    handles.release(held)
    handles.close()


@needs_proc
@pytest.mark.parametrize("free", [0, 1])
def test_where_nothing_can_give_way_that_is_an_error(tmp_path: Path, free: int) -> None:
    """One free descriptor is too few for a folder and a file in it."""
    handles, trusted = Handles(), (str(tmp_path),)
    busy = [handles.acquire(str(tmp_path / str(at)), write=True, trusted=trusted) for at in range(3)]
    handles.close(str(tmp_path / "x"))  # the folders
    with few_files(free), pytest.raises(OSError) as caught:
        handles.acquire(str(tmp_path / "new"), write=True, trusted=trusted)
    assert caught.value.errno == errno.EMFILE
    for handle in busy:
        handles.release(handle)
    handles.close()


def test_closing_a_folder_spares_who_is_at_work_until_it_is_done(tmp_path: Path) -> None:
    handles = Handles()
    busy = handles.acquire(str(tmp_path / "a" / "x"), write=True)
    other = handles.acquire(str(tmp_path / "b" / "x"), write=True)
    handles.release(other)
    handles.close(str(tmp_path / "a"))
    assert (is_open(busy), is_open(other)) == (True, True)
    fresh = handles.acquire(str(tmp_path / "a" / "x"), write=True)
    assert fresh is not busy
    handles.release(busy)
    assert (is_open(busy), is_open(fresh)) == (False, True)
    handles.release(fresh)
    handles.close()


def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    for write in (False, True):
        with pytest.raises(OSError):
            Handles().acquire(str(tmp_path / "link"), write=write)


def test_many_threads_on_few_handles_read_and_write_the_right_files(tmp_path: Path) -> None:
    handles, failures = Handles(limit=3), list[str]()
    before = open_files()
    for at in range(12):
        (tmp_path / str(at)).write_bytes(b"%08d" % at)

    def work(seed: int) -> None:
        rng = Random(seed)
        for _ in range(400):
            at = rng.randrange(12)
            write = rng.random() < 0.3
            handle = handles.acquire(str(tmp_path / str(at)), write=write)
            try:
                if os.pread(handle.fd, 8, 0) != b"%08d" % at:
                    failures.append("another file was read")
                if write:
                    os.pwrite(handle.fd, b"%08d" % at, 0)
            except OSError as error:
                failures.append(str(error))
            finally:
                handles.release(handle)
            if rng.random() < 0.02:
                handles.close(str(tmp_path / "1"))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(handles._open) <= 3 + 6
    handles.close()
    assert open_files() == before, "a descriptor leaked"


def open_new(handles: Handles, path: Path, root: Path) -> None:
    handles.release(handles.acquire(str(path), write=True, trusted=[str(root)]))


def test_a_folder_is_known_again_until_another_is_in_its_place(tmp_path: Path) -> None:
    handles, folder = Handles(), tmp_path / "a" / "b"
    open_new(handles, folder / "one", tmp_path)
    open_new(handles, folder / "two", tmp_path)
    folder.rename(tmp_path / "moved")
    open_new(handles, folder / "three", tmp_path)
    assert sorted(path.name for path in folder.iterdir()) == ["three"]
    assert sorted(path.name for path in (tmp_path / "moved").iterdir()) == ["one", "two"]
    handles.close()


def test_a_link_that_takes_the_place_of_a_known_folder_is_not_followed(tmp_path: Path) -> None:
    handles, folder, outside = Handles(), tmp_path / "in" / "a", tmp_path / "outside"
    outside.mkdir()
    open_new(handles, folder / "one", tmp_path / "in")
    folder.rename(tmp_path / "in" / "away")
    folder.symlink_to(outside)
    with pytest.raises(OSError, match=r"symbolic links|directory"):
        open_new(handles, folder / "two", tmp_path / "in")
    assert list(outside.iterdir()) == []
    handles.close()


def test_open_folders_are_few_and_closed_in_the_end(tmp_path: Path) -> None:
    before = open_files()
    handles = Handles(limit=1)
    for number in range(50):
        open_new(handles, tmp_path / str(number) / "x", tmp_path)
    assert open_files() - before <= 1 + 8
    handles.close()
    assert open_files() == before


def test_a_file_that_is_not_under_its_name_any_more_is_refused_until_it_is_forgotten(tmp_path: Path) -> None:
    path, now = tmp_path / "file", [0.0]
    path.write_bytes(b"old")
    handles = Handles(clock=lambda: now[0])
    opened = handles.acquire(str(path), write=False)
    handles.release(opened)
    (tmp_path / "new").write_bytes(b"new")
    (tmp_path / "new").replace(path)
    now[0] = LOOK_SECONDS - 1
    assert handles.acquire(str(path), write=False) is opened  # it is not looked at all the time
    handles.release(opened)
    now[0] = LOOK_SECONDS
    for _ in range(2):
        with pytest.raises(OSError, match="took its place") as failed:
            handles.acquire(str(path), write=True)
        assert failed.value.errno == errno.ESTALE
    handles.close(str(tmp_path))
    again = handles.acquire(str(path), write=False)
    assert os.pread(again.fd, 3, 0) == b"new"
    handles.release(again)
    path.unlink()
    now[0] *= 2
    with pytest.raises(OSError, match="took its place"):
        handles.acquire(str(path), write=True)
    assert not path.exists()  # nothing is made in its place
    handles.forget(str(path))
    handles.release(handles.acquire(str(path), write=True))
    handles.close()
