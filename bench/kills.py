"""kill -9 again and again: does bittern claim what is not there, or fetch again what is?

    python -m bench.kills [--kills 100] [--checks 20] [--size 256M] [--rate 20M] [--seed N]

One download from a libtorrent seed is killed at random moments, then checks of the complete file are, a piece of
which was spoiled each time. After every kill it is started again with nobody to download from: what it then tells a
peer that it has is compared with the bytes in the file. *False* pieces are claimed and wrong; *forgotten* ones are
right and not claimed, so they would be fetched again; *on its way* are bytes that came and were in no whole piece in
the file when it died. bittern's aims: nothing false, and no more than 1 % of the torrent forgotten.
"""

import argparse
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from random import Random, SystemRandom

from bench import machine, report, workload
from tests.faults.rigs.kills import Drill, Kill
from tests.faults.rigs.torrent import NAME, PIECE, make
from tests.interop.rigs.content import Content
from tests.interop.rigs.libtorrent import Libtorrent
from tests.interop.rigs.place import LOOPBACK

AIM_FORGOTTEN = 0.01  # of the torrent


def table(kills: Sequence[Kill], size: int) -> str:
    """One row for what was killed."""
    columns = ["killed during", "kills", "false pieces", "forgotten, % of the torrent"]
    columns += ["on its way KiB: median", "most", "in all, % of the torrent"]
    rows = []
    for during in dict.fromkeys(kill.during for kill in kills):
        group = [kill for kill in kills if kill.during == during]
        lost = [kill.lost for kill in group]
        rows.append(
            [
                during,
                str(len(group)),
                str(sum(kill.false for kill in group)),
                f"{100 * forgotten(group, size):.2f}",
                f"{statistics.median(lost) / 1024:.0f}",
                f"{max(lost) / 1024:.0f}",
                f"{100 * sum(lost) / size:.1f}",
            ]
        )
    return report.markdown(columns, rows)


def forgotten(kills: Sequence[Kill], size: int) -> float:
    """The part of the torrent that would be fetched again though it was in the file."""
    return sum(kill.forgotten for kill in kills) * PIECE / size


def main() -> None:
    """Kill, print, save."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=100, help="of the download")
    parser.add_argument("--checks", type=int, default=20, help="kills of checks")
    parser.add_argument("--size", type=workload.mebibytes, default=256, metavar="256M")
    parser.add_argument("--rate", default="20M", help="of the download")
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(1 << 32), help="of the random moments")
    args = parser.parse_args()
    machine.enter_loopback_only("bench.kills")
    print(f"seed {args.seed}", flush=True)
    size = args.size * workload.MIB
    with tempfile.TemporaryDirectory(prefix="bittern-bench-", dir=machine.SHM) as folder:
        scratch = Path(folder)
        torrent = make(scratch / "content", size)
        work = scratch / "seed"
        work.mkdir()
        with Libtorrent().seed(torrent.path, Content(torrent.folder, NAME), LOOPBACK, work) as seed:
            options = ("--down-limit", args.rate)
            drill = Drill(torrent, seed.port, scratch / "get", Random(args.seed), options)
            kills = [*drill.download(args.kills), *drill.check(args.checks)]
    heading = f"{args.size} MiB, {PIECE >> 10} KiB pieces, {args.rate}iB/s, seed {args.seed}"
    report.save("kills", "kill -9 of bittern", {heading: table(kills, size)}, [asdict(kill) for kill in kills])
    if any(kill.false for kill in kills) or forgotten(kills, size) > AIM_FORGOTTEN:
        raise SystemExit("it claimed what it had not, or forgot too much of what it had")


if __name__ == "__main__":
    main()
