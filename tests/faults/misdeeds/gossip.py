"""Words about others: peers, nodes and routes that are somebody's who knows nothing of it (BEP 5, 11, 55)."""

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from random import Random
from select import select

from tests.faults.rigs import wire
from tests.faults.rigs.misdeed import Against, Fate, Misdeed, Scene
from tests.faults.rigs.wire import Wire

LEECH_ONLY = (Against.LEECH,)
UT_HOLEPUNCH = 4
"""Our number of it."""
VICTIM_NET = "127.200"
MOST_PROBES = 10
"""A peer may make us call somebody so often one right after the other."""


def number_of(peer: Wire, name: bytes) -> int:
    """Bittern's number of an extension."""
    while True:
        hello = peer.until(wire.EXTENDED)
        at = hello.find(name + b"i")
        if hello[0] == 0 and at >= 0:
            return int(hello[at + len(name) + 1 : hello.index(b"e", at + len(name))])


def added(hosts: list[tuple[str, int]], flags: int | None = None) -> bytes:
    """A PEX message that adds these."""
    crowd = b"".join(socket.inet_aton(host) + struct.pack(">H", port) for host, port in hosts)
    said = b"d5:added%d:" % len(crowd) + crowd
    if flags is not None:
        said += b"7:added.f%d:" % len(hosts) + bytes((flags,)) * len(hosts)
    return said + b"e"


@contextmanager
def victims() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Everybody in a network of this machine: who connects, and which datagrams come, on one port."""
    with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        tcp.bind(("0.0.0.0", 0))
        tcp.listen(4096)
        udp.bind(("0.0.0.0", tcp.getsockname()[1]))
        tcp.setblocking(False)
        udp.setblocking(False)
        yield tcp, udp


def came(tcp: socket.socket, seconds: float) -> int:
    """How many connect within so long."""
    count = 0
    with suppress(BlockingIOError):
        while select([tcp], [], [], seconds)[0]:
            tcp.accept()[0].close()
            count += 1
    return count


def gossip_without_end(scene: Scene) -> None:
    """Messages of fifty, each of others."""
    peer = scene.join()
    number, rng = number_of(peer, b"6:ut_pex"), Random(1)
    said = b""
    for _ in range(20):
        hosts = [(f"{VICTIM_NET}.{rng.randrange(256)}.{rng.randrange(1, 255)}", 9) for _ in range(50)]
        said += wire.message(wire.EXTENDED, bytes((number,)) + added(hosts))
    scene.pour(peer, said)


def gossip_of_thousands(scene: Scene) -> None:
    """In one message; the most that one can hold."""
    peer = scene.join()
    number = number_of(peer, b"6:ut_pex")
    hosts = [(f"{VICTIM_NET}.{at >> 8}.{at & 255}", 9) for at in range(9000)]
    scene.pour(peer, wire.message(wire.EXTENDED, bytes((number,)) + added(hosts)))


def gossip_of_victims(scene: Scene) -> None:
    """Thousands of addresses: fifty a message and two messages of it are believed, and nobody else is knocked at."""
    with victims() as (tcp, _):
        peer = scene.join()
        number, port = number_of(peer, b"6:ut_pex"), tcp.getsockname()[1]
        for message in range(5):
            hosts = [(f"{VICTIM_NET}.{message}.{at}", port) for at in range(1, 51)]
            peer.raw(wire.message(wire.EXTENDED, bytes((number,)) + added(hosts)))
        knocked = came(tcp, max(scene.seconds, 0.5))
        assert 0 < knocked <= 2 * 50 * 2, f"{knocked}: each that is believed is tried twice at most"


def gossip_that_is_none(scene: Scene) -> None:
    peer = scene.join()
    number = number_of(peer, b"6:ut_pex")
    peer.raw(wire.message(wire.EXTENDED, bytes((number,)) + b"d5:added7:sevenbye"))


def holepunch_calls(scene: Scene) -> None:
    """CONNECT to addresses of a victim: a few datagrams go there, and then no more."""
    with victims() as (_, udp):
        peer = scene.join()
        number = number_of(peer, b"12:ut_holepunch")
        peer.say(wire.EXTENDED, b"\0d1:md12:ut_holepunchi%deee" % UT_HOLEPUNCH)
        port = udp.getsockname()[1]
        for at in range(1, 201):
            address = socket.inet_aton(f"{VICTIM_NET}.9.{at}") + struct.pack(">H", port)
            peer.say(wire.EXTENDED, bytes((number, 1, 0)) + address + bytes(4))
        called = 0
        while select([udp], [], [], max(scene.seconds, 0.5))[0]:
            udp.recv(2000)
            called += 1
        assert called <= 3 * MOST_PROBES, f"{called} datagrams"


def holepunch_requests(scene: Scene) -> None:
    """RENDEZVOUS with everybody, unread."""
    peer = scene.join()
    number = number_of(peer, b"12:ut_holepunch")
    peer.say(wire.EXTENDED, b"\0d1:md12:ut_holepunchi%deee" % UT_HOLEPUNCH)
    address = socket.inet_aton(f"{VICTIM_NET}.9.9") + struct.pack(">H", 999)
    scene.pour(peer, wire.message(wire.EXTENDED, bytes((number, 0, 0)) + address + bytes(4)))


def holepunch_that_is_none(scene: Scene) -> None:
    peer = scene.join()
    number = number_of(peer, b"12:ut_holepunch")
    peer.say(wire.EXTENDED, b"\0d1:md12:ut_holepunchi%deee" % UT_HOLEPUNCH)
    peer.say(wire.EXTENDED, bytes((number, 0, 0, 1)))


GOSSIP = [
    Misdeed("gossip without end", (31,), gossip_without_end, Fate.DROPPED, "told of peers more often"),
    Misdeed("gossip of thousands", (31,), gossip_of_thousands, Fate.DROPPED, "told of peers more often"),
    Misdeed("gossip of victims", (31,), gossip_of_victims, Fate.ENDURED, against=LEECH_ONLY, slow=True),
    Misdeed("gossip that is none", (31,), gossip_that_is_none, Fate.DROPPED, "extension"),
    Misdeed("calls to holepunch with victims", (34,), holepunch_calls, Fate.ENDURED),
    Misdeed("requests to holepunch without end, unread", (34,), holepunch_requests, Fate.ENDURED),
    Misdeed("a request to holepunch that is none", (34,), holepunch_that_is_none, Fate.DROPPED, "extension"),
]
