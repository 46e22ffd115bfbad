"""All other nodes of a distributed hash table, for bench/dht.py: they answer the node under test, and ask it.

    python dht_crowd.py NODE_HOST:PORT SOURCES

Every address of 60.0.0.0/8 must be this machine's. Node k of the crowd is at an address of its own there, as scattered
as those of the internet; one socket plays them all (IP_PKTINFO says which). Each line of the input, `KIND SECONDS` with
a kind of KINDS, is a load of which it keeps WINDOW questions under way; it answers with a JSON object.
"""

import json
import select
import socket
import struct
import sys
import time
from collections.abc import Iterator
from hashlib import blake2s
from random import Random

from bittern.base.address import Address
from bittern.engine.dht.bound_ids import bind_id
from bittern.wire.krpc import AnnouncePeer, Ask, Contact, FindNode, GetPeers, Ping, Query, Reply, pack_contacts
from bittern.wire.krpc_reader import read_message

PORT = 6881
WINDOW = 64
LOST_SECONDS = 0.5
TORRENTS, PEERS = 200, 30
"""That are announced to the node: a part of all lookups asks for one of them."""
KINDS = {
    "ping": ((1, "ping"),),
    "find_node": ((1, "find_node"),),
    "get_peers": ((1, "get_peers"),),
    "mix": ((2, "ping"), (8, "find_node"), (8, "get_peers"), (2, "known")),
}
"""What is asked, and how often: `known` is a torrent that the node knows peers of."""
IP_PKTINFO = 8  # of Linux, and without a name in Python
_INFO = struct.Struct("=I4s4s")


class Crowd:
    """So many nodes.

    Args:
        node: the node under test.
        sources: how many.
    """

    def __init__(self, node: Address, sources: int) -> None:
        self._rng = Random(1)
        self._node = node
        self._hosts = [self._host(number) for number in range(sources)]
        self._contacts = [Contact(self._id(host), Address(host, PORT)) for host in self._hosts]
        self._ids = {socket.inet_aton(c.address.host): c.id for c in self._contacts}
        self._hashes = [self._rng.randbytes(20) for _ in range(TORRENTS)]
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        self._sock.bind(("0.0.0.0", PORT))
        self._sock.setblocking(False)
        self._asked = 0

    def _host(self, number: int) -> str:
        digest = blake2s(b"%d" % number, digest_size=3).digest()
        return f"60.{digest[0]}.{digest[1]}.{1 + digest[2] % 254}"

    def _id(self, host: str) -> bytes:
        return bind_id(host, self._rng.randbytes(20))

    def _send(self, datagram: bytes, source: bytes) -> None:
        info = (socket.IPPROTO_IP, IP_PKTINFO, _INFO.pack(0, source, b"\0\0\0\0"))
        self._sock.sendmsg([datagram], [info], 0, self._node)

    def _answer(self, datagram: bytes, own: bytes) -> None:
        """Answer a question of the node, who wants to know others."""
        query = read_message(datagram)
        own_id = self._ids.get(own)
        if isinstance(query, Query) and own_id is not None:
            nodes = pack_contacts(self._rng.sample(self._contacts, 8))
            self._send(Reply(query.transaction, own_id, nodes=nodes, token=b"t").encode(), own)

    def receive(self, timeout: float) -> list[tuple[bytes, bytes]]:
        """Answers that came, with the address that they came to; the node's own questions are answered."""
        answers: list[tuple[bytes, bytes]] = []
        select.select([self._sock], [], [], timeout)
        while True:
            try:
                datagram, controls, _, _ = self._sock.recvmsg(4096, 64)
            except BlockingIOError:
                return answers
            own = controls[0][2][8:12]
            if datagram.endswith(b"1:y1:qe"):
                self._answer(datagram, own)
            else:
                answers.append((datagram, own))

    def settle(self, seconds: float) -> None:
        """Let the node find its way."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.receive(0.1)

    def announce(self, seconds: float) -> None:
        """Tell the node of torrents, as slowly as it takes it; not for longer than that."""
        end = time.monotonic() + seconds
        for number in range(TORRENTS * PEERS):
            if time.monotonic() > end:
                break
            own = self._contacts[number % len(self._contacts)]
            info_hash = self._hashes[number % TORRENTS]
            source = socket.inet_aton(own.address.host)
            self._send(Query(b"a1", own.id, GetPeers(info_hash)).encode(), source)
            for datagram, came_to in self.receive(0.2):
                reply = read_message(datagram)
                if came_to == source and isinstance(reply, Reply) and reply.token is not None:
                    self._send(Query(b"a2", own.id, AnnouncePeer(info_hash, PORT, reply.token)).encode(), source)
                    break
            self.receive(0.01)

    def _asks(self, kind: str) -> Iterator[Ask]:
        names = [name for count, name in KINDS[kind] for _ in range(count)]
        while True:
            self._rng.shuffle(names)
            for name in names:
                target = self._rng.randbytes(20)
                if name == "ping":
                    yield Ping()
                elif name == "find_node":
                    yield FindNode(target)
                else:
                    yield GetPeers(target if name == "get_peers" else self._rng.choice(self._hashes))

    def load(self, kind: str, seconds: float) -> dict[str, float]:
        """Ask as much as the node answers."""
        asks = self._asks(kind)
        clock = time.perf_counter
        waiting: dict[bytes, float] = {}
        latencies: list[float] = []
        answers = size = sent = lost = refused = 0
        began = heard_at = clock()
        end = began + seconds
        while (now := clock()) < end:
            while len(waiting) < WINDOW:
                self._asked += 1
                own = self._contacts[self._asked % len(self._contacts)]
                transaction = self._asked.to_bytes(4)
                datagram = Query(transaction, own.id, next(asks)).encode()
                waiting[transaction] = now
                sent += len(datagram)
                self._send(datagram, socket.inet_aton(own.address.host))
            came = self.receive(LOST_SECONDS)
            now = clock()
            if came:
                heard_at = now
            elif now - heard_at >= LOST_SECONDS:
                lost += len(waiting)
                waiting.clear()
                heard_at = now
            for answer, _ in came:
                at = answer.rfind(b"1:t4:")
                asked_at = waiting.pop(answer[at + 5 : at + 9], None)
                if asked_at is not None:
                    answers += 1
                    size += len(answer)
                    refused += answer.endswith(b"1:y1:ee")
                    latencies.append(now - asked_at)
        took = clock() - began
        latencies.sort()
        return {
            "answers": answers,
            "lost": lost,
            "refused": refused,
            "seconds": took,
            "bytes_asked": sent / max(1, answers),
            "bytes_answered": size / max(1, answers),
            "p50_ms": 1e3 * latencies[len(latencies) // 2] if latencies else 0.0,
            "p99_ms": 1e3 * latencies[len(latencies) * 99 // 100] if latencies else 0.0,
        }


def main() -> None:
    """The command line."""
    crowd = Crowd(Address.parse(sys.argv[1]), int(sys.argv[2]))
    print("there", flush=True)
    for line in sys.stdin:
        kind, seconds = line.split()
        if kind == "settle":
            crowd.settle(float(seconds))
            crowd.announce(float(seconds))
            print("{}", flush=True)
        else:
            print(json.dumps(crowd.load(kind, float(seconds))), flush=True)


if __name__ == "__main__":
    main()
