"""Our tracker beside opentracker (Debian): announces a second, latency, and memory a peer.

    python -m bench.tracker [--peers 1000000] [--swarms 10000] [--seconds 4] [--trackers bittern bittern-2 opentracker]

One load generator on one core; one tracker process, or two workers (`bittern-2`). First every peer announces once
over UDP, which fills the swarms and tells what a peer costs; then announces go on for some seconds over UDP, over HTTP
with a connection each, and over HTTP connections that stay. Over HTTP the generator costs about as much as a tracker,
and on two cores it takes a part of theirs from two workers, so there is also what a tracker would do in a second of
CPU time of its own, and how busy the generator was. What two workers are worth is measured once more where each
process gets 0.4 of a core, so that there is enough for all. bittern's aims: half of opentracker's UDP rate in one
process, 200 bytes a peer, and 1.5 times its own rate with two workers.
"""

import argparse
import contextlib
import json
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import machine, report
from bench.drivers.tracker_load import hashes
from tests.interop.rigs.process import Running, wait_until

ROOT = Path(__file__).parents[1]
LOAD = Path(__file__).parent / "drivers" / "tracker_load.py"
TRACKERS = ("bittern", "bittern-2", "opentracker")
LOADS = {"udp": "UDP", "http": "HTTP", "http-keep": "HTTP keep-alive"}
START_SECONDS = 20.0
SETTLE_SECONDS = 0.5  # opentracker reads its list when it listens already
LOAD_SECONDS = 300.0
SHARE = 0.4  # of a core
UNDER_WAY = {"bittern-2": 512}
"""Announces without an answer over UDP that keep all workers busy; opentracker's receive buffer lost some of 256."""
Figures = dict[str, Any]


def free_port() -> int:
    """A port that is free for TCP and UDP just now."""
    while True:
        with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            with contextlib.suppress(OSError):
                udp.bind(tcp.getsockname())
                return int(tcp.getsockname()[1])


def listens(port: int) -> bool:
    """Whether somebody takes connections there."""
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def running(name: str, folder: Path, swarms: int) -> Iterator[tuple[Running, int]]:
    """A tracker without limits on 127.0.0.1, and its port for both protocols."""
    port = free_port()
    where = ("--listen", "127.0.0.1", "--http-port", str(port), "--udp-port", str(port))
    with machine.scratch(Path(tempfile.gettempdir())) as shared:
        # Debian's opentracker serves only torrents that it is told of, and reads its list as nobody.
        shared.chmod(0o755)
        whitelist = shared / "whitelist.txt"
        whitelist.write_text("".join(f"{info_hash.hex()}\n" for info_hash in hashes(swarms)))
        ours = [sys.executable, "-m", "bittern", "tracker", "--ip-rate", "0", *where]
        command = {
            "bittern": ours,
            "bittern-2": [*ours, "--workers", "2"],
            "opentracker": [
                *("opentracker", "-i", "127.0.0.1", "-p", str(port), "-P", str(port)),
                *("-u", "nobody", "-d", str(shared), "-w", whitelist.name),
            ],
        }[name]
        with Running(command, folder / f"{name}.log", cwd=ROOT) as process:
            if not wait_until(lambda: listens(port) or process.exit_code is not None, START_SECONDS):
                raise process.failure("does not listen")
            time.sleep(SETTLE_SECONDS)
            if process.exit_code is not None:
                raise process.failure("has ended")
            yield process, port


def load(kind: str, process: Running, port: int, *how: str) -> Figures:
    """What the generator measured, and the CPU time that the tracker took for it."""
    before = machine.usage(process.pid).cpu_seconds
    command = [sys.executable, str(LOAD), kind, str(port), *how]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=LOAD_SECONDS)
    figures: Figures = json.loads(done.stdout)
    cpu = machine.usage(process.pid).cpu_seconds - before
    figures["rate"] = figures["announces"] / figures["seconds"]
    figures["rate_per_cpu_second"] = figures["announces"] / max(cpu, 0.01)
    figures["core_percent"] = 100 * cpu / figures["seconds"]
    figures["load_percent"] = 100 * figures["load_cpu_seconds"] / figures["seconds"]
    return figures


def measure(name: str, folder: Path, peers: int, swarms: int, seconds: float) -> Figures:
    """All figures of one tracker."""
    crowd = ("--peers", str(peers), "--swarms", str(swarms), "--under-way", str(UNDER_WAY.get(name, 128)))
    with running(name, folder, swarms) as (process, port):
        empty = machine.usage(process.pid).rss_bytes
        figures: Figures = {"tracker": name, "peers": peers, "swarms": swarms}
        figures["fill"] = load("udp", process, port, *crowd, "--count", str(peers))
        figures["bytes_a_peer"] = (machine.usage(process.pid).rss_bytes - empty) / peers
        for kind in LOADS:
            # opentracker ends each connection
            if kind != "http-keep" or name != "opentracker":
                figures[kind] = load(kind, process, port, *crowd, "--seconds", str(seconds))
                time.sleep(0.2)
    return figures


def scaling(folder: Path, seconds: float) -> list[Figures]:
    """Rates of one process and of two workers with a share of a core for each; medians of three runs, turn by turn."""
    rates: dict[str, dict[str, list[float]]] = {name: {kind: [] for kind in LOADS} for name in ("bittern", "bittern-2")}
    crowd = ("--peers", "100000", "--swarms", "1000", "--under-way", "512", "--seconds", str(seconds))
    for _ in range(3):
        for name, of in rates.items():
            with running(name, folder, 1000) as (process, port), machine.limited_cores(process.pid, SHARE) as works:
                if not works:
                    return []
                for kind, found in of.items():
                    found.append(load(kind, process, port, *crowd)["rate"])
    medians = {name: {kind: statistics.median(found) for kind, found in of.items()} for name, of in rates.items()}
    return [{"load": kind, **{name: medians[name][kind] for name in rates}} for kind in LOADS]


def scaling_table(rows: Sequence[Figures]) -> str:
    """A row for each kind of load."""
    cells = []
    for row in rows:
        one, two = row["bittern"], row["bittern-2"]
        cells.append([LOADS[row["load"]], f"{one:,.0f}", f"{two:,.0f}", f"{two / one:.2f}"])
    return report.markdown(("announces a second", "one process", "two workers", "ratio"), cells)


def table(runs: Sequence[Figures]) -> str:
    """A row for each tracker and kind of load."""
    rows = []
    for run in runs:
        for kind, title in {"fill": "UDP, new peers", **LOADS}.items():
            if kind in run:
                each = run[kind]
                rows.append(
                    [
                        f"{run['tracker']}: {title}",
                        f"{each['rate']:,.0f}",
                        f"{each['rate_per_cpu_second']:,.0f}",
                        f"{each['core_percent']:.0f}",
                        f"{each['load_percent']:.0f}",
                        f"{each['p50_ms']:.2f}",
                        f"{each['p99_ms']:.2f}",
                        str(each["lost"]),
                    ]
                )
    columns = ("announces", "a second", "a CPU second", "core %", "load %", "p50 ms", "p99 ms", "lost")
    return report.markdown(columns, rows)


def memory(runs: Sequence[Figures]) -> str:
    """A row for each tracker."""
    rows = [[run["tracker"], f"{run['peers']:,}", f"{run['swarms']:,}", f"{run['bytes_a_peer']:.0f}"] for run in runs]
    return report.markdown(("tracker", "peers", "swarms", "bytes a peer"), rows)


def main() -> None:
    """Measure, print, save."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--peers", type=int, default=1_000_000)
    parser.add_argument("--swarms", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--trackers", nargs="+", choices=TRACKERS, default=TRACKERS)
    args = parser.parse_args()
    machine.enter_loopback_only("bench.tracker")
    there = [name for name in args.trackers if name != "opentracker" or shutil.which("opentracker")]
    with machine.scratch() as folder:
        runs = [measure(name, folder, args.peers, args.swarms, args.seconds) for name in there]
        both = {"bittern", "bittern-2"} <= set(there)
        scaled = scaling(folder, args.seconds) if both else []
    tables = {"Announces": table(runs), "Memory": memory(runs)}
    if scaled:
        tables[f"With {SHARE} of a core for each process"] = scaling_table(scaled)
    report.save("tracker", "Trackers", tables, [*runs, *scaled])


if __name__ == "__main__":
    main()
