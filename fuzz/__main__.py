"""Command line: exit code 1 and the input in hexadecimal when an invariant broke."""

import argparse
import json
import sys
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import fuzz
from fuzz.corpus import REGRESSIONS, entries, keep
from fuzz.driver import Outcome, Target, judge, run

_PREFIX = "target_"
NAMES = sorted(
    module.name.removeprefix(_PREFIX) for module in iter_modules(fuzz.__path__) if module.name.startswith(_PREFIX)
)


def target_called(name: str) -> Target:
    """The target of `fuzz/target_NAME.py`."""
    target: Target = import_module(f"fuzz.{_PREFIX}{name}").TARGET
    assert target.name == name
    return target


def main(argv: list[str] | None = None) -> int:
    """Fuzz one target, or all in turn."""
    parser = argparse.ArgumentParser(prog="fuzz", description=fuzz.__doc__)
    parser.add_argument("target", choices=[*NAMES, "all"])
    parser.add_argument("--seconds", type=float, default=10.0, help="CPU time for each target; 0: what is known only")
    parser.add_argument("--total", type=float, help="CPU time for all targets together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="a folder for inputs that reach new lines; what is there is known")
    parser.add_argument("--json", action="store_true", help="print what came of it as one line of JSON")
    options = parser.parse_args(argv)
    chosen = NAMES if options.target == "all" else [options.target]
    seconds = options.total / len(chosen) if options.total is not None else options.seconds
    found = False
    for name in chosen:
        target = target_called(name)
        more = entries(name, options.keep) if options.keep else []
        outcome = run(target, seconds, options.seed, [*entries(name), *more])
        if options.keep:
            for data in outcome.fresh:
                keep(name, data, options.keep)
        found |= outcome.finding is not None or _regressed(target)
        print(_line(name, outcome) if options.json else _report(name, options.seed, outcome), flush=True)
    return int(found)


def _regressed(target: Target) -> bool:
    again = [judge(target, data)[1] for data in entries(target.name, REGRESSIONS)]
    for finding in filter(None, again):
        print(f"{target.name}: FAILED again: {finding.reason}\n{finding.data.hex()}", flush=True)
    return any(again)


def _report(name: str, seed: int, outcome: Outcome) -> str:
    line = f"{name}: seed {seed}, {outcome.inputs} inputs in {outcome.seconds:.1f} s, {outcome.lines} lines reached"
    if outcome.finding is None:
        return f"{line}, nothing found"
    return f"{line}\n{name}: FAILED: {outcome.finding.reason}\n{outcome.finding.data.hex()}"


def _line(name: str, outcome: Outcome) -> str:
    finding = outcome.finding and {"reason": outcome.finding.reason, "data": outcome.finding.data.hex()}
    return json.dumps({**asdict(outcome), "target": name, "fresh": len(outcome.fresh), "finding": finding})


if __name__ == "__main__":
    sys.exit(main())
