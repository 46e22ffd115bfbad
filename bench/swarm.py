"""A swarm behind slow links: how soon do all have everything, against a swarm of libtorrent's?

    python -m bench.swarm [--size 32M] [--leechers 8] [--up 20] [--down 100] [--runs 3] [--only NAME]

One seed and some leechers, each a network namespace with one address behind a link of its own (`tc tbf`; megabits
per second); a tracker on the switch tells them of each other. All begin at once, with default settings, and stay
when they are complete. A finish is when a leecher's bytes are in its file. The fluid bound is the time that the
links alone would take, had every peer something for every other at every moment: max(F/u_s, N*F/(u_s + sum of u_i),
F/d), which is F/u_s where all links are alike and faster down than up; F has the headers of full packets. bittern's
aims: a swarm of its own finishes no later than one of libtorrent's, and in a mixed one neither kind starves.
"""

import argparse
import os
import shutil
import statistics
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import machine, report, workload
from bench.peers import BITTERN, LIBTORRENT, Driver
from bench.workload import Workload
from tests.interop.rigs.process import wait_until
from tests.interop.rigs.star import Link, Star, star
from tests.interop.rigs.tracker import Tracker, serve

PIECE_SIZE = 256 << 10
OPTIONS = ("--tracker", "--slots", "8")  # both programs' default
RUN_SECONDS = 600.0
SETTLE_SECONDS = 1.0
PAYLOAD_SHARE = 1448 / 1514  # of a full Ethernet frame: IPv4, TCP with timestamps


@dataclass(frozen=True, slots=True)
class Cast:
    """Who takes part: a seed, and leechers of one kind or of two in turn."""

    name: str
    seed: Driver
    kinds: tuple[Driver, ...]

    def leechers(self, count: int) -> list[Driver]:
        """`count` of them."""
        return [self.kinds[number % len(self.kinds)] for number in range(count)]


CASTS = (
    Cast("libtorrent", LIBTORRENT, (LIBTORRENT,)),
    Cast("bittern", BITTERN, (BITTERN,)),
    Cast("mixed, libtorrent seeds", LIBTORRENT, (LIBTORRENT, BITTERN)),
    Cast("mixed, bittern seeds", BITTERN, (LIBTORRENT, BITTERN)),
)


@dataclass(frozen=True, slots=True)
class Run:
    """One swarm's run. `finishes` are (kind, seconds), the soonest first; `copies` went up the seed's link."""

    cast: str
    size: int
    bound_seconds: float
    finishes: list[tuple[str, float]]
    copies: float
    core_percent: float

    def of(self, kind: str | None = None) -> list[float]:
        """The finishes of one kind, or of all."""
        return [seconds for each, seconds in self.finishes if kind in {None, each}]


def bound(size: int, link: Link) -> float:
    """Seconds that the links alone would take."""
    assert link.up
    assert link.down
    return size / PAYLOAD_SHARE * 8 / min(link.up, link.down)


def race(cast: Cast, work: Workload, network: Star, tracker: Tracker, link: Link, scratch: Path) -> Run:
    """One swarm, from `go` to the last leecher, its bytes compared."""
    out = scratch / "out"
    out.mkdir()
    drivers = cast.leechers(len(network.hosts) - 1)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, out)
        sent = network.sent(0)
        seed, port = cast.seed.start(
            "seed", work.torrent, work.folder, scratch / "seed.log", *OPTIONS, place=network.hosts[0]
        )
        stack.enter_context(seed)
        leechers = []
        for number, (driver, host) in enumerate(zip(drivers, network.hosts[1:], strict=True)):
            (out / str(number)).mkdir()
            log = scratch / f"leecher-{number}.log"
            running, _ = driver.start("get", work.torrent, out / str(number), log, *OPTIONS, place=host)
            leechers.append(stack.enter_context(running))
        if not wait_until(lambda: tracker.has_seed(port), RUN_SECONDS):
            raise seed.failure("has not announced itself")
        time.sleep(SETTLE_SECONDS)
        busy, start = machine.busy_seconds(), time.monotonic()
        for leecher in leechers:
            leecher.say("go")
        finishes = []
        for driver, leecher in zip(drivers, leechers, strict=True):
            word, _, done = leecher.read_line(RUN_SECONDS).partition(" ")
            if word != "done":
                raise leecher.failure(f"said {word!r}")
            finishes.append((driver.name, float(done) - start))
        busy = machine.busy_seconds() - busy
        copies = (network.sent(0) - sent) * PAYLOAD_SHARE / work.size
        for number in range(len(leechers)):
            if not work.same(out / str(number)):
                raise SystemExit(f"{cast.name}: the bytes of leecher {number} differ")
    finishes.sort(key=lambda finish: finish[1])
    return Run(
        cast=cast.name,
        size=work.size,
        bound_seconds=bound(work.size, link),
        finishes=finishes,
        copies=copies,
        core_percent=100 * busy / finishes[-1][1],
    )


def table(rounds: Sequence[Sequence[Run]]) -> str:
    """One row a cast and kind: the medians of its runs."""
    columns = [
        "swarm",
        "leechers",
        "median finish s",
        "last finish s",
        "to the bound",
        "copies from the seed",
        "% of a core",
    ]
    rows = []
    for runs in zip(*rounds, strict=True):
        kinds: list[str | None] = [*dict.fromkeys(kind for kind, _ in runs[0].finishes)]
        for kind in [None, *sorted(filter(None, kinds))] if len(kinds) > 1 else kinds:
            last = statistics.median(run.of(kind)[-1] for run in runs)
            rows.append(
                [
                    runs[0].cast if kind is None or len(kinds) == 1 else f"{runs[0].cast}: its {kind}",
                    str(len(runs[0].of(kind))),
                    f"{statistics.median(statistics.median(run.of(kind)) for run in runs):.1f}",
                    f"{last:.1f}",
                    f"{last / runs[0].bound_seconds:.2f}",
                    f"{statistics.median(run.copies for run in runs):.2f}",
                    f"{statistics.median(run.core_percent for run in runs):.0f}",
                ]
            )
    return report.markdown(columns, rows)


def main() -> None:
    """Race, print, save."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", type=workload.mebibytes, default=32, metavar="32M")
    parser.add_argument("--leechers", type=int, default=8)
    parser.add_argument("--up", type=float, default=20, metavar="MBIT/S", help="of each link")
    parser.add_argument("--down", type=float, default=100, metavar="MBIT/S", help="of each link")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", choices=[cast.name for cast in CASTS])
    args = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("network namespaces need root")
    link = Link(int(args.up * 1e6), int(args.down * 1e6))
    casts = [cast for cast in CASTS if args.only in {None, cast.name}]
    with ExitStack() as stack:
        scratch = stack.enter_context(machine.scratch())
        network = stack.enter_context(star(scratch, [link] * (args.leechers + 1)))
        tracker = stack.enter_context(serve(network.switch.listen()))
        work = stack.enter_context(workload.single_file(scratch, args.size * workload.MIB, PIECE_SIZE, tracker.url))
        machine.warm_memory((args.leechers + 1) * work.size)
        # Round by round, so that a machine that drifts is as kind to each swarm.
        rounds = [[race(cast, work, network, tracker, link, scratch) for cast in casts] for _ in range(args.runs)]
    title = f"One seed, {args.leechers} leechers, each behind {args.up:g} up and {args.down:g} Mbit/s down"
    heading = f"{args.size} MiB, {PIECE_SIZE >> 10} KiB pieces; medians of {args.runs}; "
    heading += f"fluid bound {rounds[0][0].bound_seconds:.1f} s"
    report.save("swarm", title, {heading: table(rounds)}, [asdict(run) for runs in rounds for run in runs])


if __name__ == "__main__":
    main()
