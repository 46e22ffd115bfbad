"""What thousands of seeding torrents that nobody asks for cost: to start again, in memory, and idle.

    python -m bench.many_torrents [--torrents 10000] [--seconds 30] [--clients all|bittern]

Each client adds them once and ends; measured is its next start. bittern's aims for 10,000: running in less than
2 s, less than 100 MiB, less than 1 % of a core, and less than libtorrent in all three.
"""

import argparse
import sys
import time
from dataclasses import dataclass
from hashlib import sha1
from pathlib import Path
from random import Random

from bench import machine, report, workload
from bench.peers import ROOT
from bittern.codec.bencode import encode
from tests.interop.rigs.process import Running

START_SECONDS = 600.0
SETTLE_SECONDS = 3.0
SETTLE_SECONDS_EACH = 0.001
"""For what a client does once after a start: bittern looks at the files of all, at most 1,600 torrents a second."""
PIECE = 16384
DRIVERS = {name: ROOT / "bench" / "drivers" / f"{name}_many.py" for name in ("libtorrent", "bittern")}


@dataclass(frozen=True, slots=True)
class Cost:
    """What one client needs.

    Attributes:
        client: its name.
        torrents: that seed.
        start_seconds: from its first line until all of them seed.
        rss_mib: after the start, in all.
        peak_rss_mib: up to the end.
        core_percent: while nothing happens.
    """

    client: str
    torrents: int
    start_seconds: float
    rss_mib: float
    peak_rss_mib: float
    core_percent: float


def make_torrents(folder: Path, count: int) -> None:
    """`count` torrents of one small file each, with 40 pieces: their hashes are what would weigh."""
    rng = Random(1)
    content = folder / "content"
    content.mkdir(parents=True)
    data = rng.randbytes(PIECE) * 40
    hashes = sha1(data[:PIECE]).digest() * 40
    for number in range(count):
        name = f"{number:06}.bin"
        with (content / name).open("wb") as file:
            file.truncate(len(data))  # nobody reads them: sparse files are enough
        info = {"length": len(data), "name": name, "piece length": PIECE, "pieces": hashes}
        (folder / f"{number:06}.torrent").write_bytes(b"d4:info" + encode(info) + b"e")


def measure(client: str, torrents: Path, scratch: Path, seconds: float) -> Cost:
    """Fill a client, start it again, and look at it."""
    command = [sys.executable, str(DRIVERS[client])]
    places = [str(scratch / f"{client}-state"), str(torrents)]
    with Running([*command, "fill", *places], scratch / f"{client}-fill.log", talks=True, cwd=ROOT) as filling:
        filling.read_line(START_SECONDS)
        filling.wait(START_SECONDS)
    with Running([*command, "run", *places], scratch / f"{client}-run.log", talks=True, cwd=ROOT) as running:
        word, start, count, _port = running.read_line(START_SECONDS).split()
        if word != "ready":
            raise running.failure(f"said {word!r}")
        time.sleep(SETTLE_SECONDS + SETTLE_SECONDS_EACH * int(count))
        before, began = machine.usage(running.pid), time.monotonic()
        time.sleep(seconds)
        after, elapsed = machine.usage(running.pid), time.monotonic() - began
    return Cost(
        client=client,
        torrents=int(count),
        start_seconds=float(start),
        rss_mib=after.rss_bytes / workload.MIB,
        peak_rss_mib=after.peak_rss_bytes / workload.MIB,
        core_percent=100 * (after.cpu_seconds - before.cpu_seconds) / elapsed,
    )


def main() -> None:
    """Measure, print, save."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--torrents", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--clients", choices=["all", *DRIVERS], default="all")
    parser.add_argument("--no-save", action="store_true", help="print only")
    args = parser.parse_args()
    machine.enter_loopback_only("bench.many_torrents")
    clients = list(DRIVERS) if args.clients == "all" else [args.clients]
    with machine.scratch() as scratch:
        make_torrents(scratch / "torrents", args.torrents)
        costs = [measure(client, scratch / "torrents", scratch, args.seconds) for client in clients]
    columns = ["client", "torrents", "start s", "RSS MiB", "peak RSS MiB", "% of a core"]
    cells = [
        [
            cost.client,
            str(cost.torrents),
            f"{cost.start_seconds:.2f}",
            f"{cost.rss_mib:.0f}",
            f"{cost.peak_rss_mib:.0f}",
            f"{cost.core_percent:.2f}",
        ]
        for cost in costs
    ]
    table = report.markdown(columns, cells)
    if args.no_save:
        print(table)
    else:
        figures = [{name: getattr(cost, name) for name in Cost.__slots__} for cost in costs]
        report.save("many-torrents", f"Many idle torrents over {args.seconds:g} s", {"After a restart": table}, figures)


if __name__ == "__main__":
    main()
