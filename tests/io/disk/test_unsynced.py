"""What was written is synced once, wherever it is by then."""

import os
from pathlib import Path

import pytest

from bittern.base.errors import StorageError
from bittern.io.disk.handles import Handles
from bittern.io.disk.unsynced import Unsynced
from bittern.io.disk.whereabouts import Whereabouts
from tests.io.disk.torrents import several

INFO, _ = several([10, 20], 16)


@pytest.fixture(name="synced")
def _synced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The descriptors that were synced."""
    seen: list[int] = []
    monkeypatch.setattr(os, "fdatasync", seen.append)
    return seen


def unsynced(folder: Path) -> tuple[Unsynced, Handles]:
    handles = Handles(4)
    return Unsynced(Whereabouts(INFO, folder, [], (str(folder),)), handles), handles


def test_each_file_is_synced_once_until_it_is_written_again(tmp_path: Path, synced: list[int]) -> None:
    files, handles = unsynced(tmp_path)
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"x")
        files.note(str(tmp_path / name))
        files.note(str(tmp_path / name))
    files.forget(str(tmp_path / "b"))
    for _ in range(2):
        files.sync_all(fleeting="")
    assert len(synced) == 1
    files.note(str(tmp_path / "a"))
    files.sync_all(fleeting="")
    assert len(synced) == 2
    handles.close(str(tmp_path))


def test_a_file_that_has_gone_is_told_and_not_made_unless_it_was_to_go(tmp_path: Path) -> None:
    files, handles = unsynced(tmp_path)
    gone = str(tmp_path / "gone")
    files.note(gone)
    with pytest.raises(StorageError) as failed:
        files.sync_all(fleeting="")
    assert failed.value.path == gone
    files.note(gone)
    files.sync_all(fleeting=gone)
    assert list(tmp_path.iterdir()) == []
    handles.close(str(tmp_path))
