"""Ceilings: what bittern needs where everything is large, against the limits of `bench.ceilings.table`.

    python -m bench.ceilings [NAME...] [--short]

Each is measured in a process of its own; memory is what that one has. Limits on time are multiples of a control that
is measured in the same process. The exit status is 1 where a limit is broken.
"""

import argparse
import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from bench import machine, report

from .meter import Measured, Meter, Step
from .table import CEILINGS, broken


def child(name: str, *, short: bool) -> None:
    """Measure one here, and print its steps as JSON."""
    meter = Meter()
    with machine.scratch() as folder:
        CEILINGS[name].run(meter, folder, short=short)
    print(json.dumps({"unit": meter.unit, "steps": [asdict(step) for step in meter.steps]}))


def measure(name: str, *, short: bool) -> list[Measured]:
    """Measure one in a process of its own."""
    command = [sys.executable, "-m", "bench.ceilings", name, "--child", *(["--short"] if short else [])]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
    steps = json.loads(done.stdout.splitlines()[-1])["steps"]
    return [Measured(**{**step, "cost": Step(**step["cost"])}) for step in steps]


def table(steps: list[Measured]) -> str:
    """The steps of one."""
    columns = ["step", "seconds", "CPU seconds", "held up, ms", "peak MiB", "files", "tasks"]
    rows = []
    for step in steps:
        cost = step.cost
        unit = step.cpu_seconds / cost.controls if cost.controls else 0.0
        figures = [f"{step.seconds:.2f}", f"{step.cpu_seconds:.2f}", f"{1000 * cost.held_up * unit:.0f}"]
        rows.append([step.name, *figures, f"{cost.grown_mib:.0f}", str(cost.files), str(cost.tasks)])
    return report.markdown(columns, rows)


def main() -> int:
    """Measure, print, save; how it went."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(CEILINGS))
    parser.add_argument("--short", action="store_true", help="small: whether it works, not what it costs")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--no-save", action="store_true", help="print only")
    args = parser.parse_args()
    if unknown := sorted(set(args.names) - set(CEILINGS)):
        parser.error(f"no such ceiling: {', '.join(unknown)}")
    if args.child:
        child(args.names[0], short=args.short)
        return 0
    machine.enter_loopback_only("bench.ceilings")
    tables, figures, complaints = {}, [], []
    for name in args.names or CEILINGS:
        steps = measure(name, short=args.short)
        tables[CEILINGS[name].title] = table(steps)
        print(f"{CEILINGS[name].title}\n{tables[CEILINGS[name].title]}", flush=True)
        figures += [{"ceiling": name, **asdict(step)} for step in steps]
        complaints += broken(name, steps, short=args.short)
    if not (args.no_save or args.short or args.names):
        report.save("ceilings", "Ceilings", tables, figures)
    print("\n".join(complaints))
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
