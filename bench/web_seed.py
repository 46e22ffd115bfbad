"""How fast a web seed alone fills a download over loopback, against curl for the same file from the same nginx.

    python -m bench.web_seed [--size 1G] [--runs 5]

Both write to tmpfs and run in turns. bittern's wall time runs from `go` to the moment its bytes are in the file, every
piece hashed; curl's from its start to its exit, its own start (some milliseconds) included. CPU is that of the client.
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from bench import machine, report, workload
from bench.peers import BITTERN
from bench.workload import Workload
from tests.interop.rigs.web import nginx

RUN_SECONDS = 120.0
SETTLE_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Run:
    """One download, or the median of several."""

    client: str
    size: int
    wall_seconds: float
    cpu_seconds: float
    peak_rss_bytes: int


def by_curl(url: str, work: Workload, scratch: Path) -> Run:
    """curl, to a file."""
    out = scratch / "curl.out"
    command = ["curl", "--silent", "--fail", "--noproxy", "*", "--output", str(out), f"{url}{work.name}"]
    start = time.monotonic()
    with subprocess.Popen(command) as curl:
        _, status, usage = _wait(curl)
    wall = time.monotonic() - start
    if status or out.stat().st_size != work.size:
        raise SystemExit(f"curl failed: {status}")
    out.unlink()
    return Run("curl", work.size, wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss << 10)


def by_bittern(url: str, work: Workload, scratch: Path) -> Run:
    """bittern, with the web seed and without peers; its bytes compared."""
    out = scratch / "out"
    out.mkdir()
    try:
        getting, _ = BITTERN.start("get", work.torrent, out, scratch / "bittern.log", "--web-seed", url)
        with getting:
            time.sleep(SETTLE_SECONDS)
            before = machine.usage(getting.pid)
            start = time.monotonic()
            getting.say("go")
            word, _, done = getting.read_line(RUN_SECONDS).partition(" ")
            if word != "done":
                raise getting.failure(f"said {word!r}")
            after = machine.usage(getting.pid)
            if not work.same(out):
                raise SystemExit("the bytes differ")
    finally:
        shutil.rmtree(out)
    cpu = after.cpu_seconds - before.cpu_seconds
    return Run("bittern", work.size, float(done) - start, cpu, after.peak_rss_bytes)


def median(runs: list[Run]) -> Run:
    """Each figure's."""
    figures = ("wall_seconds", "cpu_seconds", "peak_rss_bytes")
    return replace(runs[0], **{name: statistics.median(getattr(run, name) for run in runs) for name in figures})


def table(medians: list[Run]) -> str:
    """One row a client; rates are to curl's."""
    [curl] = [run for run in medians if run.client == "curl"]
    rows = [
        [
            run.client,
            f"{run.wall_seconds:.2f}",
            f"{run.size / run.wall_seconds / 1e6:.0f}",
            f"{curl.wall_seconds / run.wall_seconds:.2f}",
            f"{run.cpu_seconds:.2f}",
            f"{run.peak_rss_bytes / workload.MIB:.0f}",
        ]
        for run in medians
    ]
    return report.markdown(["client", "wall s", "MB/s", "to curl", "CPU s", "peak RSS MiB"], rows)


def measure(size: int, runs: int, scratch: Path) -> list[list[Run]]:
    """Both clients in turns: one row a round, curl first."""
    with workload.single_file(scratch, size) as work, nginx(work.folder, scratch / "nginx", "access_log off;") as url:
        rounds = []
        for _ in range(runs):
            machine.warm_memory(2 * size)
            rounds.append([by_curl(url, work, scratch), by_bittern(url, work, scratch)])
        return rounds


def main() -> None:
    """Measure, print, save."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", type=workload.mebibytes, default=1024, metavar="1G")
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    machine.enter_loopback_only("bench.web_seed")
    with machine.scratch() as scratch:
        rounds = measure(args.size * workload.MIB, args.runs, scratch)
    medians = [median(list(runs)) for runs in zip(*rounds, strict=True)]
    heading = f"one file of {args.size} MiB, 1 MiB pieces, nginx"
    title = f"A web seed alone, and curl; medians of {args.runs}"
    report.save("web-seed", title, {heading: table(medians)}, [asdict(run) for each in rounds for run in each])


def _wait(curl: "subprocess.Popen[bytes]") -> tuple[int, int, resource.struct_rusage]:
    """Its end, with what it used."""
    found = os.wait4(curl.pid, 0)
    curl.returncode = os.waitstatus_to_exitcode(found[1])
    return found


if __name__ == "__main__":
    main()
