"""One seed and many leechers at once: do all complete, and does the seed's event loop stay responsive?

    python -m bench.many_leechers [--leechers 50] [--size 64M] [--clients libtorrent]

The leechers are libtorrent sessions at the lowest priority, so that what the seed's loop waits for is its own
work. They know only the seed. bittern's aim: no stall of its event loop above 100 ms.
"""

import argparse
import os
import shutil
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench import machine, report, workload
from bench.peers import BITTERN, CROWD, LIBTORRENT, LIBTORRENT_FAST, Driver
from bench.workload import Workload
from tests.interop.rigs.process import Running

RUN_SECONDS = 600.0
LOWEST_PRIORITY = 19


def measure(driver: Driver, work: Workload, scratch: Path, leechers: int) -> dict[str, Any]:
    """One seed that fills `leechers`."""
    out = scratch / "out"
    out.mkdir()
    machine.warm_memory(work.size * leechers)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, out)
        seed, port = driver.start("seed", work.torrent, work.folder, scratch / "seed.log")
        stack.enter_context(seed)
        options = ("--peer", f"127.0.0.1:{port}", "--count", str(leechers))
        crowd, _ = CROWD.start("get", work.torrent, out, scratch / "crowd.log", *options)
        stack.enter_context(crowd)
        for thread in Path(f"/proc/{crowd.pid}/task").iterdir():
            os.setpriority(os.PRIO_PROCESS, int(thread.name), LOWEST_PRIORITY)
        if driver is PROBED:
            lag(seed)  # from here on
        before, start = machine.usage(seed.pid), time.monotonic()
        crowd.say("go")
        word, _, done = crowd.read_line(RUN_SECONDS).partition(" ")
        if word != "done":
            raise crowd.failure(f"said {word!r}")
        after = machine.usage(seed.pid)
        result: dict[str, Any] = {
            "seed": driver.name,
            "leechers": leechers,
            "size": work.size,
            "wall_seconds": float(done) - start,
            "seed_cpu_seconds": after.cpu_seconds - before.cpu_seconds,
            "seed_peak_rss_mib": after.peak_rss_bytes / workload.MIB,
            "complete": sum(work.same(out / str(number)) for number in range(leechers)),
        }
        if driver is PROBED:
            worst, typical, cpu = lag(seed)
            result.update(worst_stall_ms=1000 * worst, stall_p99_ms=1000 * typical, worst_turn_cpu_ms=1000 * cpu)
    return result


def lag(seed: Running) -> list[float]:
    """The seed's worst and 99th percentile lateness, and its worst CPU time in one go, since the last call."""
    seed.say("lag")
    return [float(word) for word in seed.read_line(10).split()[1:]]


PROBED = replace(BITTERN, options=(*BITTERN.options, "--probe"))


def main() -> None:
    """Measure, print, save."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--leechers", type=int, default=50)
    parser.add_argument("--size", type=workload.mebibytes, default=64, metavar="64M")
    parser.add_argument("--clients", choices=["libtorrent", "all"], default="all")
    args = parser.parse_args()
    machine.enter_loopback_only("bench.many_leechers")
    drivers = [LIBTORRENT, LIBTORRENT_FAST] + ([PROBED] if args.clients == "all" else [])
    with machine.scratch() as scratch, workload.single_file(scratch, args.size * workload.MIB) as work:
        rows = [measure(driver, work, scratch, args.leechers) for driver in drivers]
    columns = ["seed", "complete", "wall s", "MB/s in all", "seed CPU s", "seed peak RSS MiB"]
    cells = [
        [
            row["seed"],
            f"{row['complete']} of {row['leechers']}",
            f"{row['wall_seconds']:.2f}",
            f"{row['size'] * row['leechers'] / row['wall_seconds'] / 1e6:.0f}",
            f"{row['seed_cpu_seconds']:.2f}",
            f"{row['seed_peak_rss_mib']:.0f}",
            "{worst_stall_ms:.0f} / {stall_p99_ms:.0f} / {worst_turn_cpu_ms:.0f}".format(**row)
            if "worst_stall_ms" in row
            else "",
        ]
        for row in rows
    ]
    title = f"One seed, {args.leechers} leechers at once"
    heading = f"{args.size} MiB torrent, all from the seed"
    table = report.markdown([*columns, "loop stall ms: worst / 99 % / CPU in one go"], cells)
    report.save("many-leechers", title, {heading: table}, rows)


if __name__ == "__main__":
    main()
