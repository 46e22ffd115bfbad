"""Making and checking a torrent, against hashlib alone and against libtorrent, in one run.

    python -m bench.create_verify [--size 4096] [--runs 3] [--dir /dev/shm]

Each measurement is a process of its own, start-up included; they take turns, so that a machine that drifts
drifts for all. bittern's aim for v1: within 10 % of what hashlib does to the same bytes in as many threads,
and less than 150 MiB of memory.
"""

import argparse
import os
import random
import re
import select
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import machine, report

MIB = 1 << 20
DRIVERS = Path(__file__).parent / "drivers"
SOURCE = Path(__file__).parents[1] / "src"
KINDS = ("v1", "v2", "hybrid")
LIMIT = "hashlib, threads"
SAMPLE_SECONDS = 0.05
TRIES = 3


@dataclass(frozen=True, slots=True)
class Run:
    """One process.

    Attributes:
        task: what was done: `create v1`, `verify v2` and so on.
        program: who did it.
        wall_seconds: from start to end of the process.
        cpu_seconds: user and system.
        peak_rss_bytes: most memory resident, as of the last sample.
        other_cpu_seconds: what everything else on the machine used meanwhile.
    """

    task: str
    program: str
    wall_seconds: float
    cpu_seconds: float
    peak_rss_bytes: int
    other_cpu_seconds: float

    @property
    def disturbed(self) -> bool:
        """Whether other work took so much that the time means little."""
        return self.other_cpu_seconds > 0.1 * self.wall_seconds


def make_content(path: Path, size: int) -> None:
    """A file of `size` bytes; what is in it makes no difference to a hash."""
    chunk = random.Random(size).randbytes(min(size, 16 * MIB))
    with path.open("wb", buffering=0) as file:
        for at in range(0, size, len(chunk)):
            file.write(chunk[: size - at])


def commands(content: Path, scratch: Path, piece_size: int) -> list[tuple[str, str, list[str]]]:
    """Task, program and command line of every measurement, in the order in which they take turns."""
    threads = str(os.cpu_count() or 1)
    found = []
    for kind in KINDS:
        torrent, size = str(scratch / f"{kind}.torrent"), str(piece_size)
        limit = [str(DRIVERS / "hash_limit.py"), kind, str(content), size, threads]
        make = ["-m", "bittern", "create", str(content), "-o", torrent, "--force", f"--{kind}", "--piece-size", size]
        other = [str(DRIVERS / "libtorrent_create.py"), kind, str(content), size, str(scratch / "other.torrent")]
        found.append((f"create {kind}", LIMIT, limit))
        found.append((f"create {kind}", "bittern", make))
        found.append((f"create {kind}", "libtorrent", other))
        found.append((f"verify {kind}", LIMIT, limit))
        found.append((f"verify {kind}", "bittern", ["-m", "bittern", "verify", torrent, str(content)]))
    return found


def peak_rss_bytes(pid: int) -> int:
    """Most memory that was resident so far; 0 when the process is about to be gone."""
    found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) << 10 if found else 0


def measure(task: str, program: str, words: Sequence[str], cache: Path) -> Run:
    """Run one command of this interpreter to its end.

    Args:
        task: for the record.
        program: for the record.
        words: for the interpreter.
        cache: where it keeps compiled modules.

    Raises:
        SystemExit: it failed.
    """
    environ = os.environ | {
        "PYTHONPATH": str(SOURCE),
        "PYTHONWARNINGS": "ignore::DeprecationWarning",
        "PYTHONDONTWRITEBYTECODE": "",  # compiled once, as an installed program is
        "PYTHONPYCACHEPREFIX": str(cache),
    }
    busy = machine.busy_seconds()
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, *words], stdout=subprocess.DEVNULL, env=environ)
    # wait4 would count the memory of this process, from which that one was forked, as its peak.
    ended, peak = os.pidfd_open(process.pid), 0
    while not select.select([ended], [], [], SAMPLE_SECONDS)[0]:
        peak = max(peak, peak_rss_bytes(process.pid))
    wall = time.perf_counter() - began
    os.close(ended)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(words)}: exit status {process.returncode}")
    cpu = used.ru_utime + used.ru_stime
    return Run(task, program, wall, cpu, peak, max(0.0, machine.busy_seconds() - busy - cpu))


def measure_undisturbed(task: str, program: str, words: Sequence[str], cache: Path) -> Run:
    """The first run that nothing disturbed, or the least disturbed of three."""
    tries: list[Run] = []
    while len(tries) < TRIES and (not tries or tries[-1].disturbed):
        tries.append(measure(task, program, words, cache))
    return min(tries, key=lambda run: run.other_cpu_seconds / run.wall_seconds)


def warm_up(scratch: Path) -> None:
    """Let every program run once, so that none is timed while it compiles its modules."""
    small = scratch / "small"
    make_content(small, MIB)
    for command in commands(small, scratch, MIB):
        measure(*command, scratch / "pyc")


def table(runs: Sequence[Run], size: int) -> str:
    """Medians, each beside its limit."""
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.task, run.program), []).append(run)
    rows = []
    for (task, program), group in groups.items():
        wall = statistics.median(run.wall_seconds for run in group)
        limit = statistics.median(run.wall_seconds for run in groups[task, LIMIT])
        rows.append(
            [
                f"{task}: {program}",
                f"{wall:.2f}",
                f"{wall / limit:.2f}",
                f"{size / wall / 1e9:.2f}",
                f"{statistics.median(run.cpu_seconds for run in group):.2f}",
                f"{sum(run.disturbed for run in group)}",
                f"{max(run.peak_rss_bytes for run in group) / MIB:.0f}",
            ]
        )
    return report.markdown(
        ["task: program", "s", "times the limit", "GB/s", "CPU s", "disturbed", "peak RSS, MiB"], rows
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=4096, help="MiB of the file (4096)")
    parser.add_argument("--runs", type=int, default=3, help="of each, the median counts (3)")
    parser.add_argument("--dir", type=Path, default=machine.SHM, help="where the file is made (/dev/shm)")
    options = parser.parse_args(argv)
    size = options.size * MIB
    load = Path("/proc/loadavg").read_text().split()[0]
    runs: list[Run] = []
    with tempfile.TemporaryDirectory(prefix="bittern-bench-", dir=options.dir) as folder:
        scratch = Path(folder)
        content = scratch / "content.bin"
        make_content(content, size)
        warm_up(scratch)
        for _ in range(options.runs):
            runs += [measure_undisturbed(*command, scratch / "pyc") for command in commands(content, scratch, MIB)]
    report.save(
        "create-verify",
        f"Making and checking a torrent of {options.size} MiB in pieces of 1 MiB",
        {f"Medians of {options.runs} (load average before: {load})": table(runs, size)},
        [asdict(run) for run in runs],
    )


if __name__ == "__main__":
    main()
