"""How fast one seed fills one leecher over one connection on loopback, against libtorrent.

    python -m bench.transfer [--size 256M] [--runs 3] [--only single|v2|hybrid|many] [--clients libtorrent]
        [--transport utp] [--encryption require]

Wall time runs from `go` to the moment the leecher's bytes are in its files (tmpfs); the interpreter's start
is not in it. CPU is user and system time of all threads and children in that span. A run whose bytes differ
fails the bench; one during which other work took more than 15 % of a core is made again, twice at most, and
marked `*` when that did not help. Ratios are to the fastest libtorrent pair of the same run. Both sides of each pair
speak the transport alone, and encrypted or plain alone.
"""

import argparse
import shutil
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path

from bench import machine, report, workload
from bench.peers import BITTERN, LIBTORRENT, LIBTORRENT_FAST, Driver
from bench.workload import Workload

PAIRS = (
    (LIBTORRENT, LIBTORRENT),
    (LIBTORRENT_FAST, LIBTORRENT_FAST),
    (LIBTORRENT_FAST, BITTERN),
    (BITTERN, LIBTORRENT_FAST),
    (BITTERN, BITTERN),
)
NOISE = 0.15  # of one core
ATTEMPTS = 3
GIB = 1 << 30
RUN_SECONDS = 300.0
SETTLE_SECONDS = 0.3  # between a leecher's `ready` and `go`: both sides are idle by then


@dataclass(frozen=True, slots=True)
class Run:
    """One transfer, or the median of several."""

    seed: str
    leecher: str
    workload: str
    size: int
    wall_seconds: float
    leecher_cpu_seconds: float
    seed_cpu_seconds: float
    leecher_peak_rss_bytes: int
    seed_peak_rss_bytes: int
    other_cpu_seconds: float  # what everything else on the machine used meanwhile

    @property
    def noisy(self) -> bool:
        """Whether other work may have slowed it down."""
        return self.other_cpu_seconds > NOISE * self.wall_seconds


def transfer(seed: Driver, leecher: Driver, work: Workload, scratch: Path) -> Run:
    """One transfer, its bytes compared."""
    out = scratch / "out"
    out.mkdir()
    machine.warm_memory(work.size)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, out)
        sending, port = seed.start("seed", work.torrent, work.folder, scratch / "seed.log")
        stack.enter_context(sending)
        peer = ("--peer", f"127.0.0.1:{port}")
        getting, _ = leecher.start("get", work.torrent, out, scratch / "leecher.log", *peer)
        stack.enter_context(getting)
        time.sleep(SETTLE_SECONDS)
        before = machine.usage(getting.pid), machine.usage(sending.pid)
        busy, own = machine.busy_seconds(), time.process_time()
        start = time.monotonic()
        getting.say("go")
        word, _, done = getting.read_line(RUN_SECONDS).partition(" ")
        if word != "done":
            raise getting.failure(f"said {word!r}")
        after = machine.usage(getting.pid), machine.usage(sending.pid)
        busy, own = machine.busy_seconds() - busy, time.process_time() - own
        if not work.same(out):
            raise SystemExit(f"{seed.name} -> {leecher.name}: the bytes differ")
    used = [late.cpu_seconds - early.cpu_seconds for early, late in zip(before, after, strict=True)]
    return Run(
        seed=seed.name,
        leecher=leecher.name,
        workload=work.name,
        size=work.size,
        wall_seconds=float(done) - start,
        leecher_cpu_seconds=used[0],
        seed_cpu_seconds=used[1],
        leecher_peak_rss_bytes=after[0].peak_rss_bytes,
        seed_peak_rss_bytes=after[1].peak_rss_bytes,
        other_cpu_seconds=max(0.0, busy - own - sum(used)),
    )


def quiet_transfer(seed: Driver, leecher: Driver, work: Workload, scratch: Path) -> Run:
    """The transfer with the least other work, of up to `ATTEMPTS`."""
    runs: list[Run] = []
    while len(runs) < ATTEMPTS and all(run.noisy for run in runs):
        runs.append(transfer(seed, leecher, work, scratch))
    return min(runs, key=lambda run: run.other_cpu_seconds / run.wall_seconds)


def median(runs: Sequence[Run]) -> Run:
    """Each figure's median; noisy when most runs were."""
    figures = {
        name: statistics.median(getattr(run, name) for run in runs)
        for name, value in asdict(runs[0]).items()
        if name != "size" and not isinstance(value, str)
    }
    return replace(runs[0], **figures)


def table(medians: list[Run]) -> str:
    """One row a pair."""
    columns = ["seed -> leecher", "wall s", "MB/s", "to libtorrent's best", "leecher CPU s/GiB", "seed CPU s/GiB"]
    best = min(run.wall_seconds for run in medians if BITTERN.name not in {run.seed, run.leecher})
    rows = [
        [
            f"{run.seed} -> {run.leecher}",
            f"{run.wall_seconds:.2f}{'*' if run.noisy else ''}",
            f"{run.size / run.wall_seconds / 1e6:.0f}",
            f"{best / run.wall_seconds:.2f}",
            f"{run.leecher_cpu_seconds / run.size * GIB:.2f}",
            f"{run.seed_cpu_seconds / run.size * GIB:.2f}",
            f"{run.leecher_peak_rss_bytes / workload.MIB:.0f}",
            f"{run.seed_peak_rss_bytes / workload.MIB:.0f}",
        ]
        for run in medians
    ]
    return report.markdown([*columns, "leecher peak RSS MiB", "seed peak RSS MiB"], rows)


def main() -> None:
    """Measure, print, save."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--size", type=workload.mebibytes, default=2048, metavar="2G", help="of the single file; the many have half"
    )
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", choices=["single", "v2", "hybrid", "many"])
    parser.add_argument("--clients", choices=["libtorrent", "all"], default="all")
    parser.add_argument("--transport", choices=["tcp", "utp"], default="tcp")
    parser.add_argument("--encryption", choices=["off", "require"], default="off")
    args = parser.parse_args()
    machine.enter_loopback_only("bench.transfer")
    options = ["--utp"] if args.transport == "utp" else []
    if args.encryption != "off":
        options += ["--encryption", args.encryption]
    pairs = [
        (seed.told(*options), leecher.told(*options))
        for seed, leecher in PAIRS
        if args.clients == "all" or BITTERN not in {seed, leecher}
    ]
    makers: dict[str, tuple[str, Callable[[Path, int], AbstractContextManager[Workload]], int]] = {
        "single": (f"one file of {args.size} MiB, 1 MiB pieces", workload.single_file, args.size),
        "v2": (f"one file of {args.size} MiB, 1 MiB pieces, version 2", workload.single_file_v2, args.size),
        "hybrid": (f"one file of {args.size} MiB, 1 MiB pieces, hybrid", workload.single_file_hybrid, args.size),
        "many": (f"2,000 files of {args.size // 2} MiB in all, 256 KiB pieces", workload.many_files, args.size // 2),
    }
    every: list[Run] = []
    tables = {}
    with machine.scratch() as scratch:
        for name, (heading, make, size) in makers.items():
            if args.only not in {None, name}:
                continue
            with make(scratch, size * workload.MIB) as work:
                # Round by round, so that a machine that drifts is as kind to each pair.
                rounds = [
                    [quiet_transfer(seed, leecher, work, scratch) for seed, leecher in pairs] for _ in range(args.runs)
                ]
            every += chain(*rounds)
            tables[heading] = table([median(runs) for runs in zip(*rounds, strict=True)])
    carrier = {"tcp": "TCP", "utp": "uTP"}[args.transport] + ("" if args.encryption == "off" else ", encrypted")
    name = "-".join(["transfer", *carrier.lower().replace(",", "").split()]).replace("transfer-tcp", "transfer")
    title = f"One seed, one leecher, one connection over {carrier}; medians of {args.runs}"
    report.save(name, title, tables, [asdict(run) for run in every])


if __name__ == "__main__":
    main()
