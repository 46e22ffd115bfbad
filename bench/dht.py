"""Our node of the distributed hash table beside libtorrent's: questions a second that one core answers.

    python -m bench.dht [--seconds 5] [--clients bittern libtorrent] [--sources 16384] [--no-save]

In a network namespace of its own (so root) every address of 60.0.0.0/8 is a node of a crowd, played by one process on
the other core: it answers what the node under test asks, so its table fills, and then asks it, each question from
another address. `mix` is what nodes are asked as a rule: a tenth pings, the rest find_node and get_peers by halves, a
fifth of these for torrents that the node knows. The crowd may be what limits a fast node, so there is also what the
node would answer in a second of CPU time of its own. The aim: 10,000 answers a second.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import machine, report
from bench.drivers.dht_crowd import KINDS
from tests.interop.rigs.process import Running

ROOT = Path(__file__).parents[1]
DRIVERS = Path(__file__).parent / "drivers"
CLIENTS = ("bittern", "libtorrent")
NODE_HOST, NODE_PORT = "50.0.0.1", 6882
ROUTER = "60.1.2.3:6881"
START_SECONDS = 20.0
LOAD_SECONDS = 120.0
Figures = dict[str, Any]


def lay_out() -> None:
    """Make the crowd's network, and an address for the node, this machine's."""
    for command in (f"addr add {NODE_HOST}/32 dev lo", "route add local 60.0.0.0/8 dev lo"):
        subprocess.run(["ip", *command.split()], check=True)


def measure(client: str, folder: Path, sources: int, seconds: float, settle: float) -> Figures:
    """All figures of one node."""
    crowd_command = [sys.executable, str(DRIVERS / "dht_crowd.py"), f"{NODE_HOST}:{NODE_PORT}", str(sources)]
    node_command = [sys.executable, str(DRIVERS / "dht_node.py"), client, NODE_HOST, str(NODE_PORT), ROUTER]
    figures: Figures = {"client": client, "sources": sources}
    with (
        Running(crowd_command, folder / "crowd.log", talks=True, cwd=ROOT) as crowd,
        Running(node_command, folder / f"{client}.log", talks=True, cwd=ROOT) as node,
    ):
        crowd.read_line(START_SECONDS)
        node.read_line(START_SECONDS)
        crowd.say(f"settle {settle}")
        crowd.read_line(LOAD_SECONDS)
        for kind in KINDS:
            before = machine.usage(node.pid).cpu_seconds
            crowd.say(f"{kind} {seconds}")
            each: Figures = json.loads(crowd.read_line(LOAD_SECONDS))
            cpu = machine.usage(node.pid).cpu_seconds - before
            each["rate"] = each["answers"] / each["seconds"]
            each["rate_per_cpu_second"] = each["answers"] / max(cpu, 0.01)
            each["core_percent"] = 100 * cpu / each["seconds"]
            figures[kind] = each
        figures["rss_mib"] = machine.usage(node.pid).rss_bytes / (1 << 20)
    return figures


def table(runs: Sequence[Figures]) -> str:
    """A row for each node and kind of question."""
    rows = [
        [
            f"{run['client']}: {kind}",
            f"{run[kind]['rate']:,.0f}",
            f"{run[kind]['rate_per_cpu_second']:,.0f}",
            f"{run[kind]['core_percent']:.0f}",
            f"{run[kind]['bytes_answered']:.0f}",
            f"{run[kind]['p50_ms']:.2f}",
            f"{run[kind]['p99_ms']:.2f}",
            str(run[kind]["lost"]),
        ]
        for run in runs
        for kind in KINDS
    ]
    columns = ("answers", "a second", "a CPU second", "core %", "bytes each", "p50 ms", "p99 ms", "lost")
    return report.markdown(columns, rows)


def main() -> None:
    """Measure, print, save."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--sources", type=int, default=16384, help="nodes of the crowd")
    parser.add_argument("--settle", type=float, default=12.0, help="seconds for the node to fill its table")
    parser.add_argument("--clients", nargs="+", choices=CLIENTS, default=CLIENTS)
    parser.add_argument("--no-save", action="store_true", help="print only")
    args = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("a network of its own needs root")
    machine.enter_loopback_only("bench.dht")
    lay_out()
    with machine.scratch() as folder:
        runs = [measure(client, folder, args.sources, args.seconds, args.settle) for client in args.clients]
    if args.no_save:
        print(table(runs))
    else:
        report.save("dht", "Nodes of the distributed hash table", {"Questions answered": table(runs)}, runs)


if __name__ == "__main__":
    main()
