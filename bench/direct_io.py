"""O_DIRECT beside the page cache: write 1 GiB so that it is on the disk, then read it back, as a leecher does.

    python -m bench.direct_io [--folder FOLDER] [--mib 1024] [--runs 3]

FOLDER must be on a real disk: tmpfs knows no O_DIRECT. The result is a decision (docs/adr/0030-no-direct-io.md), so
the figures go there.
"""

import argparse
import mmap
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench import machine, report
from bench.workload import MIB

STEP = MIB
"""Bytes of one call: as much as the engine writes at a time."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one way of writing and reading cost.

    Attributes:
        write_seconds: from the first byte until all are on the disk.
        read_seconds: of all, right after that.
        write_cpu_seconds: of the process while it wrote, the system's work for it included.
        read_cpu_seconds: likewise while it read.
    """

    write_seconds: float
    read_seconds: float
    write_cpu_seconds: float
    read_cpu_seconds: float


def measure(folder: Path, size: int, *, direct: bool) -> Run:
    """Write and read `size` bytes, a multiple of a MiB, in a file below `folder` that is deleted afterwards.

    Raises:
        OSError: EINVAL where the file system knows no O_DIRECT.
    """
    path = folder / f"bittern-direct-{os.getpid()}"
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | (os.O_DIRECT if direct else 0)
    with mmap.mmap(-1, STEP) as aligned:  # pages: O_DIRECT wants its buffers on such borders
        aligned[:] = os.urandom(STEP)
        with _opened(path, flags) as descriptor:
            used, began = time.process_time(), time.perf_counter()
            for offset in range(0, size, STEP):
                assert os.pwrite(descriptor, aligned, offset) == STEP
            os.fdatasync(descriptor)
            between, written = time.process_time(), time.perf_counter()
            for offset in range(0, size, STEP):
                assert os.preadv(descriptor, [aligned], offset) == STEP
            now, done = time.process_time(), time.perf_counter()
    return Run(written - began, done - written, between - used, now - between)


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    descriptor = os.open(path, flags, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
        path.unlink()


def row(name: str, size: int, runs: list[Run]) -> list[str]:
    """A line of the table: medians, and each run's rate of writing."""
    write, read = median(run.write_seconds for run in runs), median(run.read_seconds for run in runs)
    each = ", ".join(f"{size / MIB / run.write_seconds:.0f}" for run in runs)
    cpu = [median(run.write_cpu_seconds for run in runs), median(run.read_cpu_seconds for run in runs)]
    return [name, f"{size / MIB / write:.0f} ({each})", f"{size / MIB / read:.0f}", *[f"{each:.2f}" for each in cpu]]


def main() -> None:
    """Both ways in turns, so that a slow minute of the machine meets both."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path.cwd())
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    size, ways = given.mib * MIB, {"page cache, fdatasync": False, "O_DIRECT, fdatasync": True}
    runs: dict[str, list[Run]] = {name: [] for name in ways}
    for _ in range(given.runs):
        for name, direct in ways.items():
            runs[name].append(measure(given.folder, size, direct=direct))
    print("; ".join(f"{key}: {value}" for key, value in machine.describe().items()), "\n")
    rows = [row(name, size, each) for name, each in runs.items()]
    print(report.markdown(["way", "write MiB/s (each run)", "read back MiB/s", "CPU s, writing", "reading"], rows))


if __name__ == "__main__":
    main()
