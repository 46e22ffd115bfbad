"""Strangers who misuse uTP and encryption, at a seed of bittern's, over real sockets."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from random import Random

import pytest

from bittern.wire.mse.keys import KEY_SIZE, PRIME
from tests.faults.rigs import wire
from tests.faults.rigs.leeching import FLAT, SERVED_WITHIN, leech, seeding
from tests.faults.rigs.program import QUIET, Program
from tests.faults.rigs.torrent import BLOCK, MIB, PIECE, Torrent
from tests.faults.rigs.utp import DATA, FIN, HEAD, RESET, STATE, SYN, Caller, packet
from tests.interop.rigs.process import wait_until

OPEN = (*(flag for flag in QUIET if flag not in ("--no-utp", "--encryption", "off")), "--upload-slots", "100")
HANDSHAKE_SECONDS = 10.0


@pytest.fixture(scope="module")
def seed(torrent: Torrent, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Program, int]]:
    """A seed that speaks everything, and its port."""
    with seeding(torrent, tmp_path_factory.mktemp("seed"), quiet=OPEN) as (program, port):
        assert wait_until(lambda: program.events("progress")[-1]["state"] == "seeding", 10)
        leech(torrent, port)
        yield program, port
        assert not [line for line in program.messages if "Traceback" in line]
        assert leech(torrent, port) < SERVED_WITHIN


@pytest.fixture(scope="module", autouse=True)
def slow(seed: tuple[Program, int]) -> Iterator[Future[dict[str, float]]]:
    """Handshakes that take their time while all other tests run."""
    with ThreadPoolExecutor(1) as thread:
        yield thread.submit(drips, seed[1])


def joins(caller: Caller, torrent: Torrent, name: bytes = b"-HO0000-overutpovutp") -> None:
    """Connect, shake hands and want everything."""
    caller.call()
    caller.say(wire.PROTOCOL + wire.PLAIN + torrent.info_hash + name + wire.message(wire.INTERESTED))
    assert caller.read(68)[28:48] == torrent.info_hash


def asks_for_everything(caller: Caller, torrent: Torrent) -> None:
    for piece in range(torrent.pieces):
        asked = [(piece, begin, BLOCK) for begin in range(0, PIECE, BLOCK)]
        caller.say(b"".join(wire.message(wire.REQUEST, b"".join(n.to_bytes(4) for n in each)) for each in asked))


def test_forged_calls_are_answered_once_with_no_more_bytes_than_came(seed: tuple[Program, int]) -> None:
    """DRDoS (Adamsky and others, 2015): whoever's address stands on a call is not flooded in its name."""
    program, port = seed
    memory, used = program.memory(), program.cpu_seconds()
    with ExitStack() as stack:
        victims = [stack.enter_context(Caller(port, f"127.2.0.{1 + n}")) for n in range(100)]
        for number in range(50):
            for victim in victims:
                victim.put(packet(SYN, 7 * number, number, 0))
            time.sleep(0.005)
        time.sleep(2.0)  # an answer that is repeated would be here by now
        for victim in victims:
            answers = victim.heard(0.001)
            assert {answer.kind for answer in answers} == {STATE}
            assert len(answers) <= 50
            assert 0 < victim.came <= victim.sent
    assert program.memory() - memory < FLAT
    assert program.cpu_seconds() - used < 3.0


def test_data_without_a_connection_gets_a_reset_at_most(seed: tuple[Program, int]) -> None:
    with Caller(seed[1], "127.3.0.1") as stranger:
        for number in range(300):
            stranger.put(packet(DATA, number, number, number) + bytes(100))
        answers = stranger.heard(1.0)
        assert {answer.kind for answer in answers} <= {RESET}
        assert len(answers) <= 150
        assert stranger.came < stranger.sent


def test_who_never_acknowledges_gets_little_and_costs_no_memory(seed: tuple[Program, int], torrent: Torrent) -> None:
    program, port = seed
    memory = program.memory()
    with ExitStack() as stack:
        deaf = [stack.enter_context(Caller(port, f"127.4.0.{1 + n}")) for n in range(30)]
        for number, caller in enumerate(deaf):
            joins(caller, torrent, b"-HO0000-deaf%08d" % number)
            asks_for_everything(caller, torrent)
        before = [caller.came for caller in deaf]
        time.sleep(1.5)
        for caller, came in zip(deaf, before, strict=True):
            caller.heard(0.001)
            assert caller.came - came < 100_000, "the window does not open without acknowledgements"
        assert program.memory() - memory < 16 * MIB + 2 * FLAT, "blocks for all of them wait in 16 MiB"
    assert leech(torrent, port) < SERVED_WITHIN


def test_who_has_no_room_is_sent_nothing_but_a_question(seed: tuple[Program, int], torrent: Torrent) -> None:
    with Caller(seed[1], "127.5.0.1") as caller:
        joins(caller, torrent, b"-HO0000-noroomnoroom")
        caller.window = 0
        asks_for_everything(caller, torrent)
        caller.acknowledge()
        caller.heard(1.0)  # what was on its way
        before = caller.came
        end = time.monotonic() + 1.0
        while time.monotonic() < end:
            for said in caller.heard(0.2):
                assert said.kind != DATA or len(said.payload) <= 1
            caller.acknowledge()
        assert caller.came - before < 5000
        caller.window = 1 << 20
        caller.acknowledge()
        caller.read(5 + BLOCK)  # and with room it goes on


def test_acknowledgements_of_the_future_and_senseless_bits_change_nothing(
    seed: tuple[Program, int], torrent: Torrent
) -> None:
    """Nothing that was not sent is taken for arrived: every byte comes, once, in order."""
    rng = Random(1)
    with Caller(seed[1], "127.6.0.1") as caller:
        joins(caller, torrent, b"-HO0000-fromthefutur")
        asks_for_everything(caller, torrent)
        got = b""
        while len(got) < 40 * BLOCK:
            for lie in (caller.ack + rng.randrange(2000, 30000), caller.ack - rng.randrange(1, 30000)):
                caller.acknowledge(ack=lie & 0xFFFF, sack=rng.randbytes(4 * rng.randrange(1, 63)))
            caller.acknowledge(sack=bytes(4) + b"\xff" * 248 if rng.random() < 0.1 else b"")
            got += caller.read(BLOCK)
        first = got.find(b"\x07\0\0\0\0\0\0\0\0")
        assert first >= 0
        assert got[first + 9 : first + 9 + BLOCK] == torrent.data[:BLOCK]


def test_resets_and_ends_that_strangers_send_in_anothers_name_are_not_believed(
    seed: tuple[Program, int], torrent: Torrent
) -> None:
    """From another port, or with numbers that only both ends know."""
    rng = Random(2)
    with Caller(seed[1], "127.7.0.1") as caller, Caller(seed[1], "127.7.0.1") as stranger:
        joins(caller, torrent, b"-HO0000-resetreset__")
        for kind in (RESET, FIN):
            for connection in (499, 500, 501, 502):
                for _ in range(50):
                    stranger.put(packet(kind, connection, rng.getrandbits(16), rng.getrandbits(16)))
        for _ in range(200):
            caller.put(packet(RESET, 501, 9, caller.ack + 20_000 + rng.randrange(20_000)))
        asks_for_everything(caller, torrent)
        caller.read(5 + BLOCK)


def test_packets_of_any_bytes_break_nothing(seed: tuple[Program, int], torrent: Torrent) -> None:
    rng = Random(3)
    program, port = seed
    with Caller(port, "127.8.0.1") as caller:
        joins(caller, torrent, b"-HO0000-garbagegarba")
        for _ in range(3000):
            head = HEAD.pack(
                rng.randrange(5) << 4 | 1, rng.randrange(3), 501, *(rng.getrandbits(32) for _ in "abc"), 3, 9
            )
            junk = rng.randbytes(rng.randrange(200))
            caller.put(rng.choice((head + junk, junk, head[: rng.randrange(20)])))
        caller.heard(0.2)
    assert leech(torrent, port) < SERVED_WITHIN
    assert not [line for line in program.messages if "broke" in line]


@pytest.mark.parametrize(
    "key",
    [0, 1, PRIME - 1, PRIME, PRIME + 1, 2**768 - 1],
    ids=["0", "1", "p - 1", "p", "p + 1", "the largest"],
)
def test_a_key_that_leaves_no_secret_is_answered_by_nothing(seed: tuple[Program, int], key: int) -> None:
    with socket.create_connection(("127.0.0.1", seed[1]), timeout=5) as sock:
        sock.sendall(key.to_bytes(KEY_SIZE))
        assert sock.recv(100) == b""


def test_handshakes_of_garbage_cost_little_each_and_nobody_waits_for_them(
    seed: tuple[Program, int], torrent: Torrent
) -> None:
    """Each is worked out once at most, and only for who has sent all that it takes; then it ends at 628 bytes."""
    rng = Random(4)
    program, port = seed
    memory, used = program.memory(), program.cpu_seconds()
    count = 400
    with ExitStack() as stack:
        for number in range(count):
            sock = stack.enter_context(socket.socket())
            sock.bind((f"127.9.0.{1 + number % 200}", 0))
            sock.connect(("127.0.0.1", port))
            sock.sendall(rng.randbytes(KEY_SIZE + 540))
        assert leech(torrent, port) < SERVED_WITHIN
        deadline = time.monotonic() + 5.0
        while program.descriptors() > 60 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert program.descriptors() <= 60, "they were ended, not kept"
    assert (program.cpu_seconds() - used) / count < 0.004
    assert program.memory() - memory < FLAT


def test_a_handshake_byte_by_byte_has_ten_seconds_in_all_by_whatever_transport(slow: Future[dict[str, float]]) -> None:
    """Encrypted over TCP, encrypted over uTP, plain over uTP: each says a byte at a time."""
    ended = slow.result()
    assert set(ended) == {"tcp", "coded", "plain"}
    assert all(HANDSHAKE_SECONDS - 2 < seconds < HANDSHAKE_SECONDS + 3 for seconds in ended.values()), ended


def test_a_crowd_that_connects_and_says_next_to_nothing_is_bounded(seed: tuple[Program, int], torrent: Torrent) -> None:
    """As over TCP: a quarter of those who may keep silent are of one network, and who is one too many goes.

    The last test here: the slow ones of the one before would have to go.
    """
    program, port = seed
    memory = program.memory()
    with ExitStack() as stack:
        callers = [stack.enter_context(Caller(port, f"127.11.{n >> 7}.{1 + n % 128}")) for n in range(300)]
        for caller in callers:
            caller.call()
            caller.say(wire.PROTOCOL[:1])
            time.sleep(0.005)  # so many are let in in a second
        assert leech(torrent, port) < SERVED_WITHIN
        gone = sum(any(said.kind in (FIN, RESET) for said in caller.heard(0.001)) for caller in callers)
        assert gone >= 300 - 200
        assert program.memory() - memory < FLAT


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
