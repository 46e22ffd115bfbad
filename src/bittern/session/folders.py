"""Folders as users name them, and those that they need not name."""

import os
from collections.abc import Mapping
from pathlib import Path

from bittern.base.errors import SessionError


def absolute(path: str | os.PathLike[str]) -> Path:
    """A file or folder that a user names, without links; `~` is the user's home where there is one.

    Raises:
        SessionError: no file can be called so.
    """
    try:
        # Not Path.expanduser, which raises where there is no such home.
        return Path(os.path.realpath(os.path.expanduser(path)))  # noqa: PTH111
    except ValueError as error:  # a zero byte in it
        raise SessionError(f"{os.fspath(path)!r} is no path: {error}") from None


def state_folder(environ: Mapping[str, str]) -> Path:
    """Where progress is saved unless the user names another folder (XDG base directories).

    Raises:
        SessionError: the user has no home, as in a container with a made-up user.
    """
    home = environ.get("XDG_STATE_HOME", "")
    if Path(home).is_absolute():  # the specification has others ignored
        return Path(home) / "bittern"
    try:
        return Path("~/.local/state/bittern").expanduser()
    except RuntimeError:
        raise SessionError(
            "there is no home folder to save progress in: set HOME, or XDG_STATE_HOME, to a folder"
        ) from None
