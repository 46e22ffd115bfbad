"""Many plain peers of one bittern in one process, so that what is measured is bittern and not them.

    python crowd.py PORT SEEDS LEECHES TORRENT CONTENT [TORRENT CONTENT ...]

TORRENT is a .torrent file, CONTENT a file with all its bytes in a row. For each torrent SEEDS peers that have all of
it and LEECHES that want it dial PORT on 127.0.0.1, each from an address of its own, and dial again a second after they
were turned away. Seeds serve whatever is asked; leeches ask for one block after the other, in no order, for ever, and
keep nothing but check it. Each line on standard input is answered with one of JSON; its end ends everything.
"""

import asyncio
import hashlib
import json
import struct
import sys
from dataclasses import asdict, dataclass
from itertools import count
from mmap import ACCESS_READ, mmap
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any

from bittern.codec.bencode import decode_spans

BLOCK = 16384
AGAIN_SECONDS = 1.0
DIALS_AT_ONCE = 20
HANDSHAKE_LENGTH = 68
CHOKE, UNCHOKE, INTERESTED, REQUEST, PIECE = 0, 1, 2, 6, 7


class Torrent:
    """What a .torrent file says, and the bytes it is about."""

    def __init__(self, path: Path, content: Path) -> None:
        top, spans = decode_spans(path.read_bytes())
        info: Any = top[b"info"]
        self.info_hash = hashlib.sha1(path.read_bytes()[spans[b"info"]]).digest()
        self.piece_size = int(info[b"piece length"])
        self.pieces = len(info[b"pieces"]) // 20
        with content.open("rb") as file:
            self.data = mmap(file.fileno(), 0, access=ACCESS_READ)
        self.greeting = b"\x13BitTorrent protocol" + bytes(8) + self.info_hash

    def everything(self) -> bytes:
        """The message of a peer that has every piece."""
        field = bytearray(b"\xff" * (self.pieces // 8))
        if self.pieces % 8:
            field.append(0xFF << (8 - self.pieces % 8) & 0xFF)
        return struct.pack(">IB", 1 + len(field), 5) + field

    def block(self, piece: int, begin: int, length: int) -> bytes:
        """So many bytes of a piece."""
        offset = piece * self.piece_size + begin
        return self.data[offset : offset + length]


@dataclass(slots=True)
class Tally:
    """What all of them did so far.

    Attributes:
        open: connections whose handshake was answered, now.
        most: of them at a time.
        turned_away: connections that ended.
        given: blocks that seeds sent.
        taken: blocks that leeches got.
        wrong: those of them that are not what the torrent has there.
        longest_wait: seconds between asking for a block, unchoked, and getting it.
    """

    open: int = 0
    most: int = 0
    turned_away: int = 0
    given: int = 0
    taken: int = 0
    wrong: int = 0
    longest_wait: float = 0.0


class Peer(asyncio.Protocol):
    """One connection."""

    def __init__(self, torrent: Torrent, tally: Tally, rng: Random, *, seed: bool) -> None:
        self._torrent = torrent
        self._tally = tally
        self._rng = rng
        self._seed = seed
        self._unread = bytearray()
        self._greeted = False
        self._asked = (0, 0, 0)
        self._asked_at = 0.0
        self.lost = asyncio.Event()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._torrent.greeting + b"-CR0000-" + self._rng.randbytes(12))

    def connection_lost(self, exc: Exception | None) -> None:
        """Count."""
        self._tally.turned_away += 1
        self._tally.open -= self._greeted
        self.lost.set()

    def data_received(self, data: bytes) -> None:
        """Take the messages apart."""
        unread = self._unread
        unread += data
        if not self._greeted:
            if len(unread) < HANDSHAKE_LENGTH:
                return
            del unread[:HANDSHAKE_LENGTH]
            self._greeted = True
            self._tally.open += 1
            self._tally.most = max(self._tally.most, self._tally.open)
            self._write(self._torrent.everything() if self._seed else struct.pack(">IB", 1, INTERESTED))
        while len(unread) >= 4 and len(unread) >= (end := 4 + int.from_bytes(unread[:4])):
            if end > 4:
                self._heard(unread[4], bytes(unread[5:end]))
            del unread[:end]

    def _heard(self, kind: int, payload: bytes) -> None:
        if kind == INTERESTED and self._seed:
            self._write(struct.pack(">IB", 1, UNCHOKE))
        elif kind == REQUEST and self._seed:
            piece, begin, length = struct.unpack(">III", payload)
            block = self._torrent.block(piece, begin, length)
            self._tally.given += 1
            self._write(struct.pack(">IBII", 9 + len(block), PIECE, piece, begin) + block)
        elif kind == UNCHOKE and not self._seed:
            self._ask()
        elif kind == PIECE and not self._seed:
            self._got(payload)

    def _ask(self) -> None:
        torrent = self._torrent
        piece = self._rng.randrange(torrent.pieces)
        size = min(torrent.piece_size, len(torrent.data) - piece * torrent.piece_size)
        begin = self._rng.randrange((size - 1) // BLOCK + 1) * BLOCK
        self._asked, self._asked_at = (piece, begin, min(BLOCK, size - begin)), monotonic()
        self._write(struct.pack(">IBIII", 13, REQUEST, *self._asked))

    def _got(self, payload: bytes) -> None:
        piece, begin, length = self._asked
        tally = self._tally
        tally.taken += 1
        tally.wrong += payload != struct.pack(">II", piece, begin) + self._torrent.block(piece, begin, length)
        tally.longest_wait = max(tally.longest_wait, monotonic() - self._asked_at)
        self._ask()

    def _write(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.write(data)


async def live(
    port: int, source: str, torrent: Torrent, tally: Tally, number: int, dials: asyncio.Semaphore, *, seed: bool
) -> None:
    """Be there, again and again."""
    loop, rng = asyncio.get_running_loop(), Random(number)
    while True:
        try:
            async with dials:
                _, peer = await loop.create_connection(
                    lambda: Peer(torrent, tally, rng, seed=seed), "127.0.0.1", port, local_addr=(source, 0)
                )
        except OSError:
            pass
        else:
            await peer.lost.wait()
        await asyncio.sleep(AGAIN_SECONDS)


async def crowd(port: int, seeds: int, leeches: int, torrents: list[Torrent]) -> None:
    """All of them, until standard input ends."""
    tally, numbers, loop = Tally(), count(), asyncio.get_running_loop()
    dials = asyncio.Semaphore(DIALS_AT_ONCE)
    lives = []
    for torrent in torrents:
        for each in range(seeds + leeches):
            number = next(numbers)
            source = f"127.{1 + number // 62500}.{number // 250 % 250}.{1 + number % 250}"
            work = live(port, source, torrent, tally, number, dials, seed=each < seeds)
            lives.append(loop.create_task(work))
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(asdict(tally)), flush=True)
    for task in lives:
        task.cancel()
    await asyncio.gather(*lives, return_exceptions=True)


def main() -> None:
    """The command line."""
    port, seeds, leeches = map(int, sys.argv[1:4])
    places = list(map(Path, sys.argv[4:]))
    torrents = [Torrent(path, content) for path, content in zip(places[::2], places[1::2], strict=True)]
    asyncio.run(crowd(port, seeds, leeches, torrents))


if __name__ == "__main__":
    main()
