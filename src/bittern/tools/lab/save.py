"""Writing what was downloaded: under the wanted name appears either all of it or nothing."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from bittern.codec.filemap import FileMap
from bittern.codec.info import Info

from .pieces import Keep


@contextmanager
def saving_file(out: Path) -> Iterator[BinaryIO]:
    """A new file that takes the place of `out` when the block ends well, and disappears when it does not.

    Raises:
        FileExistsError: `out` is there and is no regular file.
        OSError: the file cannot be written.
    """
    if out.exists() and not out.is_file():
        raise FileExistsError(17, "is no regular file", str(out))
    draft = _draft(out)
    try:
        with draft.open("xb") as file:
            yield file
        draft.replace(out)
    except BaseException:
        with suppress(OSError):
            draft.unlink()
        raise


@contextmanager
def saving_torrent(out: Path, info: Info) -> Iterator[Keep]:
    """What takes the pieces of a torrent in any order, so that `out` becomes its file or its folder.

    Raises:
        FileExistsError: `out` is there, and is no regular file or has to become a folder.
        OSError: something cannot be written.
    """
    if not info.multi_file:
        with saving_file(out) as file:
            yield lambda piece, data: _write_at(file, info.geometry.offset(piece), data)
        return
    if out.exists():
        raise FileExistsError(17, "exists", str(out))
    draft = _draft(out)
    draft.mkdir()
    try:
        yield _folder(draft, info)
        draft.rename(out)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def _draft(out: Path) -> Path:
    return out.with_name(f"{out.name}.{os.getpid()}.part")


def _write_at(file: BinaryIO, offset: int, data: bytes | memoryview) -> None:
    file.seek(offset)
    file.write(data)


def _folder(root: Path, info: Info) -> Keep:
    """Make all files below `root`, which is new and ours, at full size; pads are not stored (BEP 47)."""
    paths = [root.joinpath(*file.path) for file in info.files]
    for path, entry in zip(paths, info.files, strict=True):
        if not entry.pad:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                file.truncate(entry.length)
    file_map = FileMap(info.files)

    def keep(piece: int, data: bytes) -> None:
        rest = memoryview(data)
        for span in file_map.spans(info.geometry.offset(piece), len(data)):
            part, rest = rest[: span.length], rest[span.length :]
            if not span.pad:
                with paths[span.file].open("r+b") as file:
                    _write_at(file, span.offset, part)

    return keep
