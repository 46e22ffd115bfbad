"""The load generator of bench/tracker.py: announces, as fast as one core makes them.

    python tracker_load.py udp|http|http-keep PORT [--count N | --seconds S] [--swarms N] [--peers N]

All peers are at 127.0.0.1: peer k is in swarm k modulo the swarms, at a port of its own there. It keeps a number of
announces under way and says one JSON object: how many were answered, how long it took, the CPU time that it took
itself, latencies, what was lost. Over UDP they go out 64 at a time (sendmmsg), so it costs much less than a tracker.
"""

import argparse
import ctypes
import json
import select
import socket
import struct
import time
from collections.abc import Callable, Iterator
from hashlib import sha1

CONNECTIONS = 256
BATCH = 64
UNDER_WAY = 2 * BATCH  # opentracker has the default receive buffer, and lost some of 256
LOST_SECONDS = 0.5
FIRST_PORT = 1024
CONNECT = struct.pack(">QII", 0x41727101980, 0, 1)
ANNOUNCE = struct.Struct(">8sII20s20sQQQIIIiH")
SLOT = 2048
MSG_WAITFORONE = 0x10000
PEER_ID = b"-XX0000-load00000000"


class Vector(ctypes.Structure):
    """struct iovec."""

    _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))


class Message(ctypes.Structure):
    """struct mmsghdr, of a connected socket."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_size", ctypes.c_uint32),
        ("vectors", ctypes.c_void_p),
        ("vector_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_size", ctypes.c_size_t),
        ("flags", ctypes.c_long),  # an int and what fills it up
        ("size", ctypes.c_uint),
    )


class Batch:
    """Datagrams for one system call."""

    def __init__(self, step: int) -> None:
        self.data = bytearray(BATCH * step)
        self._held = (ctypes.c_char * len(self.data)).from_buffer(self.data)
        self.vectors = (Vector * BATCH)()
        self.messages = (Message * BATCH)()
        for at, (vector, message) in enumerate(zip(self.vectors, self.messages, strict=True)):
            vector.base, vector.size = ctypes.addressof(self._held) + at * step, step
            message.vectors, message.vector_count = ctypes.addressof(vector), 1


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
    return [sha1(number.to_bytes(4), usedforsecurity=False).digest() for number in range(count)]


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
    """Announces on one socket: answers, losses, latencies in seconds (of one announce in each batch)."""
    libc = ctypes.CDLL(None, use_errno=True)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, int(LOST_SECONDS * 1e6)))
        sock.connect(("127.0.0.1", args.port))
        sock.send(CONNECT)
        connection = sock.recv(100)[8:16]
        clock, who, descriptor = time.perf_counter, peers(args), sock.fileno()
        out, came = Batch(ANNOUNCE.size), Batch(SLOT)
        total, number, waiting, lost = 0, 0, 0, 0
        sent_at: dict[bytes, float] = {}
        latencies: list[float] = []
        most, end = args.count or 1 << 62, clock() + args.seconds
        while total + lost < most and clock() < end:
            while waiting + BATCH <= UNDER_WAY and (left := most - total - lost - waiting):
                number += 1
                count = min(left, BATCH)
                for at in range(count):
                    info_hash, port = next(who)
                    words = (connection, 1, number * BATCH + at, info_hash, PEER_ID, 0, port & 3, 0, 2, 0, 0, -1, port)
                    ANNOUNCE.pack_into(out.data, at * ANNOUNCE.size, *words)
                sent_at[(number * BATCH).to_bytes(4)] = clock()
                if libc.sendmmsg(descriptor, out.messages, count, 0) != count:
                    raise SystemExit("the generator can not send")
                waiting += count
            count = libc.recvmmsg(descriptor, came.messages, BATCH, MSG_WAITFORONE, None)
            if count <= 0:
                lost, waiting = lost + waiting, 0
                continue
            if came.data[3 : count * SLOT : SLOT] != b"\1" * count:
                raise SystemExit(f"refused: {bytes(came.data[:100])!r}")
            now, data = clock(), came.data
            firsts = (bytes(data[at - 3 : at + 1]) for at in range(7, count * SLOT, SLOT) if data[at] % BATCH == 0)
            latencies.extend(now - sent_at.pop(first) for first in firsts)
            waiting -= count
            total += count
        return total, lost, latencies


def http(args: argparse.Namespace, *, keep: bool) -> tuple[int, int, list[float]]:
    """Announces on some connections, a new one for each announce unless `keep`."""
    epoll, clock, who = select.epoll(), time.perf_counter, peers(args)
    at: dict[int, tuple[socket.socket, float]] = {}
    latencies: list[float] = []
    head = b" HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: load\r\n%b\r\n" % (b"" if keep else b"Connection: close\r\n")
    where = ("127.0.0.1", args.port)
    escaped = {each: "".join(f"%{byte:02x}" for byte in each).encode() for each in hashes(args.swarms)}

    def request() -> bytes:
        info_hash, port = next(who)
        return (
            b"GET /announce?info_hash=%b&peer_id=%b&port=%d&uploaded=0&downloaded=0&left=%d&compact=1&event=started%b"
            % (escaped[info_hash], PEER_ID, port, port & 3, head)
        )

    def begin() -> None:
        sock = socket.socket()
        sock.connect(where)
        sock.send(request())
        at[sock.fileno()] = (sock, clock())
        epoll.register(sock, select.EPOLLIN)

    total, lost = 0, 0
    end, most = clock() + args.seconds, args.count or 1 << 62
    for _ in range(CONNECTIONS):
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
    began, busy = time.perf_counter(), time.process_time()
    total, lost, latencies = kinds[args.kind]()
    seconds = time.perf_counter() - began
    figures = {
        "announces": total,
        "lost": lost,
        "seconds": seconds,
        "load_cpu_seconds": time.process_time() - busy,
        "p50_ms": percentile(latencies, 0.5),
        "p99_ms": percentile(latencies, 0.99),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
