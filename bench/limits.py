"""How exactly limits are kept: real transfers over loopback, measured over five seconds each.

    python -m bench.limits [--rates 20k 1M] [--seconds 5]

For each rate, each level of the tree of limits (session, group, torrent, peer) and each direction there is one
seed and one leecher, and one limit. What is measured is what came, from one block to one at least five seconds
later. bittern's aim: within 2 %.
"""

import argparse
import asyncio
import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import bittern
from bench import machine, report, workload
from bench.drivers.limited_seeds import SETTINGS, limit
from bench.workload import Workload
from tests.interop.rigs.process import Running

LEVELS = ("session", "group", "torrent", "peer")
WAYS = ("down", "up")
RATES = (20e3, 1e6, 10e6, 100e6)
TOGETHER = 100e6
"""So many bytes per second are measured at a time: faster runs go one after the other."""
PAIRS = 16
"""So many pairs of sessions at a time: all leechers share one loop, and are to be there in time."""
START_SECONDS = 60.0
SETTLE_SECONDS = 1.0
LOOK_SECONDS = 0.002
SEEDS = Path(__file__).parent / "drivers" / "limited_seeds.py"


@dataclass(frozen=True, slots=True)
class Case:
    """One limit: bytes per second at one level, one way."""

    rate: float
    level: str
    way: str


@dataclass(frozen=True, slots=True)
class Run:
    """What came under a limit: bytes in seconds."""

    case: Case
    came: int
    seconds: float

    @property
    def error(self) -> float:
        """By how much it was faster (or slower, below zero) than it should be, as a share."""
        return self.came / self.seconds / self.case.rate - 1


async def passed(torrent: bittern.Torrent, seconds: float) -> tuple[int, float]:
    """What comes from one block to one at least so many seconds later: bytes, and seconds."""
    first: tuple[float, int] | None = None
    before = torrent.status.downloaded
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        now, total = time.monotonic(), torrent.status.downloaded
        if total == before:
            continue
        before = total
        if first is None:
            first = (now, total)
        elif now - first[0] >= seconds:
            return total - first[1], now - first[0]


async def leech(case: Case, port: int, work: Workload, folder: Path, seconds: float) -> Run:
    """Download from a seed for as long as it takes to measure."""
    async with AsyncExitStack() as stack:
        settings = bittern.Settings(state_dir=folder / "state", **SETTINGS)  # type: ignore[arg-type]  # of many types
        session = await stack.enter_async_context(bittern.Session(settings))
        meta = bittern.Metainfo.load(work.torrent)
        torrent = await session.add(meta, save_path=folder / "out", peers=[f"127.0.0.1:{port}"])
        if case.way == "down":
            limit(session, torrent, case.level, down=case.rate)
        await asyncio.sleep(SETTLE_SECONDS)
        return Run(case, *await passed(torrent, seconds))


def measure(cases: Sequence[Case], work: Workload, scratch: Path, seconds: float) -> list[Run]:
    """All cases at the same time."""
    given = [f"{case.level}:{case.rate}" if case.way == "up" else "none:0" for case in cases]
    command = [sys.executable, str(SEEDS), str(work.torrent), str(work.folder), *given]
    out = scratch / "out"

    async def run(ports: list[str]) -> list[Run]:
        places = [out / str(number) for number in range(len(cases))]
        tasks = zip(cases, ports, places, strict=True)
        return await asyncio.gather(*[leech(case, int(port), work, place, seconds) for case, port, place in tasks])

    with Running(command, scratch / "seeds.log", talks=True, cwd=Path(__file__).parents[1]) as seeds:
        word, *ports = seeds.read_line(START_SECONDS).split()
        if word != "ready":
            raise seeds.failure(f"said {word!r}")
        try:
            return asyncio.run(run(ports))
        finally:
            shutil.rmtree(out, ignore_errors=True)


def batches(rates: Sequence[float]) -> list[list[Case]]:
    """All cases, those together that the machine can do together."""
    found: list[list[Case]] = []
    room = 0.0
    for rate in sorted(rates):
        for level in LEVELS:
            for way in WAYS:
                if rate > room or len(found[-1]) == PAIRS:
                    found.append([])
                    room = max(TOGETHER, rate)
                room -= rate
                found[-1].append(Case(rate, level, way))
    return found


def table(runs: Sequence[Run]) -> str:
    """The error of each limit, in percent: down / up."""
    rates = sorted({run.case.rate for run in runs})
    errors = {run.case: f"{100 * run.error:+.2f}" for run in runs}
    rows = [
        [level, *[" / ".join(errors[Case(rate, level, way)] for way in WAYS) for rate in rates]] for level in LEVELS
    ]
    return report.markdown(["limit of", *[f"{rate / 1000:,.0f} kB/s" for rate in rates]], rows)


def main() -> None:
    """Measure, print, save."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rates", type=float, nargs="+", default=RATES, metavar="BYTES")
    parser.add_argument("--seconds", type=float, default=5.0)
    args = parser.parse_args()
    machine.enter_loopback_only("bench.limits")
    size = int(max(args.rates) * (args.seconds + 2 * SETTLE_SECONDS + 0.5)) + workload.MIB
    with machine.scratch() as scratch, workload.single_file(scratch, size) as work:
        runs = [run for batch in batches(args.rates) for run in measure(batch, work, scratch, args.seconds)]
    worst = max(abs(run.error) for run in runs)
    heading = f"error in percent over {args.seconds:g} s, down / up; the worst is {100 * worst:.2f}"
    figures = [{**asdict(run), "error": run.error} for run in runs]
    report.save("limits", "Limits of bytes per second", {heading: table(runs)}, figures)


if __name__ == "__main__":
    main()
