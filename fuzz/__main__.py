"""Command line: exit code 1 and the input in hexadecimal when an invariant broke."""

import argparse
import sys

from fuzz.driver import run
from fuzz.target_bencode import TARGET as BENCODE
from fuzz.target_magnet import TARGET as MAGNET
from fuzz.target_metainfo import TARGET as METAINFO
from fuzz.target_paths import TARGET as PATHS
from fuzz.target_resume import TARGET as RESUME

TARGETS = {target.name: target for target in (BENCODE, MAGNET, METAINFO, PATHS, RESUME)}


def main(argv: list[str] | None = None) -> int:
    """Fuzz one target, or all in turn."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("target", choices=[*TARGETS, "all"])
    parser.add_argument("--seconds", type=float, default=10.0, help="for each target")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    chosen = list(TARGETS.values()) if options.target == "all" else [TARGETS[options.target]]
    found = False
    for target in chosen:
        print(f"{target.name}: seed {options.seed}, {options.seconds:g} s", flush=True)
        count, finding = run(target, options.seconds, options.seed)
        if finding:
            found = True
            print(f"{target.name}: input {count} FAILED: {finding.reason}\n{finding.data.hex()}", flush=True)
        else:
            print(f"{target.name}: {count} inputs, nothing found", flush=True)
    return int(found)


if __name__ == "__main__":
    sys.exit(main())
