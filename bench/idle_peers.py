"""What idle peers cost a seed: CPU and memory of many connections that only stay.

    python -m bench.idle_peers [--peers 200] [--seconds 30] [--clients libtorrent]

Each peer is a raw socket with an address of its own that has handshaken and says no more. bittern's aim: 200
of them cost less than 2 % of a core.
"""

import argparse
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import libtorrent as lt

from bench import machine, report, workload
from bench.peers import BITTERN, LIBTORRENT, Driver
from bench.workload import Workload

SETTLE_SECONDS = 3.0  # for what a seed does once after a connection
CONNECT_SECONDS = 10.0
HANDSHAKE_SIZE = 68
PROTOCOL = b"\x13BitTorrent protocol" + bytes(8)  # no extension is offered (BEP 3)


def connect(number: int, port: int, info_hash: bytes) -> socket.socket:
    """Peer `number`: handshaken, from an address of its own."""
    source = (f"127.0.{1 + number // 250}.{1 + number % 250}", 0)
    sock = socket.create_connection(("127.0.0.1", port), CONNECT_SECONDS, source)
    sock.sendall(PROTOCOL + info_hash + b"-XX0000-%012d" % number)
    answer = b""
    while len(answer) < HANDSHAKE_SIZE:
        data = sock.recv(HANDSHAKE_SIZE - len(answer))
        if not data:
            raise SystemExit(f"the seed refused peer {number}")
        answer += data
    return sock


def is_open(sock: socket.socket) -> bool:
    """Whether the seed still holds the connection; what it has sent is read away."""
    sock.setblocking(False)
    try:
        while sock.recv(1 << 16):
            pass
    except BlockingIOError:
        return True
    except ConnectionError:
        return False
    return False


def measure(driver: Driver, work: Workload, scratch: Path, peers: int, seconds: float) -> dict[str, float | str]:
    """CPU and memory of one seed with `peers` idle connections."""
    info_hash = lt.load_torrent_file(str(work.torrent)).info_hashes.v1.to_bytes()
    with ExitStack() as stack:
        seed, port = driver.start("seed", work.torrent, work.folder, scratch / "seed.log")
        stack.enter_context(seed)
        alone = machine.usage(seed.pid)
        sockets = [stack.enter_context(connect(number, port, info_hash)) for number in range(peers)]
        time.sleep(SETTLE_SECONDS)
        before, start = machine.usage(seed.pid), time.monotonic()
        time.sleep(seconds)
        after, elapsed = machine.usage(seed.pid), time.monotonic() - start
        return {
            "seed": driver.name,
            "peers": peers,
            "seconds": round(elapsed, 1),
            "still_open": sum(map(is_open, sockets)),
            "core_percent": 100 * (after.cpu_seconds - before.cpu_seconds) / elapsed,
            "peak_rss_mib": after.peak_rss_bytes / workload.MIB,
            "kib_a_peer": (after.rss_bytes - alone.rss_bytes) / 1024 / peers,
        }


def main() -> None:
    """Measure, print, save."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--peers", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--clients", choices=["libtorrent", "all"], default="all")
    args = parser.parse_args()
    machine.enter_loopback_only("bench.idle_peers")
    drivers = [LIBTORRENT, BITTERN] if args.clients == "all" else [LIBTORRENT]
    with machine.scratch() as scratch, workload.single_file(scratch, 64 * workload.MIB) as work:
        rows = [measure(driver, work, scratch, args.peers, args.seconds) for driver in drivers]
    columns = ["seed", "peers", "still open", "% of a core", "peak RSS MiB", "KiB a peer"]
    cells = [
        [
            str(row["seed"]),
            str(row["peers"]),
            str(row["still_open"]),
            f"{row['core_percent']:.2f}",
            f"{row['peak_rss_mib']:.0f}",
            f"{row['kib_a_peer']:.1f}",
        ]
        for row in rows
    ]
    title = f"Idle peers of one seed over {args.seconds:g} s"
    report.save("idle-peers", title, {"64 MiB torrent": report.markdown(columns, cells)}, rows)


if __name__ == "__main__":
    main()
