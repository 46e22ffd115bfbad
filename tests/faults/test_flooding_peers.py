"""`bittern get` beside a peer that says the same without end: the download is not held up, and memory stays flat."""

# ruff: noqa: ARG001 - every flood is handed the torrent, whether it needs it or not

import struct
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.rigs import program, wire
from tests.faults.rigs.hostile import HostilePeer, Proxy
from tests.faults.rigs.leeching import FLAT
from tests.faults.rigs.torrent import BLOCK, NAME, Torrent
from tests.faults.rigs.wire import Wire

Flood = Callable[[Torrent], bytes]
DONE_WITHIN = 20
ALL = bytes(a | b for a, b in zip(wire.FAST, wire.EXTENSIONS, strict=True))
SUGGEST, ALLOWED_FAST, PORT = 13, 17, 9
LT_DONTHAVE = 7
UT_PEX = 1


def numbers(kind: int, torrent: Torrent) -> bytes:
    return b"".join(wire.message(kind, struct.pack(">I", piece)) for piece in range(torrent.pieces))


def chokes_and_unchokes(torrent: Torrent) -> bytes:
    return wire.message(wire.CHOKE) + wire.message(wire.UNCHOKE)


def interest_back_and_forth(torrent: Torrent) -> bytes:
    return wire.message(wire.INTERESTED) + wire.message(wire.NOT_INTERESTED)


def the_same_pieces(torrent: Torrent) -> bytes:
    return numbers(wire.HAVE, torrent)


def pieces_lost_and_found(torrent: Torrent) -> bytes:
    """BEP 54: it has them, it has them not."""
    return b"".join(
        wire.message(wire.EXTENDED, bytes((LT_DONTHAVE,)) + struct.pack(">I", piece))
        + wire.message(wire.HAVE, struct.pack(">I", piece))
        for piece in range(torrent.pieces)
    )


def later_bitfields(torrent: Torrent) -> bytes:
    return wire.message(wire.BITFIELD, b"\xff" * (torrent.pieces // 8))


def advice(torrent: Torrent) -> bytes:
    return numbers(SUGGEST, torrent) + numbers(ALLOWED_FAST, torrent) + wire.message(PORT, b"\0\1")


def keep_alives(torrent: Torrent) -> bytes:
    return bytes(400)


def messages_of_the_future(torrent: Torrent) -> bytes:
    return wire.message(99, bytes(5000)) + wire.message(wire.EXTENDED, b"\x55" + bytes(5000))


def extension_handshakes(torrent: Torrent) -> bytes:
    names = b"".join(b"3:x%02di1e" % number for number in range(99))
    return wire.message(wire.EXTENDED, b"\0d1:md" + names + b"ee")


def metadata_that_nobody_wants(torrent: Torrent) -> bytes:
    head = b"d8:msg_typei1e5:piecei0e10:total_sizei16384ee"
    return wire.message(wire.EXTENDED, b"\2" + head + bytes(BLOCK))


def gossip(torrent: Torrent) -> bytes:
    """BEP 11: fifty addresses of this machine, on which nobody listens."""
    crowd = b"".join(b"\x7f\0\0" + bytes((number,)) + b"\xff\xfe" for number in range(100, 150))
    return wire.message(wire.EXTENDED, bytes((UT_PEX,)) + b"d5:added%d:" % len(crowd) + crowd + b"e")


def requests_for_what_is_not_there(torrent: Torrent) -> bytes:
    return wire.message(wire.REQUEST, struct.pack(">III", 0, 0, BLOCK)) * 100


def cancels(torrent: Torrent) -> bytes:
    return wire.message(wire.CANCEL, struct.pack(">III", 0, 0, BLOCK)) * 100


FLOODS: list[Flood] = [
    chokes_and_unchokes,
    interest_back_and_forth,
    the_same_pieces,
    pieces_lost_and_found,
    later_bitfields,
    advice,
    keep_alives,
    messages_of_the_future,
    extension_handshakes,
    metadata_that_nobody_wants,
    gossip,
    requests_for_what_is_not_there,
    cancels,
]


@pytest.mark.parametrize("flood", FLOODS, ids=[flood.__name__ for flood in FLOODS])
def test_a_download_is_not_held_up_by_a_peer_that_floods_it(
    torrent: Torrent, seed: int, into: Path, tmp_path: Path, flood: Flood
) -> None:
    over = threading.Event()

    def script(peer: Wire) -> None:
        peer.hello(reserved=ALL)
        peer.greeted()
        peer.have_everything(torrent.pieces)
        data = flood(torrent)
        data *= max(1, 60_000 // len(data))
        begun.set()
        while not over.is_set():
            peer.raw(data)

    begun = threading.Event()
    with HostilePeer(torrent.info_hash, script) as hostile, Proxy(seed, shut=True) as honest:
        peers = (hostile.address, honest.address)
        with program.get(torrent.path, into, tmp_path / "get", peers=peers) as job:
            try:
                assert begun.wait(10)
                before = job.memory()
                honest.open()
                job.saw("complete", seconds=DONE_WITHIN)
                assert job.memory() - before < len(torrent.data) + FLAT
            finally:
                over.set()
            assert job.ends(DONE_WITHIN) == 0
    assert (into / NAME).read_bytes() == torrent.data
