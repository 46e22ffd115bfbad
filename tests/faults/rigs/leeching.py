"""A seed of bittern's under pressure, and an honest leecher that it has to serve all the same."""

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.faults.rigs import wire
from tests.faults.rigs.program import QUIET, Program
from tests.faults.rigs.torrent import BLOCK, MIB, PIECE, Torrent
from tests.faults.rigs.wire import dial
from tests.interop.rigs.place import LOOPBACK

SERVED_WITHIN = 5.0
PATIENCE = 25.0  # where work is measured otherwise: the machine may be busy with something else
FLAT = 10 * MIB


@contextmanager
def seeding(torrent: Torrent, work: Path, *before: str, quiet: Sequence[str] = QUIET) -> Iterator[tuple[Program, int]]:
    """A seed of its own, and its port."""
    port = LOOPBACK.free_port()
    words = ["seed", str(torrent.path), str(torrent.folder), "--port", str(port)]
    with Program(words, work, before=before, quiet=quiet) as program:
        program.seeds()
        yield program, port


def leech(torrent: Torrent, port: int) -> float:
    """Fetch the torrent as an honest leecher that asks for one piece after the other; how many seconds it took."""
    began = time.monotonic()
    peer = dial(port, torrent.info_hash)
    try:
        peer.hello(peer_id=b"-GO0000-honesthonest")
        peer.greeted()
        peer.say(wire.INTERESTED)
        peer.until(wire.UNCHOKE)
        digest = hashlib.sha1()
        for piece in range(torrent.pieces):
            for begin in range(0, PIECE, BLOCK):
                peer.ask(piece, begin, BLOCK)
            for _ in range(0, PIECE, BLOCK):
                digest.update(peer.until(wire.PIECE)[8:])
    finally:
        peer.close()
    assert digest.digest() == hashlib.sha1(torrent.data).digest()
    return time.monotonic() - began
