"""kill -9 again and again: does bittern claim what is not there, or fetch again what is?

    python -m bench.kills [--kills 100] [--checks 20] [--moves 20] [--size 128M] [--rate 20M] [--seed N]

One download from a libtorrent seed is killed at random moments that are spread evenly over it. After every kill it
is started again, and before it may go on, what it tells a peer that it has is compared with the bytes in the file.
*False* pieces are claimed and wrong; *forgotten* ones are right and not claimed. *Again* are bytes that the seed has
to send once more. They can not be more than what was *in flight*: blocks that were asked for, of pieces that nobody
had been told of when the kill came; a proxy before the seed reads that off the wire. Then checks of the file are
killed, a piece of which was spoiled each time, and moves of a torrent of 16 files, to the same file system and to
another, which must all be whole after each. bittern's aims: nothing false; of the torrent no more than 1 % again
beyond what was in flight, all kills together.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from random import Random, SystemRandom
from typing import TypeVar

from bench import machine, report, workload
from bittern.engine.settings import EngineSettings
from tests.faults.rigs.kills import Drill, Kill
from tests.faults.rigs.torrent import BLOCK, NAME, PIECE, make
from tests.interop.rigs.content import Content
from tests.interop.rigs.libtorrent import Libtorrent
from tests.interop.rigs.place import LOOPBACK
from tests.session.moves import MoveKill, Moves

AIM_AGAIN = 0.01  # of the torrent, beyond what was in flight
WINDOW = EngineSettings().max_requests_outstanding * BLOCK + EngineSettings().disk_queue_bytes + PIECE
"""The most that can be in flight with one peer: asked ahead, given to the disk, and the rest of a piece."""
Each = TypeVar("Each")


def table(kills: Sequence[Kill], size: int) -> str:
    """One row for what was killed."""
    columns = ["killed during", "kills", "false pieces", "forgotten pieces"]
    columns += ["again KiB: median", "most", "in all, % of the torrent", "in flight KiB: median", "most"]
    rows = []
    for during in dict.fromkeys(kill.during for kill in kills):
        group = [kill for kill in kills if kill.during == during]
        again, in_flight = [kill.again for kill in group], [kill.in_flight for kill in group]
        rows.append(
            [
                during,
                str(len(group)),
                str(sum(kill.false for kill in group)),
                str(sum(kill.forgotten for kill in group)),
                *(f"{statistics.median(again) / 1024:.0f}", f"{max(again) / 1024:.0f}"),
                f"{100 * sum(again) / size:.1f}",
                *(f"{statistics.median(in_flight) / 1024:.0f}", f"{max(in_flight) / 1024:.0f}"),
            ]
        )
    return report.markdown(columns, rows)


def table_of_moves(kills: Sequence[MoveKill]) -> str:
    """One row for each way to move."""
    rows = []
    for kind in dict.fromkeys(kill.kind for kill in kills):
        group = [kill for kill in kills if kill.kind == kind]
        halfway = sum(bool(kill.old_bytes and kill.new_bytes) for kill in group)
        rows.append([f"{kind} file system", str(len(group)), str(halfway), str(sum(k.draft_bytes > 0 for k in group))])
    return report.markdown(["killed during a move to", "kills", "files in both places", "a file half copied"], rows)


def shortfalls(kills: Sequence[Kill], size: int) -> list[str]:
    """Which aims were missed."""
    beyond = sum(kill.again - kill.in_flight for kill in kills)
    found = [f"{kill.false} false pieces after a kill of the {kill.during}" for kill in kills if kill.false]
    if beyond > AIM_AGAIN * size:
        found.append(f"{beyond} bytes came again though they were not in flight")
    found += [f"{kill.in_flight} bytes were in flight" for kill in kills if kill.in_flight > WINDOW]
    return found


def shown(what: str, count: int, each: Iterable[Each]) -> list[Each]:
    """All of `each`, and a line on standard error that says how far it is."""
    begun, got = time.monotonic(), []
    for one in each:
        got.append(one)
        sys.stderr.write(f"\r{what}: {len(got)} of {count} kills, {time.monotonic() - begun:.0f} s ")
        sys.stderr.flush()
    sys.stderr.write("\n")
    return got


def main() -> None:
    """Kill, print, save."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=100, help="of the download")
    parser.add_argument("--checks", type=int, default=20, help="kills of checks")
    parser.add_argument("--moves", type=int, default=20, help="kills of moves")
    parser.add_argument("--size", type=workload.mebibytes, default=128, metavar="128M")
    parser.add_argument("--rate", default="20M", help="of the download")
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(1 << 32), help="of the random moments")
    args = parser.parse_args()
    machine.enter_loopback_only("bench.kills")
    print(f"seed {args.seed}", flush=True)
    size = args.size * workload.MIB
    begun = time.monotonic()
    with machine.scratch() as scratch:
        kills = _kill_downloads(scratch, args, size)
        (scratch / "moves").mkdir()
        moves = shown("move", args.moves, Moves(scratch / "moves", Random(args.seed)).kill(args.moves))
    heading = f"{args.size} MiB, {PIECE >> 10} KiB pieces, {args.rate}iB/s, seed {args.seed}"
    took = f"16 files, 24 MiB; all whole after each kill; {time.monotonic() - begun:.0f} s for everything on this page"
    tables = {heading: table(kills, size), took: table_of_moves(moves)}
    report.save(
        "kills", "kill -9 of bittern", tables, [asdict(kill) for kill in kills] + [asdict(kill) for kill in moves]
    )
    if missed := shortfalls(kills, size):
        raise SystemExit("\n".join(missed))


def _kill_downloads(scratch: Path, args: argparse.Namespace, size: int) -> list[Kill]:
    torrent = make(scratch / "content", size)
    work = scratch / "seed"
    work.mkdir()
    with Libtorrent().seed(torrent.path, Content(torrent.folder, NAME), LOOPBACK, work) as seed:
        drill = Drill(torrent, seed.port, scratch / "get", Random(args.seed), ("--down-limit", args.rate))
        kills = shown("download", args.kills, drill.download(args.kills))
        return kills + shown("check", args.checks, drill.check(args.checks))


if __name__ == "__main__":
    main()
