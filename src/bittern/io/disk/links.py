"""Symbolic links of a torrent (BEP 47) on the disk: made, read and removed without following any."""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from .opening import open_folder, trusted_above


def make_link(path: str, text: str, trusted: Sequence[str]) -> None:
    """Make a link at `path`, and missing folders above it; one that says the same may be there.

    Args:
        path: absolute.
        text: what it says.
        trusted: folders of the user's choice, as for `open_safely`; `path` must be below one.

    Raises:
        FileExistsError: something else is there; it stays as it is.
        OSError: as the system says; ELOOP or ENOTDIR for a link in the place of a folder.
    """
    with _holding(path, trusted, make=True) as (at, name):
        try:
            os.symlink(text, name, dir_fd=at)
        except FileExistsError:
            if _read(at, name) != text:
                raise


def is_link(path: str, text: str, trusted: Sequence[str]) -> bool:
    """Whether a link that says `text` is at `path`; False where that cannot be seen. Args as for `make_link`."""
    try:
        with _holding(path, trusted, make=False) as (at, name):
            return _read(at, name) == text
    except OSError:
        return False


def remove_link(path: str, text: str, trusted: Sequence[str]) -> None:
    """Remove the link at `path` if it says `text`; anything else stays. Args as for `make_link`.

    Raises:
        OSError: the system refuses.
    """
    if not is_link(path, text, trusted):
        return
    with _holding(path, trusted, make=False) as (at, name):
        os.unlink(name, dir_fd=at)


@contextmanager
def _holding(path: str, trusted: Sequence[str], *, make: bool) -> Iterator[tuple[int, str]]:
    """The open folder that holds `path`, and the name in it."""
    below = trusted_above(path, trusted)
    if below is None or os.symlink not in os.supports_dir_fd:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP), path)
    folder, _, name = path.rpartition("/")
    at = open_folder(below, folder, make=make)
    try:
        yield at, name
    finally:
        os.close(at)


def _read(at: int, name: str) -> str | None:
    """What the link says; None when it is none."""
    try:
        return os.readlink(name, dir_fd=at)
    except OSError:
        return None
