"""Write a file so that readers, and a crash, see the old content or the new one and nothing between."""

import contextlib
import os
import stat
from pathlib import Path


def write_atomic(path: Path, data: bytes) -> None:
    """Make `data` the content of `path`; it is on disk when this returns.

    A link is followed: what it leads to is replaced. An existing file keeps its permissions.

    Raises:
        OSError: naming `path`; the old file is as it was.
    """
    path = path.resolve()
    if path.is_dir():
        raise IsADirectoryError(21, "Is a directory", str(path))
    draft = path.with_name(f".{path.name[:200]}.{os.getpid()}.part")
    try:
        with draft.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            draft.chmod(stat.S_IMODE(path.stat().st_mode))
        draft.replace(path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            draft.unlink()
        if isinstance(error, OSError):
            error.filename, error.filename2 = str(path), None  # the draft's name would tell nobody anything
        raise
    sync_folder(path.parent)


def sync_folder(folder: str | Path) -> None:
    """Make the new name durable too, where a folder can be opened (not on Windows)."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
