"""Room on the disk: how much a file has, how much is free, and setting it aside."""

import os
import shutil
from pathlib import Path


def allocated(path: str) -> int:
    """Bytes that a file has on the disk; 0 when there is none."""
    try:
        status = os.lstat(path)
    except OSError:
        return 0
    return min(getattr(status, "st_blocks", 0) * 512, status.st_size)


def set_aside(descriptor: int, length: int) -> None:
    """Give an open file room for `length` bytes.

    Raises:
        OSError: the system has not so much, or knows no file of that size.
    """
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, length)
    else:
        os.truncate(descriptor, length)  # macOS, Windows: at least the size is right


def free_bytes(folder: str) -> int:
    """Bytes free where `folder` is, or will be."""
    path = Path(folder)
    while not path.exists() and path != path.parent:
        path = path.parent
    return shutil.disk_usage(path).free
