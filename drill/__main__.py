"""Run the fault drill on the real program, and say what came of each row.

    python -m drill [ROW...] [--short] [--list] [--seed N] [--jobs N]

Each row makes one fault happen to programs of its own, in a folder and a network of its own, and ends with the
invariant: what bittern claims after a restart is right, and nothing but the torrent's files has changed. Rows that
mostly wait run beside all others. The whole drill leaves its table in bench/results. Exit status 1 when a demand was
not met, or a row could not be run.
"""

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path
from random import Random, SystemRandom

from bench import machine, report
from drill.row import Outcome, Room, Row
from drill.rows import ROWS

Result = tuple[Row, Outcome | None, float]
_LOGS, _LOG_END = 3, 800
"""Of a row that failed so many logs are shown, the latest, and so many characters of each."""


def main() -> int:
    """Run, print, save."""
    parser = argparse.ArgumentParser(prog="drill", description=__doc__.partition("\n")[0])
    parser.add_argument("rows", nargs="*", metavar="ROW", help="which (all)")
    parser.add_argument("--short", action="store_true", help="fewer kills and shorter waits")
    parser.add_argument("--list", action="store_true", help="say what there is")
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(1 << 32), help="of all chance")
    jobs = (os.cpu_count() or 1) + 1
    parser.add_argument(
        "--jobs", type=int, default=jobs, help=f"rows beside each other, those that wait apart ({jobs})"
    )
    args = parser.parse_args()
    chosen = [row for row in ROWS if row.name in args.rows or not args.rows]
    if unknown := set(args.rows) - {row.name for row in ROWS}:
        parser.error(f"no such row: {', '.join(sorted(unknown))}; --list says what there is")
    if args.list:
        for row in chosen:
            print(f"{row.name}: {row.fault}\n    {row.demand}")
        return 0
    machine.enter_loopback_only("drill")
    _leave_the_terminal()
    print(f"seed {args.seed}", flush=True)
    begun = time.monotonic()
    with machine.scratch() as scratch:
        results = run_all(chosen, args.jobs, partial(run, scratch=scratch, seed=args.seed, short=args.short))
    minutes = (time.monotonic() - begun) / 60
    print(f"{len(results)} rows, {minutes:.1f} minutes", flush=True)
    if not args.rows and not args.short:
        _save(results, f"{len(results)} rows, {minutes:.0f} minutes, seed {args.seed}")
    return int(any(outcome is None or not outcome.passed for _, outcome, _ in results))


def run_all(rows: Sequence[Row], jobs: int, do: Callable[[Row], tuple[Outcome | None, float]]) -> list[Result]:
    """Run them: those that wait all at once, of the others `jobs` at a time; what came of each, in their order."""
    waiting = sum(row.waits for row in rows)
    with ThreadPoolExecutor(max(1, waiting)) as beside, ThreadPoolExecutor(jobs) as by_turns:
        begun = [(row, (beside if row.waits else by_turns).submit(do, row)) for row in rows]
        return [(row, *done.result()) for row, done in begun]


def _leave_the_terminal() -> None:
    """Be the same without one, under nohup, or in the background of a script: what we start inherits it.

    A signal that is ignored would be so in our programs as well, which must hear it; one that is caught is not.
    """
    nothing = os.open(os.devnull, os.O_RDWR)
    if nothing:  # else it was closed
        os.dup2(nothing, 0)
        os.close(nothing)
    os.set_inheritable(0, True)
    for kind in (signal.SIGHUP, signal.SIGINT):
        if signal.getsignal(kind) is signal.SIG_IGN:
            signal.signal(kind, lambda *_: None)


def run(row: Row, scratch: Path, seed: int, *, short: bool) -> tuple[Outcome | None, float]:
    """What came of the row, None when it could not be run here, and the seconds that it took; a line is printed."""
    if missing := row.missing():
        print(f"{row.name}: NOT RUN, {missing}", flush=True)
        return None, 0.0
    folder = scratch / row.name
    folder.mkdir()
    begun = time.monotonic()
    outcome = row.outcome(Room(folder, Random(f"{seed} {row.name}"), short=short))
    took = time.monotonic() - begun
    verdict = "held" if outcome.passed else "FAILED"
    print(f"{row.name}: {verdict}, {took:.1f} s; {_told(outcome)}", flush=True)
    if not outcome.passed:
        for log in sorted(folder.rglob("log-*.txt"), key=lambda path: path.stat().st_mtime_ns)[-_LOGS:]:
            print(f"--- {log.relative_to(folder)}\n{log.read_text(errors='replace')[-_LOG_END:]}", file=sys.stderr)
    return outcome, took


def _told(outcome: Outcome) -> str:
    figures = ", ".join(f"{name}: {value}" for name, value in outcome.figures.items())
    return "; ".join(text for text in (figures, outcome.remarks) if text)


def _save(results: Sequence[Result], title: str) -> None:
    cells = []
    for row, outcome, took in results:
        verdict = "not run" if outcome is None else "held" if outcome.passed else "FAILED"
        told = row.missing() or "" if outcome is None else _told(outcome)
        cells.append([row.name, row.fault, row.demand, verdict, f"{took:.0f}", told])
    table = report.markdown(["row", "fault", "demand", "outcome", "s", "figures"], cells)
    figures = [
        {"row": row.name, "seconds": round(took, 1), **(asdict(outcome) if outcome is not None else {"passed": None})}
        for row, outcome, took in results
    ]
    report.save("drill", "The fault drill", {title: table}, figures)


if __name__ == "__main__":
    sys.exit(main())
