"""Room on the disk, as the system has it."""

from pathlib import Path

import pytest

from bittern.io.disk.allocating import allocated, free_bytes, set_aside


def test_only_what_has_room_counts(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert allocated(str(path)) == 0
    with path.open("wb") as file:
        file.truncate(1 << 20)
        assert allocated(str(path)) == 0
        set_aside(file.fileno(), 1 << 20)
    assert allocated(str(path)) == 1 << 20


def test_room_is_asked_for_where_the_folder_will_be(tmp_path: Path) -> None:
    assert free_bytes(str(tmp_path / "not" / "yet")) > 0


def test_no_file_can_have_eight_exbibytes(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file, pytest.raises(OSError, match=r"[Ll]arge|space|supported"):
        set_aside(file.fileno(), (1 << 63) - 1)
