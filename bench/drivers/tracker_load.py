"""The load generator of bench/tracker.py: announces, as fast as one core makes them.

    python tracker_load.py udp|http|http-keep PORT [--count N | --seconds S] [--swarms N] [--peers N]

All peers are at 127.0.0.1: peer k is in swarm k modulo the swarms, at a port of its own there. It keeps a number of
announces under way and says one JSON object: how many were answered, how long it took, the CPU time that it took
itself, latencies, what was lost. Over UDP all datagrams are made before the clock starts and go out 64 at a time
(sendmmsg), so it costs little beside a tracker; a count is made up to whole batches.
"""

import argparse
import ctypes
import itertools
import json
import select
import socket
import struct
import time
from collections.abc import Callable, Iterator
from hashlib import sha1

CONNECTIONS = 256
BATCH = 64
LOST_SECONDS = 0.5
FIRST_PORT = 1024
CONNECT = struct.pack(">QII", 0x41727101980, 0, 1)
ANNOUNCE = struct.Struct(">8sII20s20sQQQIIIiH")
VECTOR = struct.Struct("QQ")  # struct iovec
MESSAGE = struct.Struct("QQQQQQQQ")  # struct mmsghdr: nothing but where the vector is, and that there is one
SLOT = 2048
MSG_WAITFORONE = 0x10000
PEER_ID = b"-XX0000-load00000000"


class Datagrams:
    """Buffers of one size in a row, for sendmmsg and recvmmsg.

    Args:
        count: how many.
        size: bytes of each.
    """

    def __init__(self, count: int, size: int) -> None:
        self.data = bytearray(count * size)
        self._vectors, self._messages = bytearray(count * VECTOR.size), bytearray(count * MESSAGE.size)
        self._held = [(ctypes.c_char * len(b)).from_buffer(b) for b in (self.data, self._vectors, self._messages)]
        data, vectors, self._at = map(ctypes.addressof, self._held)
        for number in range(count):
            VECTOR.pack_into(self._vectors, number * VECTOR.size, data + number * size, size)
            vector = vectors + number * VECTOR.size
            MESSAGE.pack_into(self._messages, number * MESSAGE.size, 0, 0, vector, 1, 0, 0, 0, 0)

    def message(self, number: int) -> ctypes.c_void_p:
        """Where the headers from this one on are."""
        return ctypes.c_void_p(self._at + number * MESSAGE.size)


def options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["udp", "http", "http-keep"])
    parser.add_argument("port", type=int)
    parser.add_argument("--count", type=int)
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--swarms", type=int, default=10_000)
    parser.add_argument("--peers", type=int, default=1_000_000)
    parser.add_argument("--under-way", type=int, default=2 * BATCH, help="announces without an answer, over UDP")
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


class UdpLoad:
    """Announces on one socket.

    Args:
        args: the command line.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        self._args = args
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, int(LOST_SECONDS * 1e6)))
        self._sock.connect(("127.0.0.1", args.port))
        self._sock.send(CONNECT)
        connection = self._sock.recv(100)[8:16]
        self._batches = max(1, args.peers // BATCH)
        self._out = Datagrams(self._batches * BATCH, ANNOUNCE.size)
        for number, (info_hash, port) in zip(range(self._batches * BATCH), peers(args), strict=False):
            words = (connection, 1, number, info_hash, PEER_ID, 0, port & 3, 0, 2, 0, 0, -1, port)
            ANNOUNCE.pack_into(self._out.data, number * ANNOUNCE.size, *words)

    def run(self) -> tuple[int, int, list[float]]:
        """Answers, losses, latencies in seconds (of one announce in each batch)."""
        libc, clock, descriptor = ctypes.CDLL(None, use_errno=True), time.perf_counter, self._sock.fileno()
        came = Datagrams(BATCH, SLOT)
        total, waiting, lost = 0, 0, 0
        sent_at: dict[bytes, float] = {}
        latencies: list[float] = []
        most, end = self._args.count or 1 << 62, clock() + self._args.seconds
        numbers = itertools.cycle(range(0, self._batches * BATCH, BATCH))
        while total + lost < most and clock() < end:
            while waiting + BATCH <= self._args.under_way and total + lost + waiting < most:
                number = next(numbers)
                sent_at[number.to_bytes(4)] = clock()
                if libc.sendmmsg(descriptor, self._out.message(number), BATCH, 0) != BATCH:
                    raise SystemExit("the generator cannot send")
                waiting += BATCH
            count = libc.recvmmsg(descriptor, came.message(0), BATCH, MSG_WAITFORONE, None)
            if count <= 0:
                lost, waiting = lost + waiting, 0
                continue
            data = came.data
            if data[3 : count * SLOT : SLOT] != b"\1" * count:
                raise SystemExit(f"refused: {bytes(data[:100])!r}")
            now = clock()
            firsts = (bytes(data[at - 3 : at + 1]) for at in range(7, count * SLOT, SLOT) if data[at] % BATCH == 0)
            latencies.extend(now - sent_at.pop(first) for first in firsts)
            waiting -= count
            total += count
        self._sock.close()
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
        "http": lambda: http(args, keep=False),
        "http-keep": lambda: http(args, keep=True),
    }
    run = kinds[args.kind] if args.kind in kinds else UdpLoad(args).run
    began, busy = time.perf_counter(), time.process_time()
    total, lost, latencies = run()
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
