"""Deleting what a torrent brought: its listed files and the folders that are empty then, nothing else."""

import os
import stat
from contextlib import suppress

from bittern.io.disk.files import storage_error

from .content import Content, stored


def delete_content(content: Content) -> None:
    """Delete the torrent's files. Blocks.

    Folders go when they are empty. No link is followed: what lies behind one is somebody else's.

    Raises:
        StorageError: a file could not be deleted; those before it are gone.
    """
    info = content.info
    root = str(content.path)
    folders: dict[str, None] = {}
    for number, file in enumerate(info.files):
        path = content.storage.paths[number]
        if not stored(file):
            continue
        if info.multi_file:
            inner = [os.path.join(root, *file.path[:depth]) for depth in range(len(file.path))]
            if any(os.path.islink(folder) for folder in inner):
                continue
            folders.update(dict.fromkeys(inner))
        _unlink(path)
    for folder in sorted(folders, key=len, reverse=True):
        with suppress(OSError):  # not empty, or gone
            os.rmdir(folder)


def _unlink(path: str) -> None:
    try:
        if stat.S_ISREG(os.lstat(path).st_mode):
            os.unlink(path)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise storage_error(error, path) from error
