"""The load generator of bench/tracker.py: announces, as fast as one core makes them.

    python tracker_load.py udp|http|http-keep PORT [--count N | --seconds S] [--swarms N] [--peers N]

All peers are at 127.0.0.1: peer k is in swarm k modulo the swarms, at a port of its own there. It keeps WINDOW
announces under way and says one JSON object: how many were answered, how long it took, latencies, what was lost.
"""

import argparse
import json
import select
import socket
import struct
import time
from collections.abc import Callable, Iterator

WINDOW = 64
LOST_SECONDS = 0.5
FIRST_PORT = 1024
CONNECT = struct.pack(">QII", 0x41727101980, 0, 1)
ANNOUNCE = struct.Struct(">8sII20s20sQQQIIIiH")
PEER_ID = b"-XX0000-load00000000"


def options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["udp", "http", "http-keep"])
    parser.add_argument("port", type=int)
    parser.add_argument("--count", type=int)
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--swarms", type=int, default=10_000)
    parser.add_argument("--peers", type=int, default=1_000_000)
    return parser.parse_args()


def hashes(count: int) -> list[bytes]:
    """The info hashes of so many swarms."""
    return [number.to_bytes(20, "little") for number in range(1, count + 1)]


def peers(args: argparse.Namespace) -> Iterator[tuple[bytes, int]]:
    """Info hash and port of one peer after the other, from the first again after the last."""
    named = hashes(args.swarms)
    while True:
        for port in range(FIRST_PORT, FIRST_PORT + max(1, args.peers // args.swarms)):
            for info_hash in named:
                yield info_hash, port


def percentile(values: list[float], share: float) -> float:
    """In milliseconds."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] * 1e3 if values else 0.0


def udp(args: argparse.Namespace) -> tuple[int, int, list[float]]:
    """Announces on one socket: answers, losses, latencies in seconds."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        sock.connect(("127.0.0.1", args.port))
        sock.settimeout(5)
        sock.send(CONNECT)
        connection = sock.recv(100)[8:16]
        sock.settimeout(LOST_SECONDS)
        who, send, receive, clock = peers(args), sock.send, sock.recv, time.perf_counter
        total, number, waiting, lost = 0, 0, 0, 0
        sent_at: dict[bytes, float] = {}
        latencies: list[float] = []
        end = clock() + args.seconds
        most = args.count or 1 << 62
        while total < most and clock() < end:
            for _ in range(min(WINDOW - waiting, most - total - waiting)):
                info_hash, port = next(who)
                number = (number + 1) & 0xFFFFFFFF
                if not number & 15:
                    sent_at[number.to_bytes(4)] = clock()
                send(ANNOUNCE.pack(connection, 1, number, info_hash, PEER_ID, 0, port & 3, 0, 2, 0, 0, -1, port))
                waiting += 1
            try:
                answer = receive(2000)
                while True:
                    if answer[3] != 1:
                        raise SystemExit(f"refused: {answer[8:]!r}")
                    if sent_at and (at := sent_at.pop(answer[4:8], None)) is not None:
                        latencies.append(clock() - at)
                    waiting -= 1
                    total += 1
                    answer = receive(2000, socket.MSG_DONTWAIT) if waiting else b""
                    if not answer:
                        break
            except BlockingIOError:
                continue
            except TimeoutError:
                lost += waiting
                waiting = 0
        return total, lost, latencies


def http(args: argparse.Namespace, *, keep: bool) -> tuple[int, int, list[float]]:
    """Announces on WINDOW connections, a new one for each announce unless `keep`."""
    epoll, clock, who = select.epoll(), time.perf_counter, peers(args)
    at: dict[int, tuple[socket.socket, float]] = {}
    latencies: list[float] = []
    head = (
        b"HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: load\r\n" + (b"" if keep else b"Connection: close\r\n") + b"\r\n"
    )

    def request() -> bytes:
        info_hash, port = next(who)
        escaped = "".join(f"%{byte:02x}" for byte in info_hash)
        query = f"info_hash={escaped}&peer_id={PEER_ID.decode()}&port={port}&uploaded=0&downloaded=0&left={port & 3}"
        return f"GET /announce?{query}&compact=1&event=started ".encode() + head

    def begin() -> None:
        sock = socket.create_connection(("127.0.0.1", args.port))
        sock.send(request())
        at[sock.fileno()] = (sock, clock())
        epoll.register(sock, select.EPOLLIN)

    total, lost = 0, 0
    end, most = clock() + args.seconds, args.count or 1 << 62
    for _ in range(WINDOW):
        begin()
    while total < most and clock() < end:
        for descriptor, _ in epoll.poll(LOST_SECONDS):
            sock, began = at[descriptor]
            answer = sock.recv(4096)
            if b"5:peers" not in answer:
                lost += 1
            total += 1
            latencies.append(clock() - began)
            if keep and answer:
                sock.send(request())
                at[descriptor] = (sock, clock())
            else:
                epoll.unregister(descriptor)
                del at[descriptor]
                sock.close()
                begin()
    for sock, _ in at.values():
        sock.close()
    epoll.close()
    return total, lost, latencies


def main() -> None:
    """Load, and say how it went."""
    args = options()
    kinds: dict[str, Callable[[], tuple[int, int, list[float]]]] = {
        "udp": lambda: udp(args),
        "http": lambda: http(args, keep=False),
        "http-keep": lambda: http(args, keep=True),
    }
    began = time.perf_counter()
    total, lost, latencies = kinds[args.kind]()
    seconds = time.perf_counter() - began
    figures = {
        "announces": total,
        "lost": lost,
        "seconds": seconds,
        "p50_ms": percentile(latencies, 0.5),
        "p99_ms": percentile(latencies, 0.99),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
