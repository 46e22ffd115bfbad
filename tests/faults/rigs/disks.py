"""File systems of a test's own: small ones, and such that are on an image and can lose power."""

import filecmp
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.interop.rigs.process import Running


def missing(*programs: str) -> str | None:
    """What keeps this machine from making a file system of its own, or None."""
    if os.geteuid() != 0:
        return "a file system of a test's own needs root"
    return next((f"`{name}` is not installed" for name in programs if shutil.which(name) is None), None)


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[tuple[tuple[str, ...], Path]]:
    """A tmpfs of `size` bytes on `folder`, in a mount namespace; what goes before a command to run it there.

    The namespace lives as long as the process that holds it, so that even a killed test run leaves nothing behind.
    """
    script = f'mount -t tmpfs -o size={size} none "$1" && echo up && exec cat'
    command = ["unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh", str(folder)]
    with Running(command, folder.parent / "mount.log", talks=True) as holder:
        if holder.read_line(10) != "up":
            raise holder.failure("could not mount a small file system")
        # The folder as this process can reach it.
        yield ("nsenter", "-t", str(holder.pid), "-m", "--"), Path(f"/proc/{holder.pid}/root{folder}")


def fill(path: Path) -> None:
    """Take all the room that the file system has."""
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def image(path: Path, size: int) -> None:
    """An empty ext4 file system in a file."""
    with path.open("wb") as file:
        file.truncate(size)
    subprocess.run(["mkfs.ext4", "-q", "-F", str(path)], check=True, capture_output=True)


@contextmanager
def losing_power(disk: Path, at: Path) -> Iterator[tuple[tuple[str, ...], Path]]:
    """The image `disk` mounted on `at`, as `small_disk`; in the end it is what the disk had, nothing of the memory.

    Whatever the system had not written to it by then is lost. Nothing may write there any more.
    """
    script = 'mount -o loop "$1" "$2" && echo up && exec cat'
    command = ["unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh", str(disk), str(at)]
    with Running(command, disk.parent / "mount.log", talks=True) as holder:
        if holder.read_line(10) != "up":
            raise holder.failure("could not mount an image")
        yield ("nsenter", "-t", str(holder.pid), "-m", "--"), Path(f"/proc/{holder.pid}/root{at}")
        copy, again = disk.with_suffix(".copy"), disk.with_suffix(".again")
        shutil.copy(disk, copy)
        # One moment: nothing was written to it while it was read.
        while shutil.copy(disk, again) and not filecmp.cmp(copy, again, shallow=False):
            again.replace(copy)
        again.unlink()
        copy.replace(disk)  # the loop device keeps the other one, which gets what is unmounted now
