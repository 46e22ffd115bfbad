import subprocess
import sys
from pathlib import Path

import pytest

from bittern.base.errors import AlreadyAddedError, StorageError
from bittern.session.lock import TorrentLock

HASH = bytes(20)


def test_a_second_owner_is_refused_until_the_first_lets_go(tmp_path: Path) -> None:
    with TorrentLock(tmp_path, HASH, "/here"), pytest.raises(AlreadyAddedError, match="/here"):
        TorrentLock(tmp_path, HASH, "/here")
    TorrentLock(tmp_path, HASH, "/here").release()


def test_another_place_or_torrent_has_its_own_lock(tmp_path: Path) -> None:
    with (
        TorrentLock(tmp_path, HASH, "/here"),
        TorrentLock(tmp_path, HASH, "/there"),
        TorrentLock(tmp_path, bytes([1]) * 20, "/here"),
    ):
        pass


def test_released_locks_leave_no_files_and_may_be_released_twice(tmp_path: Path) -> None:
    lock = TorrentLock(tmp_path, HASH, "/here")
    lock.release()
    lock.release()
    assert list((tmp_path / "locks").iterdir()) == []


def test_the_end_of_a_process_lets_go(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib; from bittern.session.lock import TorrentLock;"
        "lock = TorrentLock(pathlib.Path(sys.argv[1]), bytes(20), '/here'); print('held', flush=True); input()"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(AlreadyAddedError):
            TorrentLock(tmp_path, HASH, "/here")
        holder.kill()
    TorrentLock(tmp_path, HASH, "/here").release()


def test_where_no_lock_can_be_made_the_error_says_so(tmp_path: Path) -> None:
    (tmp_path / "locks").touch()
    with pytest.raises(StorageError, match="locks"):
        TorrentLock(tmp_path, HASH, "/here")
