"""Datagrams of the distributed hash table (BEP 5) that nobody asked for, that say too much, or come too fast."""

import socket
from collections.abc import Iterator
from contextlib import suppress

from tests.faults.rigs.misdeed import Against, Fate, Misdeed, Scene
from tests.faults.rigs.torrent import bencode

SEED_ONLY = (Against.SEED,)
AMPLIFICATION = 3
"""No more bytes go to who did not show its address to be its own, than so many times what came."""


def query(word: bytes, number: int, **given: object) -> bytes:
    """A question to a node; keys of arguments are in order."""
    said = {"a": given, "q": word, "t": number.to_bytes(4), "y": b"q"}
    return bencode(said)  # type: ignore[arg-type]


def socks(scene: Scene, count: int) -> Iterator[socket.socket]:
    """Sockets of so many addresses."""
    for nth in range(count):
        sock = scene.stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        sock.bind((scene.host(nth), 0))
        sock.connect(("127.0.0.1", scene.port))
        sock.setblocking(False)
        yield sock


def heard(sock: socket.socket, seconds: float = 0.0) -> int:
    """Bytes that came."""
    total = 0
    sock.settimeout(seconds or 0.001)
    with suppress(TimeoutError, BlockingIOError, ConnectionRefusedError):
        while True:
            total += len(sock.recv(1 << 16))
            sock.settimeout(0.001)
    return total


def put(sock: socket.socket, data: bytes) -> int:
    """Send; the bytes that went."""
    with suppress(BlockingIOError, ConnectionRefusedError):
        return sock.send(data)
    return 0


def questions_in_anothers_name(scene: Scene) -> None:
    """As DRDoS has them: many small questions for long answers, from addresses that answer to nothing."""
    rng = scene.rng
    for sock in socks(scene, 20):
        said = 0
        for number in range(30):
            ask = query(b"find_node", number, id=rng.randbytes(20), target=rng.randbytes(20))
            said += put(sock, ask)
        assert heard(sock, 0.2) <= AMPLIFICATION * said


def questions_without_end(scene: Scene) -> None:
    """From one address: fifty at once and five a second are answered, then it is shunned."""
    [sock] = socks(scene, 1)
    end, said, number, rng = scene.ends_at(), 0, 0, scene.rng
    while scene.goes_on(end):
        for _ in range(200):
            number += 1
            said += put(sock, query(b"get_peers", number, id=rng.randbytes(20), info_hash=rng.randbytes(20)))
    assert heard(sock, 0.3) < 100_000


def questions_of_many(scene: Scene) -> None:
    """From many addresses, each with a name of its own."""
    rng, many = scene.rng, list(socks(scene, 250))
    end, number = scene.ends_at(), 0
    while scene.goes_on(end):
        for sock in many:
            number += 1
            put(sock, query(b"find_node", number, id=rng.randbytes(20), target=rng.randbytes(20)))
    for sock in many:
        heard(sock)


def answers_to_nothing(scene: Scene) -> None:
    """With thousands of nodes in them."""
    [sock] = socks(scene, 1)
    end, rng = scene.ends_at(), scene.rng
    while scene.goes_on(end):
        for _ in range(50):
            reply = {"id": rng.randbytes(20), "nodes": rng.randbytes(26 * 1000)}
            put(sock, bencode({"r": reply, "t": rng.randbytes(2), "y": b"r"}))


def announces_without_a_token(scene: Scene) -> None:
    """Others are to be remembered as peers."""
    [sock] = socks(scene, 1)
    rng = scene.rng
    for number in range(40):
        told = query(
            b"announce_peer", number, id=rng.randbytes(20), info_hash=rng.randbytes(20), port=80, token=b"guessed"
        )
        put(sock, told)
    sock.settimeout(5)
    with suppress(TimeoutError):
        assert b"1:y1:e" in sock.recv(2000)


def transactions_without_end(scene: Scene) -> None:
    """The longest transaction, which is to be repeated; and nodes that are not whole."""
    [sock] = socks(scene, 1)
    said = 0
    for number in range(40):
        long = {"a": {"id": bytes(20)}, "q": b"ping", "t": b"x" * 50_000, "y": b"q"}
        said += put(sock, bencode(long))  # type: ignore[arg-type]
        put(sock, query(b"find_node", number, id=b"short", target=b"x"))
    assert heard(sock, 0.3) <= said


def bombs(scene: Scene) -> None:
    """Lists in lists, lengths of gigabytes, numbers of thousands of digits, and any bytes."""
    [sock] = socks(scene, 1)
    end, rng = scene.ends_at(), scene.rng
    while scene.goes_on(end):
        for junk in (b"d" * 60_000, b"l" * 60_000, b"d1:a999999999:", b"d1:ai" + b"9" * 60_000 + b"ee", b"d", b""):
            put(sock, junk)
        put(sock, b"d1:" + rng.randbytes(rng.randrange(1400)))


DATAGRAMS = [
    Misdeed("questions in another's name", (35,), questions_in_anothers_name, Fate.ENDURED, against=SEED_ONLY),
    Misdeed("questions without end", (35,), questions_without_end, Fate.ENDURED, against=SEED_ONLY),
    Misdeed("questions of 250 addresses without end", (36,), questions_of_many, Fate.ENDURED, against=SEED_ONLY),
    Misdeed("answers to nothing, with nodes without end", (36,), answers_to_nothing, Fate.ENDURED, against=SEED_ONLY),
    Misdeed("announces without a token", (36,), announces_without_a_token, Fate.ENDURED, against=SEED_ONLY),
    Misdeed(
        "transactions and nodes of senseless lengths", (37,), transactions_without_end, Fate.ENDURED, against=SEED_ONLY
    ),
    Misdeed("bombs in datagrams", (14, 37), bombs, Fate.ENDURED, against=SEED_ONLY),
]
