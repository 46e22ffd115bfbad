"""Deleting what a torrent brought: its listed files and links, and the folders that are empty then, nothing else."""

import os
import stat
from collections.abc import Iterable
from contextlib import suppress

from bittern.io.disk.failures import storage_error
from bittern.io.disk.files import FileStorage
from bittern.io.disk.links import remove_link

from .content import Content, stored


def delete_content(content: Content) -> None:
    """Delete the torrent's files, and its part file. Blocks.

    Folders go when they are empty. No link is followed: what lies behind one is somebody else's. Links go that say
    what the torrent's do; others stay.

    Raises:
        StorageError: a file could not be deleted; those before it are gone. Or one is there under two names, and
            nothing tells which is ours: nothing is gone.
    """
    if not content.found:
        content.find()
    info, root = content.info, str(content.path)
    paths = [content.storage.paths[number] for number, file in enumerate(info.files) if stored(file)]
    for path in paths:
        inner = _inner_folders(path, root)
        if info.multi_file and (not inner or any(os.path.islink(folder) for folder in inner)):
            continue
        _unlink(path)
    content.storage.parts.delete()
    if info.multi_file:
        _unlink_links(content.storage)
        links = [content.storage.paths[number] for number, file in enumerate(info.files) if file.symlink is not None]
        remove_empty_folders([*paths, *links], root)


def remove_empty_folders(paths: Iterable[str], root: str) -> None:
    """Remove those folders between `root`, included, and files at `paths` that are empty; no links. Blocks."""
    folders = {folder for path in paths for folder in _inner_folders(path, root)}
    for folder in sorted(folders, key=lambda folder: (-len(folder), folder)):
        with suppress(OSError):  # not empty, a link, or gone
            os.rmdir(folder)


def _inner_folders(path: str, root: str) -> list[str]:
    """The folders from `root` down to the one that holds `path`; none when it is not below."""
    if not path.startswith(root + "/"):
        return []
    parts = path[len(root) + 1 :].split("/")[:-1]
    return [os.path.join(root, *parts[:depth]) for depth in range(len(parts) + 1)]


def _unlink_links(storage: FileStorage) -> None:
    for path, text in storage.links.own().values():
        try:
            remove_link(path, text, storage.where.trusted)
        except OSError as error:
            raise storage_error(error, path) from error


def _unlink(path: str) -> None:
    try:
        if stat.S_ISREG(os.lstat(path).st_mode):
            os.unlink(path)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise storage_error(error, path) from error
