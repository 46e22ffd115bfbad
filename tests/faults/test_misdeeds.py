"""Everything that peers do wrong, done to one running session while honest peers measure what they wait for it.

The long form, with what takes minutes, is `make hostile`.
"""

import socket
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from itertools import chain, count
from random import Random
from typing import Any

import pytest

from bittern.wire.mse.keys import KEY_SIZE
from tests.faults.misdeeds import CONNECTIONS, MISDEEDS
from tests.faults.rigs import wire
from tests.faults.rigs.arena import Arena
from tests.faults.rigs.handshakes import KINDS, cost
from tests.faults.rigs.misdeed import Against, Misdeed
from tests.faults.rigs.utp import DATA, FIN, RESET, Caller

SECONDS = 0.1  # of a flood, which goes on for long in the long form
HANDSHAKE_SECONDS = 10.0
HANDSHAKES = 150  # of a kind
DEARER = 1.5
NUMBERS = count()


def cases(misdeeds: Sequence[Misdeed]) -> list[Any]:
    """Each misdeed against each of those whom it is done to."""
    return [
        pytest.param(misdeed, against, id=f"{misdeed.name}-{against.value}")
        for misdeed in misdeeds
        for against in misdeed.against
        if not misdeed.slow
    ]


ALL = list(chain.from_iterable(MISDEEDS.values()))
SINGLE = [misdeed for misdeed in ALL if misdeed not in CONNECTIONS]


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    with ExitStack() as stack:
        yield Arena(tmp_path_factory.mktemp("arena"), stack)


@pytest.fixture(scope="module", autouse=True)
def slow(arena: Arena) -> Iterator[Future[dict[str, float]]]:
    """Handshakes that take their time while other tests run."""
    with ThreadPoolExecutor(1) as thread:
        yield thread.submit(drips, arena.victim.port)


@pytest.mark.parametrize(("misdeed", "against"), cases(SINGLE))
def test_who_does_wrong_meets_its_fate_and_nobody_else_suffers(
    arena: Arena, misdeed: Misdeed, against: Against
) -> None:
    """Honest peers never wait for a second, memory is flat, no task, thread or file stays, the log is empty."""
    assert arena.play(misdeed, against, next(NUMBERS), SECONDS).wrongs == ()


def test_a_handshake_byte_by_byte_has_ten_seconds_in_all_by_whatever_transport(slow: Future[dict[str, float]]) -> None:
    """Encrypted over TCP, encrypted over uTP, plain over uTP: each says a byte at a time."""
    ended = slow.result()
    assert set(ended) == {"tcp", "coded", "plain"}
    assert all(seconds > HANDSHAKE_SECONDS - 2 for seconds in ended.values()), ended


@pytest.mark.parametrize(("misdeed", "against"), cases(CONNECTIONS))
def test_connections_without_end_or_sense_cost_nobody_else_anything(
    arena: Arena, misdeed: Misdeed, against: Against
) -> None:
    """After the slow handshakes, which would have to go for them."""
    assert arena.play(misdeed, against, next(NUMBERS), SECONDS).wrongs == ()


def test_bad_handshakes_cost_no_more_than_good_ones(arena: Arena) -> None:
    """By the CPU time of the session, in the same run; thousands of them are in the long form."""
    torrent, victim = arena.torrents[Against.SEED], arena.victim
    costs = {
        kind.what: cost(kind, victim.running.pid, victim.port, torrent.info_hash, HANDSHAKES, 0.3)
        for kind in KINDS
        if kind.what in ("garbage", "a torrent that is not here") or kind.like is None
    }
    for kind in KINDS:
        if kind.like is not None and kind.what in costs:
            assert costs[kind.what] < DEARER * costs[kind.like], costs


def test_each_misdeed_is_in_the_table_once() -> None:
    names = [misdeed.name for misdeed in ALL]
    assert len(names) == len(set(names))


def drips(port: int) -> dict[str, float]:
    """Three handshakes that say a byte at a time; after how many seconds each was ended."""
    rng, ended, began = Random(5), dict[str, float](), time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=5) as tcp, ExitStack() as stack:
        coded, plain = (stack.enter_context(Caller(port, f"127.10.0.{n}")) for n in (1, 2))
        for caller in (coded, plain):
            caller.call()
        key = rng.randbytes(KEY_SIZE)
        tcp.sendall(key)
        coded.say(key)
        tcp.setblocking(False)
        for step, letter in enumerate(wire.PROTOCOL + bytes(8)):  # half a second each
            time.sleep(max(0.0, began + step / 2 - time.monotonic()))
            plain.say(bytes((letter,)))
            coded.say(rng.randbytes(1))
            if "tcp" not in ended and ends(tcp):
                ended["tcp"] = time.monotonic() - began
            for name, caller in (("coded", coded), ("plain", plain)):
                for said in caller.heard(0.05):
                    if said.kind in (FIN, RESET):
                        ended.setdefault(name, time.monotonic() - began)
                    elif said.kind == DATA:
                        caller.ack = said.seq
                        caller.acknowledge()
    return ended


def ends(sock: socket.socket) -> bool:
    """Say a byte; whether the other side has hung up."""
    try:
        sock.send(b"x")
        return sock.recv(1000) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
