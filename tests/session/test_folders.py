import os
from pathlib import Path
from typing import NoReturn

import pytest

from bittern.base.errors import SessionError
from bittern.session.folders import absolute, state_folder


def test_a_home_that_nobody_has_is_a_name_like_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert absolute("~/a") == Path(os.path.realpath(tmp_path)) / "home" / "a"
    assert absolute("~nobody-is-called-so/a") == Path(os.path.realpath(tmp_path)) / "~nobody-is-called-so" / "a"


def test_what_no_file_can_be_called_is_an_error_of_ours() -> None:
    with pytest.raises(SessionError, match="is no path"):
        absolute("a\0b")


def test_links_on_the_way_are_followed_once(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert absolute(tmp_path / "link" / "x") == Path(os.path.realpath(tmp_path)) / "real" / "x"


def test_who_has_no_home_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home(_: Path) -> NoReturn:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", no_home)
    assert state_folder({"XDG_STATE_HOME": "/x"}) == Path("/x/bittern")
    with pytest.raises(SessionError, match="set HOME"):
        state_folder({})
