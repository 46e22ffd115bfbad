"""The machine under the benches: a network of its own, warm memory, and what processes use."""

import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SHM = Path("/dev/shm")  # tmpfs: a disk that is not the thing measured
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
QUOTA_PERIOD = 10_000  # microseconds
INSIDE = "BITTERN_BENCH_NAMESPACE"


def enter_loopback_only(module: str) -> None:
    """Run again in a network namespace that has loopback only, where root can make one.

    Nothing measured can then reach, or be reached from, anything else. `module` is run with `-m`.
    """
    if os.geteuid() != 0:
        return
    if os.environ.get(INSIDE):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return
    os.environ[INSIDE] = "1"
    os.execvp("unshare", ["unshare", "--net", sys.executable, "-m", module, *sys.argv[1:]])


def warm_memory(size: int) -> None:
    """Touch and free `size` bytes of tmpfs: on a virtual machine the first touch of a page is slow."""
    path = SHM / f"bittern-warm-{os.getpid()}"
    chunk = b"\xa5" * (4 << 20)
    try:
        with path.open("wb", buffering=0) as file:
            for _ in range(size // len(chunk) + 1):
                file.write(chunk)
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def scratch(folder: Path = SHM) -> Iterator[Path]:
    """A folder of our own below `folder` that is gone when the block ends, and also when this process is killed.

    A shell in a session of its own waits for the end of a pipe that only we hold, and takes the folder away.
    """
    path = Path(tempfile.mkdtemp(prefix="bittern-bench-", dir=folder))
    clean = 'cat; for try in 1 2 3; do rm -rf -- "$1" && break; sleep 1; done'
    with subprocess.Popen(["sh", "-c", clean, "sh", path], stdin=subprocess.PIPE, start_new_session=True) as guard:
        yield path
        assert guard.stdin is not None
        guard.stdin.close()


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds (user and system, threads and children included), and RSS in bytes: its peak, and now."""

    cpu_seconds: float
    peak_rss_bytes: int
    rss_bytes: int


def usage(pid: int) -> Usage:
    """What the process `pid`, its live children and those it has waited for have used so far."""
    ticks = peak = now = 0
    for each in _family(pid):
        try:
            stat = Path(f"/proc/{each}/stat").read_text()
            status = Path(f"/proc/{each}/status").read_text()
        except FileNotFoundError:  # it has just ended
            continue
        ticks += sum(map(int, stat.rpartition(")")[2].split()[11:15]))  # utime stime cutime cstime
        peak += int(status.partition("VmHWM:")[2].split()[0]) << 10
        now += int(status.partition("VmRSS:")[2].split()[0]) << 10
    return Usage(ticks / TICKS_PER_SECOND, peak, now)


@contextmanager
def limited_cores(pid: int, share: float) -> Iterator[bool]:
    """The process, or each of its children where it has some, gets a share of a core of its own; whether that works.

    For what several processes do beside each other where the machine has too few cores for all of them and their load
    (cgroup of version 1, as root).
    """
    root, made = Path("/sys/fs/cgroup/cpu"), list[Path]()
    try:
        for each in _family(pid)[1:] or [pid]:
            group = root / f"bittern-bench-{each}"
            group.mkdir()
            made.append(group)
            (group / "cpu.cfs_period_us").write_text(str(QUOTA_PERIOD))
            (group / "cpu.cfs_quota_us").write_text(str(int(QUOTA_PERIOD * share)))
            (group / "cgroup.procs").write_text(str(each))
    except OSError:
        yield False
    else:
        yield True
    finally:
        for group in made:
            for left in (group / "cgroup.procs").read_text().split():
                (root / "cgroup.procs").write_text(left)
            group.rmdir()


def busy_seconds() -> float:
    """CPU seconds that all cores have worked since boot, stolen time included."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields)
    return (user + nice + system + irq + softirq + steal) / TICKS_PER_SECOND


def describe() -> dict[str, str]:
    """What a reader needs to know of this machine."""
    cpuinfo = Path("/proc/cpuinfo").read_text()
    model = cpuinfo.partition("model name")[2].partition(":")[2].partition("\n")[0].strip()
    memory = int(Path("/proc/meminfo").read_text().split()[1]) >> 20
    return {
        "cpu": f"{os.cpu_count()} x {model or platform.machine()}",
        "memory": f"{memory} GiB",
        "kernel": platform.release(),
        "python": platform.python_version(),
        "tcp": Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip(),
    }


def _family(pid: int) -> list[int]:
    family, todo = [], [pid]
    while todo:
        each = todo.pop()
        family.append(each)
        for task in Path(f"/proc/{each}/task").glob("*/children"):
            try:
                todo += map(int, task.read_text().split())
            except FileNotFoundError:
                continue
    return family
