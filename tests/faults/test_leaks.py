"""What hostile peers leave behind in a program that goes on: no open file, no thread, no memory."""

import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random

from tests.faults.rigs import wire
from tests.faults.rigs.leeching import FLAT, SERVED_WITHIN, leech, seeding
from tests.faults.rigs.program import Program
from tests.faults.rigs.torrent import BLOCK, PIECE, Torrent
from tests.faults.rigs.wire import HangUpError, Wire, dial
from tests.interop.rigs.process import wait_until

ALL = bytes(a | b for a, b in zip(wire.FAST, wire.EXTENSIONS, strict=True))
ROUNDS = 6
O_CLOEXEC = 0o2000000

Deed = Callable[[Wire, Torrent], None]


def joined(peer: Wire) -> None:
    peer.hello(reserved=ALL)
    peer.greeted()


def says(*data: bytes) -> Deed:
    """Joins and says this."""

    def deed(peer: Wire, _: Torrent) -> None:
        joined(peer)
        for part in data:
            peer.raw(part)

    return deed


def instead_of_a_handshake(data: bytes) -> Deed:
    return lambda peer, _: peer.raw(data)


def asks_and_leaves(peer: Wire, torrent: Torrent) -> None:
    """Takes a block, has many more on their way, and is gone."""
    joined(peer)
    peer.say(wire.INTERESTED)
    peer.until(wire.UNCHOKE)
    for piece in range(torrent.pieces):
        for begin in range(0, PIECE, BLOCK):
            peer.ask(piece, begin, BLOCK)
    peer.until(wire.PIECE)


def is_reset(peer: Wire, torrent: Torrent) -> None:
    asks_and_leaves(peer, torrent)
    peer.reset()


ROW = b"\xab" * 32 + struct.pack(">IIII", 0, 0, 2, 1)
DEEDS: list[Deed] = [
    instead_of_a_handshake(b""),
    instead_of_a_handshake(b"GET / HTTP/1.1\r\n\r\n"),
    instead_of_a_handshake(wire.PROTOCOL + bytes(20)),
    instead_of_a_handshake(wire.PROTOCOL + bytes(48)),
    instead_of_a_handshake(Random(1).randbytes(96)),
    says(Random(2).randbytes(5000)),
    says(b"\xff" * 5),
    says(wire.message(wire.BITFIELD, b"\xff" * 4)[:8]),
    says(wire.message(wire.BITFIELD, b"\xff" * 400)),
    says(wire.message(wire.EXTENDED, b"\0" + b"d" * 5000)),
    says(wire.message(wire.EXTENDED, b"\0" + bytes(60_000))[:50_000]),
    says(wire.message(wire.EXTENDED, b"\2d8:msg_typei1e5:piecei0e10:total_sizei5ee12345")),
    says(wire.message(wire.EXTENDED, b"\2d8:msg_typei0e5:piecei99999999999ee")),
    says(wire.message(wire.REQUEST, struct.pack(">III", 9999, 0, BLOCK))),
    says(wire.message(wire.REQUEST, struct.pack(">III", 0, 0, BLOCK)) * 3000),
    says(wire.message(wire.PIECE, bytes(8 + BLOCK))),
    says(wire.message(wire.REJECT, bytes(12))),
    says(wire.message(21, ROW), wire.message(22, ROW + bytes(96))),
    says(wire.message(wire.HAVE_ALL)),
    says(wire.message(wire.HAVE_NONE), wire.message(wire.HAVE_ALL)),
    asks_and_leaves,
    is_reset,
]


def misbehave(torrent: Torrent, port: int, deed: Deed) -> None:
    peer = dial(port, torrent.info_hash, source="127.0.0.2")
    with suppress(HangUpError):
        deed(peer, torrent)
    peer.close()


def holdings(program: Program) -> tuple[int, int]:
    return program.descriptors(), program.threads()


def test_peers_of_every_kind_leave_nothing_behind_and_a_good_one_is_served_in_between(
    torrent: Torrent, tmp_path: Path
) -> None:
    with seeding(torrent, tmp_path / "seed") as (program, port):
        for deed in DEEDS:  # each once, before anything is measured
            misbehave(torrent, port, deed)
        leech(torrent, port)
        assert wait_until(lambda: program.sockets() == 1, 5), "the listening one alone"
        before, memory = holdings(program), program.memory()
        for _ in range(ROUNDS):
            for deed in DEEDS:
                misbehave(torrent, port, deed)
            assert leech(torrent, port) < SERVED_WITHIN
        assert wait_until(lambda: holdings(program) <= before, 5), f"{holdings(program)} after {before}"
        assert program.memory() - memory < FLAT
        assert not [line for line in program.messages if "Traceback" in line or "never retrieved" in line]


def test_no_open_file_is_handed_to_programs_that_are_started(torrent: Torrent, tmp_path: Path) -> None:
    """Each but the three standard ones is closed on exec."""
    with seeding(torrent, tmp_path / "seed") as (program, port), socket.create_connection(("127.0.0.1", port)):
        leech(torrent, port)
        assert wait_until(lambda: program.sockets() == 2, 5), "the listening one and ours"
        for path in Path(f"/proc/{program.running.pid}/fdinfo").iterdir():
            flags = next(line for line in path.read_text().splitlines() if line.startswith("flags:"))
            target = (path.parent.parent / "fd" / path.name).readlink()
            assert int(path.name) < 3 or int(flags.split()[1], 8) & O_CLOEXEC, f"{path.name} is {target}"
