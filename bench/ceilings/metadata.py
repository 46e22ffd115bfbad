"""30 MiB of metadata, from a peer by a magnet link that selects files: of 1,570,000 pieces, and of 250,000 files."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import bittern
from bittern.codec.bencode import encode
from bittern.codec.magnet import MAX_SELECTED

from .meter import Meter
from .rooms import open_session, watched

PIECES = 1_570_000
FILES = 270_000
SHORT = 50
"""The short form is so many times smaller."""
PIECE = 16384


def infos(share: int) -> dict[str, bytes]:
    """Info dictionaries that are almost as large as may be."""
    pieces, files = PIECES // share, FILES // share
    hashes = b"0123456789abcdefghij" * pieces
    single = {"length": pieces * PIECE, "name": "big.bin", "piece length": PIECE, "pieces": hashes}
    listed = [{"length": 1000, "path": [f"folder {number // 1000}", f"{number:064}"]} for number in range(files)]
    count = -(-files * 1000 // PIECE)
    many = {"files": listed, "name": "many", "piece length": PIECE, "pieces": hashes[: count * 20]}
    return {"many pieces": encode(single), "many files": encode(many)}


def make(folder: Path, info: bittern.Info) -> None:
    """Files of the right sizes: nobody reads them."""
    for file in info.files:
        path = folder / info.name / Path(*file.path) if info.multi_file else folder / info.name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as content:
            content.truncate(file.length)


async def play(meter: Meter, folder: Path, raw: bytes, what: str) -> None:
    """From one session to another."""
    info = bittern.Info.parse(raw)
    make(folder / what, info)
    torrent = bittern.Metainfo.from_info(info)
    async with watched(meter), AsyncExitStack() as stack:
        session = await stack.enter_async_context(open_session(folder / f"{what}-seed"))
        seed = await session.add(torrent, folder / what, trust=True)
        await seed.completed()
        leech = await stack.enter_async_context(open_session(folder / f"{what}-leech"))
        with meter.step(f"of {what}"):
            there = f"127.0.0.1:{session.port}"
            link = replace(torrent.to_magnet(), select_only=tuple(range(min(len(info.files), MAX_SELECTED))))
            got = await leech.add(link, folder / "out", peers=[there], metadata_only=True)
            await got.metadata()
        assert got.info is not None
        assert got.info.raw == raw


def run(meter: Meter, folder: Path, *, short: bool) -> None:
    """Both."""
    for what, raw in infos(SHORT if short else 1).items():
        asyncio.run(play(meter, folder, raw, what))
