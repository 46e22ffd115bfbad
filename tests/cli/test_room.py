import shutil
from pathlib import Path

import pytest

from bittern.cli.room import shortage


def test_what_does_not_fit_is_said_before_it_comes(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    line = shortage(tmp_path / "not yet" / "film.bin", 2 * free + 1)
    assert line is not None
    assert f"are free in {tmp_path}: free some space" in line
    assert shortage(tmp_path / "film.bin", 0) is None


def test_where_the_system_says_nothing_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_: Path) -> None:
        raise PermissionError

    monkeypatch.setattr("shutil.disk_usage", unknown)
    assert shortage(tmp_path / "a", 1 << 62) is None
