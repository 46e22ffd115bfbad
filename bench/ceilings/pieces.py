"""A torrent of 1,000,000 pieces of 16 KiB: read, added, started again, seeded, checked, downloaded, finished."""

import asyncio
from contextlib import AsyncExitStack
from hashlib import sha1
from pathlib import Path
from random import Random

import bittern
from bittern.codec.bencode import encode

from .meter import Meter
from .rooms import open_session, reached, restarted_seed, watched

PIECES = 1_000_000
SHORT = 15_000
PIECE = 16384
ODD = 2000
"""Pieces that are not zeros: the last to be found, in the middle of what is there."""
VISITORS = 40
BEGUN = 10_000
"""Pieces after which the download is under way."""


def make(folder: Path, pieces: int) -> None:
    """A torrent of zeros with some other pieces in between; and a copy that lacks those. Both are sparse."""
    rng = Random(1)
    odd = {piece: rng.randbytes(PIECE) for piece in sorted(rng.sample(range(pieces), min(ODD, pieces // 10)))}
    hashes = bytearray(sha1(bytes(PIECE)).digest() * pieces)
    for name in ("whole", "parts"):
        (folder / name).mkdir()
        with (folder / name / "big.bin").open("wb") as file:
            file.truncate(pieces * PIECE)
            for piece, data in odd.items() if name == "whole" else ():
                file.seek(piece * PIECE)
                file.write(data)
    for piece, data in odd.items():
        hashes[piece * 20 : piece * 20 + 20] = sha1(data).digest()
    info = {"length": pieces * PIECE, "name": "big.bin", "piece length": PIECE, "pieces": bytes(hashes)}
    (folder / "big.torrent").write_bytes(b"d4:info" + encode(info) + b"e")


async def visit(port: int, torrent: bittern.Metainfo, number: int) -> None:
    """A peer that comes with half of the pieces, is interested, and goes."""
    count = torrent.info.geometry.piece_count
    pieces = bytearray(Random(number).randbytes((count + 7) // 8))
    pieces[-1] &= 0xFF00 >> (count % 8 or 8) & 0xFF
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(f"127.0.2.{1 + number}", 0))
    said = b"\x13BitTorrent protocol" + bytes(8) + torrent.info.wire_hash + b"-XX0000-%012d" % number
    field = (len(pieces) + 1).to_bytes(4) + b"\x05" + pieces
    writer.write(said + field + b"\x00\x00\x00\x01\x02")
    await writer.drain()
    await reader.readexactly(68 + 5 + len(pieces))  # its handshake and its bitfield
    writer.close()


async def visits(port: int, torrent: bittern.Metainfo) -> None:
    """Peers come and go, several at a time."""
    await asyncio.gather(*[visit(port, torrent, number) for number in range(VISITORS)])


async def play(meter: Meter, folder: Path) -> None:
    """All steps that need a session."""
    with meter.step("read the .torrent file"):
        torrent = bittern.Metainfo.load(folder / "big.torrent")
    count = torrent.info.geometry.piece_count
    async with watched(meter), AsyncExitStack() as stack:
        session, seed = await stack.enter_async_context(restarted_seed(meter, torrent, folder))
        with meter.step("peers come to the seed, and go"):
            await visits(session.port, torrent)
            await reached(lambda: not seed.peers)
        there = f"127.0.0.1:{session.port}"
        async with open_session(folder / "begun") as leech:
            with meter.step("the first pieces, while other peers come and go"):
                got = await leech.add(torrent, folder / "begun-content", peers=[there])
                await reached(lambda: bool(got.status.downloaded))
                await visits(leech.port, torrent)
                await reached(lambda: got.status.downloaded >= min(BEGUN, count // 10) * PIECE)
            with meter.step("remove it with its files"):
                await leech.remove(got, delete_data=True)
        async with open_session(folder / "last") as leech:
            with meter.step("check all, some pieces are missing"):
                got = await leech.add(torrent, folder / "parts")
                await got.checked()
            with meter.step("fetch these from three seeds"):
                for name in ("one", "two", "three"):
                    other = await stack.enter_async_context(open_session(folder / name))
                    await other.add(torrent, folder / "whole", trust=True, peers=[f"127.0.0.1:{leech.port}"])
                await got.completed()


def run(meter: Meter, folder: Path, *, short: bool) -> None:
    """All steps."""
    make(folder, SHORT if short else PIECES)
    asyncio.run(play(meter, folder))
