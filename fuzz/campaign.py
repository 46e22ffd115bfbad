"""All targets in turn, again and again, in processes of their own: `python -m fuzz.campaign --until HH:MM`.

Each turn is a new process with the next seed, so that what was mended meanwhile is what runs. What came of it is added
up in `build/fuzz.json`; the table in `bench/results` is written at the end.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any

from bench import report
from fuzz.__main__ import NAMES
from fuzz.corpus import CORPUS, keep

LEDGER = Path("build/fuzz.json")
FINDINGS = Path("build/findings")
FOUND = Path("build/corpus")
"""What reached new lines; `python -m fuzz.tidy` takes what is worth it into `fuzz/corpus`."""
_GRACE_SECONDS = 5.0
_AT_ONCE_SECONDS = 5.0
"""CPU time within which a finding is in what was known before: more turns would end there, too."""

Figures = dict[str, Any]


class Campaign:
    """What was done so far, and what is next.

    Args:
        seconds: of CPU time a turn.
        enough: CPU seconds after which a target has no more turns.
        until: when the last turn ends, by `time.time`.
        names: of the targets that have turns.
    """

    def __init__(self, seconds: float, enough: float, until: float, names: Sequence[str] = NAMES) -> None:
        self._names = names
        self._seconds = seconds
        self._enough = enough
        self._until = until
        self._lock = Lock()
        self._busy: set[str] = set()
        self._broken: set[str] = set()
        self.ledger: dict[str, Figures] = json.loads(LEDGER.read_text()) if LEDGER.exists() else {}

    def work(self) -> None:
        """Give turns to who had fewest inputs, until the time is over: a whole handler takes a hundred times longer."""
        while (name := self._next()) is not None:
            self._turn(name)

    def _next(self) -> str | None:
        with self._lock:
            out = self._busy | self._broken
            waiting = [name for name in self._names if self._spent(name) < self._enough and name not in out]
            if not waiting or time.time() > self._until - _GRACE_SECONDS:
                return None
            name = min(waiting, key=self._tried)
            self._busy.add(name)
            return name

    def _spent(self, name: str) -> float:
        return float(self.ledger.get(name, {}).get("seconds", 0.0))

    def _tried(self, name: str) -> int:
        return int(self.ledger.get(name, {}).get("inputs", 0))

    def _turn(self, name: str) -> None:
        turns = self.ledger.get(name, {}).get("turns", 0)
        command = [sys.executable, "-m", "fuzz", name, "--json", "--seconds", f"{self._seconds:g}"]
        command += ["--seed", str(turns + 1), "--keep", str(FOUND)]
        left = max(1.0, self._until - time.time())
        said: Figures | None = None
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=left, check=False)
        except subprocess.TimeoutExpired:
            pass
        else:
            if done.stdout.startswith("{"):
                said = json.loads(done.stdout)
            else:
                print(f"{name} broke off:\n{done.stdout}{done.stderr[-2000:]}", flush=True)
        with self._lock:
            self._busy.discard(name)
            if said is not None:
                self._enter(name, said)
            if said is None or (said["finding"] and said["seconds"] < _AT_ONCE_SECONDS):
                self._broken.add(name)

    def _enter(self, name: str, said: Figures) -> None:
        figures = self.ledger.setdefault(
            name, {"turns": 0, "seconds": 0.0, "inputs": 0, "lines": 0, "growth": 0, "findings": []}
        )
        figures["turns"] += 1
        figures["seconds"] += said["seconds"]
        figures["inputs"] += said["inputs"]
        figures["lines"] = max(figures["lines"], said["lines"])
        figures["growth"] = max(figures["growth"], said["growth"])
        if said["finding"]:
            figures["findings"].append(said["finding"]["reason"])
            path = keep(name, bytes.fromhex(said["finding"]["data"]), FINDINGS)
            print(f"{name}: {said['finding']['reason']}: {path}", flush=True)
        LEDGER.parent.mkdir(exist_ok=True)
        LEDGER.write_text(json.dumps(self.ledger, indent=1))


def table(ledger: dict[str, Figures]) -> str:
    """What was done, a row for each target."""
    columns = ("target", "CPU s", "inputs", "inputs/s", "lines reached", "corpus files", "grew by MiB", "findings")
    rows = []
    for name, figures in sorted(ledger.items()):
        rate = figures["inputs"] / max(figures["seconds"], 1e-9)
        files = len(list((CORPUS / name).glob("*")))
        rows.append(
            (
                *(name, f"{figures['seconds']:.0f}", f"{figures['inputs']}", f"{rate:.0f}", f"{figures['lines']}"),
                *(f"{files}", f"{figures['growth'] / 2**20:.1f}", f"{len(figures['findings'])}"),
            )
        )
    return report.markdown(columns, rows)


def main(argv: list[str] | None = None) -> None:
    """Run turns, then write what came of all so far."""
    parser = argparse.ArgumentParser(prog="fuzz.campaign", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="TARGET", help=f"all, if none is named: {', '.join(NAMES)}")
    parser.add_argument("--until", help="HH:MM UTC; without it, only write the table")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=60.0, help="CPU time of a turn")
    parser.add_argument("--enough", type=float, default=600.0, help="CPU time of a target in all")
    options = parser.parse_args(argv)
    if unknown := sorted({*options.names} - {*NAMES}):
        parser.error(f"no such target: {', '.join(unknown)}")
    until = 0.0
    if options.until:
        now = time.time()
        hour, minute = map(int, options.until.split(":"))
        until = now - now % 86400 + hour * 3600 + minute * 60
    campaign = Campaign(options.seconds, options.enough, until, options.names or NAMES)
    with ThreadPoolExecutor(options.jobs) as pool:
        for each in [pool.submit(campaign.work) for _ in range(options.jobs)]:
            each.result()
    figures = [{"target": name, **campaign.ledger[name]} for name in sorted(campaign.ledger)]
    report.save("fuzz", "Fuzzing", {"Targets": table(campaign.ledger)}, figures)


if __name__ == "__main__":
    main()
