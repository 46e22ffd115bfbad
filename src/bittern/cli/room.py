"""Whether there is room on the disk for what is still to come."""

import shutil
from pathlib import Path

from .output import format_size, printable


def shortage(path: Path, missing: int) -> str | None:
    """What to say before a download that is larger than the room for it; None where it fits, or nothing is known.

    Args:
        path: the file, or the root folder, that is downloaded to.
        missing: bytes still to come.
    """
    folder = next((place for place in path.parents if place.is_dir()), None)
    if folder is None:
        return None
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return None
    if missing <= free:
        return None
    return (
        f"{format_size(missing)} are still to come, and only {format_size(free)} are free in "
        f"{printable(str(folder), 600)}: free some space, or choose files with --select-file"
    )
