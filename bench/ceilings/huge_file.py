"""One file of 1 PiB, of version 2: its .torrent of 64 MiB is read, the file added, a piece of it fetched."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import bittern
from bittern.codec.bencode import encode
from bittern.codec.merkle import leaf_hashes, subtree_root

from .meter import MIB, Meter
from .rooms import open_session, reached, restarted_seed, watched

PIECE = 512 * MIB
PIECES = 2 << 20
SHORT_PIECE, SHORT_PIECES = MIB, 1 << 16
"""Of the short form."""
BLOCK = 16384


def root_of(node: bytes, count: int) -> bytes:
    """The root above so many nodes, a power of two, that are all the same."""
    while count > 1:
        node = subtree_root(node * 2)
        count //= 2
    return node


def make(folder: Path, piece: int, pieces: int) -> None:
    """A torrent of zeros, and its content, which is sparse."""
    hashed = root_of(leaf_hashes(bytes(BLOCK)), piece // BLOCK)
    root, length = root_of(hashed, pieces), piece * pieces
    tree = {"big.bin": {"": {"length": length, "pieces root": root}}}
    info = encode({"file tree": tree, "meta version": 2, "name": "big.bin", "piece length": piece})
    layers = encode({root: hashed * pieces})
    (folder / "big.torrent").write_bytes(b"d4:info" + info + b"12:piece layers" + layers + b"e")
    (folder / "whole").mkdir()
    with (folder / "whole" / "big.bin").open("wb") as file:
        file.truncate(length)


async def play(meter: Meter, folder: Path, piece: int) -> None:
    """All steps."""
    with meter.step("read the .torrent file"):
        torrent = bittern.Metainfo.load(folder / "big.torrent")
    async with watched(meter), AsyncExitStack() as stack:
        session, _ = await stack.enter_async_context(restarted_seed(meter, torrent, folder))
        async with open_session(folder / "leech") as leech:
            with meter.step("fetch a piece"):
                got = await leech.add(torrent, folder / "out", peers=[f"127.0.0.1:{session.port}"])
                await reached(lambda: got.status.done_bytes >= piece)
            with meter.step("leave it, with a piece of it"):
                await leech.close()
        leech = await stack.enter_async_context(open_session(folder / "leech"))
        with meter.step("start again, with a piece of it"):
            (got,) = leech.torrents
            await got.checked()
        assert got.status.done_bytes >= piece


def run(meter: Meter, folder: Path, *, short: bool) -> None:
    """All steps."""
    piece, pieces = (SHORT_PIECE, SHORT_PIECES) if short else (PIECE, PIECES)
    make(folder, piece, pieces)
    asyncio.run(play(meter, folder, piece))
