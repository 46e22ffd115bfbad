"""`bittern seed` among leechers that only want its memory, its time or its connections: an honest one is served."""

# ruff: noqa: ARG001 - every flood is handed the torrent, whether it needs it or not

import socket
import struct
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.faults.rigs import wire
from tests.faults.rigs.leeching import FLAT, PATIENCE, SERVED_WITHIN, leech, seeding
from tests.faults.rigs.torrent import BLOCK, MIB, PIECE, Torrent
from tests.faults.rigs.wire import HangUpError, Wire, dial

HOSTILE = "127.0.0.2"
FLOOD_SECONDS = 5.0  # of a processor


def joined(torrent: Torrent, port: int, *, reserved: bytes = wire.PLAIN, number: int = 0) -> Wire:
    """A hostile leecher, handshakes both ways."""
    peer = dial(port, torrent.info_hash, source=HOSTILE)
    peer.hello(reserved=reserved, peer_id=b"-HO0000-%012d" % number)
    peer.greeted()
    return peer


def unchoked(torrent: Torrent, port: int, *, reserved: bytes = wire.PLAIN) -> Wire:
    """As `joined`, and allowed to ask."""
    peer = joined(torrent, port, reserved=reserved)
    peer.say(wire.INTERESTED)
    peer.until(wire.UNCHOKE)
    return peer


def pour(peer: Wire, data: bytes, most: int, seconds: float = 1.0) -> int:
    """Send `data` over and over, reading nothing, until the other side takes no more; the bytes that went."""
    sent, end = 0, time.monotonic() + seconds
    peer.patience(0.5)
    try:
        while sent < most and time.monotonic() < end:
            peer.raw(data)
            sent += len(data)
    except HangUpError:
        pass
    return sent


def request(piece: int, begin: int, length: int = BLOCK) -> bytes:
    return wire.message(wire.REQUEST, struct.pack(">III", piece, begin, length))


def cancel(piece: int, begin: int, length: int = BLOCK) -> bytes:
    return wire.message(wire.CANCEL, struct.pack(">III", piece, begin, length))


def whole(torrent: Torrent) -> bytes:
    """Requests for every block."""
    return b"".join(request(piece, begin) for piece in range(torrent.pieces) for begin in range(0, PIECE, BLOCK))


# --- requests that no honest client makes

BAD_REQUESTS = {
    "a piece that is not there": request(1 << 20, 0),
    "the greatest numbers": request(0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF),
    "beyond the piece": request(0, PIECE),
    "over the end of the piece": request(0, PIECE - 1),
    "nothing": request(0, 0, 0),
    "more than a block": request(0, 0, BLOCK + 1),
    "a whole gigabyte": request(0, 0, 1 << 30),
}


@pytest.mark.parametrize("ask", BAD_REQUESTS.values(), ids=BAD_REQUESTS.keys())
@pytest.mark.parametrize("reserved", [wire.PLAIN, wire.FAST], ids=["plain", "fast"])
def test_a_request_out_of_bounds_ends_the_connection(torrent: Torrent, seed: int, ask: bytes, reserved: bytes) -> None:
    peer = unchoked(torrent, seed, reserved=reserved)
    peer.raw(ask)
    assert peer.is_hung_up_on(5)
    peer.close()
    assert leech(torrent, seed) < SERVED_WITHIN


MOST_WHILE_CHOKED = 2300  # the 2,000 that a peer may ask ahead, perhaps before it heard of the choke, and some


def test_requests_while_choked_are_refused_and_then_end_the_connection(torrent: Torrent, seed: int) -> None:
    peer = joined(torrent, seed, reserved=wire.FAST)  # it never says that it is interested, so it stays choked
    for _ in range(MOST_WHILE_CHOKED):
        peer.ask(0, 0, BLOCK)
    for _ in range(MOST_WHILE_CHOKED):
        assert peer.until(wire.REJECT) == struct.pack(">III", 0, 0, BLOCK)
    peer.ask(0, 0, BLOCK)
    assert peer.is_hung_up_on(5)
    peer.close()


# --- floods by peers that never read

Flood = Callable[[Torrent], bytes]


def requests_for_all(torrent: Torrent) -> bytes:
    return whole(torrent)


def requests_for_one_block(torrent: Torrent) -> bytes:
    return request(0, 0) * 1000


def requests_and_cancels(torrent: Torrent) -> bytes:
    return b"".join(
        request(piece, begin) + cancel(piece, begin)
        for piece in range(torrent.pieces)
        for begin in range(0, PIECE, BLOCK)
    )


def cancels_of_parts(torrent: Torrent) -> bytes:
    """Of one byte, of no byte, of two blocks at once."""
    return b"".join(
        request(piece, 0)
        + request(piece, BLOCK)
        + cancel(piece, 5, 1)
        + cancel(piece, 0, 0)
        + cancel(piece, 0, 2 * BLOCK)
        + cancel(piece, 0, 0xFFFFFFFF)
        for piece in range(torrent.pieces)
    )


def metadata_requests(torrent: Torrent) -> bytes:
    hello = wire.message(wire.EXTENDED, b"\0d1:md11:ut_metadatai3eee")
    ask = wire.message(wire.EXTENDED, b"\2d8:msg_typei0e5:piecei0ee")
    return hello + ask * 2000


def keep_alives(torrent: Torrent) -> bytes:
    return bytes(4) * 10000


def interest_back_and_forth(torrent: Torrent) -> bytes:
    return (wire.message(wire.NOT_INTERESTED) + wire.message(wire.INTERESTED)) * 2000


FLOODS: list[tuple[Flood, int]] = [
    (requests_for_all, 16 * MIB),
    (requests_for_one_block, 16 * MIB),
    (requests_and_cancels, 16 * MIB),
    (cancels_of_parts, 16 * MIB),
    (metadata_requests, 16 * MIB),
    (keep_alives, 16 * MIB),
    (interest_back_and_forth, 16 * MIB),
]


@pytest.mark.parametrize(("flood", "size"), FLOODS, ids=[flood.__name__ for flood, _ in FLOODS])
def test_a_flood_from_a_peer_that_never_reads_costs_no_memory_and_nobody_waits(
    torrent: Torrent, tmp_path: Path, flood: Flood, size: int
) -> None:
    reserved = bytes(a | b for a, b in zip(wire.FAST, wire.EXTENSIONS, strict=True))
    with seeding(torrent, tmp_path / "seed") as (program, port):
        leech(torrent, port)
        before = program.memory()
        with closing(unchoked(torrent, port, reserved=reserved)) as peer:
            sent = pour(peer, flood(torrent), size)
            used = program.cpu_seconds()
            assert leech(torrent, port) < PATIENCE
            assert program.cpu_seconds() - used < FLOOD_SECONDS
            assert program.memory() - before < FLAT, f"after {sent} bytes"
        assert not [line for line in program.messages if "Traceback" in line]


def test_a_crowd_that_asks_for_everything_and_never_reads_costs_a_bounded_amount_of_memory(
    torrent: Torrent, tmp_path: Path
) -> None:
    """Blocks for all of them wait in 16 MiB, and of other answers there are 256 KiB for each at most."""
    reserved = bytes(a | b for a, b in zip(wire.FAST, wire.EXTENSIONS, strict=True))
    with seeding(torrent, tmp_path / "seed") as (program, port):
        leech(torrent, port)
        before = program.memory()
        with ExitStack() as stack:
            for number in range(40):
                peer = joined(torrent, port, reserved=reserved, number=number)
                stack.callback(peer.close)
                peer.say(wire.INTERESTED)
                pour(peer, requests_for_all(torrent) * 10 + metadata_requests(torrent), 1)
            time.sleep(1.0)  # what it reads and answers now
            assert program.memory() - before < 16 * MIB + FLAT
        assert leech(torrent, port) < SERVED_WITHIN


def test_a_cancel_of_what_was_never_asked_is_no_offence(torrent: Torrent, seed: int) -> None:
    peer = unchoked(torrent, seed)
    peer.raw(b"".join(cancel(piece, 0) for piece in range(1000)))
    peer.ask(0, 0, BLOCK)
    assert peer.until(wire.PIECE)[8:] == torrent.block(0, 0, BLOCK)
    peer.close()


# --- connections


def test_an_honest_leecher_gets_in_among_500_connections_that_say_nothing(torrent: Torrent, tmp_path: Path) -> None:
    with seeding(torrent, tmp_path / "seed") as (program, port), ExitStack() as stack:
        leech(torrent, port)
        before = program.memory()
        for _ in range(500):
            stack.enter_context(socket.create_connection(("127.0.0.1", port), 5, (HOSTILE, 0)))
        assert leech(torrent, port) < SERVED_WITHIN
        assert program.memory() - before < FLAT


def test_an_honest_leecher_gets_in_among_60_peers_that_joined_and_say_nothing(torrent: Torrent, tmp_path: Path) -> None:
    with seeding(torrent, tmp_path / "seed") as (_, port), ExitStack() as stack:
        for number in range(60):
            stack.callback(joined(torrent, port, number=number).close)
        assert leech(torrent, port) < SERVED_WITHIN


def test_connections_that_are_reset_at_once_hurt_nobody(torrent: Torrent, tmp_path: Path) -> None:
    with seeding(torrent, tmp_path / "seed") as (program, port):
        for _ in range(300):
            sock = socket.create_connection(("127.0.0.1", port), 5, (HOSTILE, 0))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()
        assert leech(torrent, port) < SERVED_WITHIN
        assert not [line for line in program.messages if "Traceback" in line]


def test_a_seed_that_runs_out_of_descriptors_goes_on_when_there_are_some(torrent: Torrent, tmp_path: Path) -> None:
    with seeding(torrent, tmp_path / "seed", "prlimit", "--nofile=48", "--") as (program, port):
        with ExitStack() as stack:
            for _ in range(100):
                stack.enter_context(socket.create_connection(("127.0.0.1", port), 5, (HOSTILE, 0)))
            time.sleep(1.5)  # it pauses for a second and finds that it still has none
            used = program.cpu_seconds()
            time.sleep(1.0)
            assert program.cpu_seconds() - used < 0.5
        assert leech(torrent, port) < SERVED_WITHIN
        assert not [line for line in program.messages if "Traceback" in line]
