"""Sessions that encrypt, over real sockets: each pair of choices, both transports, a torrent that sleeps."""

import asyncio
from itertools import product
from pathlib import Path
from typing import Literal

import pytest

from bittern.base.transport import Transport
from bittern.session import events
from bittern.session.session import Session
from bittern.tools.create import Version
from tests.session.rig import PIECE, eventually, fill, settings, torrent

SECONDS = 30
Choice = Literal["off", "prefer", "require"]
CHOICES: tuple[Choice, ...] = ("off", "prefer", "require")


@pytest.mark.parametrize("transport", Transport)
@pytest.mark.parametrize(("out", "into"), list(product(CHOICES, repeat=2)))
async def test_each_pair_of_choices_transfers_or_does_not(
    tmp_path: Path, out: Choice, into: Choice, transport: Transport
) -> None:
    meta = torrent(fill(tmp_path / "src" / "a.bin", 3 * PIECE))
    ways = {"tcp": transport is Transport.TCP, "utp": transport is Transport.UTP}
    there = settings(tmp_path / "a", encryption_in=into, encryption_out="off", **ways)
    here = settings(tmp_path / "b", encryption_in="off", encryption_out=out, **ways)
    async with Session(there) as seed, Session(here) as leech:
        await (await seed.add(meta, tmp_path / "src")).completed()
        got = await leech.add(meta, tmp_path / "dst", paused=True, peers=[f"127.0.0.1:{seed.port}"])
        told = got.events(events.PeerJoined, events.PeerDropped)
        await got.resume()
        event = await asyncio.wait_for(anext(told), SECONDS)
        encrypted = out != "off" and into != "off"
        if encrypted or "require" not in (out, into):
            assert isinstance(event, events.PeerJoined)
            assert (event.encrypted, event.transport) == (encrypted, transport)
            await asyncio.wait_for(got.completed(), SECONDS)
            assert (tmp_path / "dst" / "a.bin").read_bytes() == (tmp_path / "src" / "a.bin").read_bytes()
        else:
            assert isinstance(event, events.PeerDropped)
            assert not got.peers


async def test_a_hybrid_that_sleeps_wakes_up_for_who_encrypts(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "src" / "a.bin", 3 * PIECE), version=Version.HYBRID)
    there = settings(tmp_path / "a", encryption_in="require", keep_torrents=True, sleep_seconds=0.0)
    async with Session(there) as seed, Session(settings(tmp_path / "b")) as leech:
        own = await seed.add(meta, tmp_path / "src")
        await own.completed()
        await eventually(lambda: seed._entries[own.info_hash].life is None)
        got = await leech.add(meta, tmp_path / "dst", peers=[f"127.0.0.1:{seed.port}"])
        await asyncio.wait_for(got.completed(), SECONDS)
