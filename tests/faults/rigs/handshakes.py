"""Handshakes by the thousand, good ones and bad ones, and what each costs who is called."""

import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from random import Random
from time import monotonic, sleep

from bittern.io.rc4 import Rc4
from bittern.wire.mse.exchange import Initiator
from bittern.wire.mse.keys import KEY_SIZE, PRIME, shared_secret
from bittern.wire.mse.policy import Encryption
from tests.faults.rigs import wire

AT_ONCE = 8
PATIENCE_SECONDS = 30.0
LONGEST = 628
"""Bytes in which the mark of a torrent is to come, when a handshake is encrypted."""
_NAMES = count()


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to begin.

    Attributes:
        what: in words.
        like: the name of the good kind that it is held against; None for a good one.
        talk: does it, with a connected socket, the info hash, and chance.
    """

    what: str
    like: str | None
    talk: Callable[[socket.socket, bytes, Random], None]


def plain(sock: socket.socket, info_hash: bytes, _rng: Random) -> None:
    """As any peer, who then leaves."""
    sock.sendall(wire.PROTOCOL + wire.PLAIN + info_hash + b"-GO0001-%012d" % next(_NAMES))
    heard = 0
    while heard < wire.HANDSHAKE_LENGTH:
        heard += len(_some(sock))


def encrypted(sock: socket.socket, info_hash: bytes, rng: Random) -> None:
    """As any peer that encrypts, who then leaves."""
    words = wire.PROTOCOL + wire.PLAIN + info_hash + b"-GO0002-%012d" % next(_NAMES)
    side = Initiator(rng.randbytes, Rc4, info_hash, Encryption.REQUIRE, words)
    while side.agreed is None:
        sock.sendall(side.out)
        side.out.clear()
        side.receive(_some(sock))
        if side.wanted is not None:
            side.know(shared_secret(side.secret, side.wanted))


def web_page(sock: socket.socket, _hash: bytes, _rng: Random) -> None:
    """A web browser's words."""
    _to_the_end(sock, b"GET / HTTP/1.1\r\nCookie: " + bytes(KEY_SIZE + LONGEST))


def another_torrent(sock: socket.socket, _hash: bytes, rng: Random) -> None:
    """A torrent that is not here."""
    _to_the_end(sock, wire.PROTOCOL + wire.PLAIN + rng.randbytes(20) + b"-HO0000-hostilehosti")


def half(sock: socket.socket, info_hash: bytes, _rng: Random) -> None:
    """Half a handshake, and the end."""
    sock.sendall((wire.PROTOCOL + wire.PLAIN + info_hash)[:40])
    sock.shutdown(socket.SHUT_WR)
    _to_the_end(sock, b"")


def garbage(sock: socket.socket, _hash: bytes, rng: Random) -> None:
    """All that it takes to have a secret worked out."""
    _to_the_end(sock, rng.randbytes(KEY_SIZE + LONGEST))


def no_secret(sock: socket.socket, _hash: bytes, _rng: Random) -> None:
    """A key that leaves none."""
    _to_the_end(sock, (PRIME - 1).to_bytes(KEY_SIZE) + bytes(LONGEST))


def key_and_end(sock: socket.socket, _hash: bytes, rng: Random) -> None:
    """A key, and the end."""
    sock.sendall(rng.randbytes(KEY_SIZE))
    sock.shutdown(socket.SHUT_WR)
    _to_the_end(sock, b"")


KINDS = [
    Kind("a good one", None, plain),
    Kind("a good one, encrypted", None, encrypted),
    Kind("a web browser's", "a good one, encrypted", web_page),
    Kind("a torrent that is not here", "a good one", another_torrent),
    Kind("half a handshake", "a good one", half),
    Kind("garbage", "a good one, encrypted", garbage),
    Kind("a key that leaves no secret", "a good one, encrypted", no_secret),
    Kind("a key, and the end", "a good one, encrypted", key_and_end),
]


def shake(kind: Kind, port: int, info_hash: bytes, number: int) -> float:
    """So many of a kind, a few at once, from many addresses; how many seconds it took."""
    began = monotonic()

    def one(nth: int) -> None:
        with socket.socket() as sock:
            sock.settimeout(PATIENCE_SECONDS)
            sock.bind((f"127.8.{nth // 250 % 250}.{1 + nth % 250}", 0))
            sock.connect(("127.0.0.1", port))
            kind.talk(sock, info_hash, Random(f"{kind.what} {nth}"))

    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(one, range(number)))
    return monotonic() - began


def cost(kind: Kind, pid: int, port: int, info_hash: bytes, number: int, idle_seconds: float) -> float:
    """CPU milliseconds of the process for each of so many, without what it does anyway: that is measured first."""
    before = cpu_seconds(pid)
    sleep(idle_seconds)
    began = cpu_seconds(pid)
    took = shake(kind, port, info_hash, number)
    return 1000 * (cpu_seconds(pid) - began - (began - before) / idle_seconds * took) / number


def cpu_seconds(pid: int) -> float:
    """What a process, all its threads together, has had of a processor so far."""
    return sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def _some(sock: socket.socket) -> bytes:
    data = sock.recv(1 << 16)
    assert data, "a good peer was hung up on"
    return data


def _to_the_end(sock: socket.socket, data: bytes) -> None:
    """Say this, and hear until the other side hangs up."""
    try:
        sock.sendall(data)
        while sock.recv(1 << 16):
            pass
    except ConnectionError:
        return
