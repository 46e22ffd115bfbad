"""Limits that are set while a session runs, measured over real sockets."""

import asyncio
import time
from math import inf, nan
from pathlib import Path

import pytest

from bittern.base.errors import SessionError
from bittern.base.geometry import BLOCK
from bittern.base.rate import BURST_SECONDS
from bittern.engine.swarm.classes import PeerClass
from bittern.session.limits import Limits, check_limit
from bittern.session.session import Session
from bittern.session.torrent import Torrent
from tests.session.rig import eventually, fill, seeding, settings, torrent

KB = 1000
LOOKS = 8
LOOK_SECONDS = 1.5


def test_only_numbers_that_can_be_limits_are_taken() -> None:
    for wrong in (-1.0, nan, 0.0):
        with pytest.raises(SessionError, match="down"):
            check_limit("down", wrong)
    check_limit("up", 0.0, zero=True)
    check_limit("up", None)
    limits = Limits()
    limits.update(1.0, 2.0, None, None)
    with pytest.raises(SessionError, match="peer_up"):
        limits.update(5.0, None, None, -1.0)
    limits.update(None, inf, 3.0, None)
    assert limits == Limits(down=1.0, up=inf, peer_down=3.0)


def test_limits_of_single_peers_are_taken_only_with_an_address_and_are_forgotten_with_none() -> None:
    limits = Limits()
    for host, down, up, wrong in (
        ("example.org", 1.0, None, "no IP address"),
        ("10.0.0.1", 0.0, None, "down"),
        ("10.0.0.1", None, -1.0, "up"),
    ):
        with pytest.raises(SessionError, match=wrong):
            limits.update_peer(host, down, up)
    assert limits == Limits()
    limits.update_peer("::ffff:10.0.0.1", 5.0, None)
    limits.update_peer("2001:DB8::0:1", inf, 0.0)
    copy = limits.copy()
    assert limits.peers == {"10.0.0.1": (5.0, None), "2001:db8::1": (inf, 0.0)}
    limits.update_peer("10.0.0.1", None, None)
    assert limits.peers == {"2001:db8::1": (inf, 0.0)}
    assert len(copy.peers) == 2


async def rate_of(torrent: Torrent, seconds: float) -> float:
    """Bytes per second that come now, measured from a block to a block."""

    async def next_block() -> tuple[float, int]:
        before = torrent.status.downloaded
        while torrent.status.downloaded == before:  # noqa: ASYNC110 - blocks are no events
            await asyncio.sleep(0.001)
        return time.monotonic(), torrent.status.downloaded

    begin, before = await next_block()
    end, after = begin, before
    while end - begin < seconds:
        end, after = await next_block()
    return (after - before) / (end - begin)


async def comes_to(torrent: Torrent, limit: float) -> None:
    """Bytes come as fast as they may, and no faster, once what was asked for before is here.

    Where something else has the machine fewer come: one of some looks has to see what is meant. More never come than
    the limit, its burst and a block that was begun allow.
    """
    most = limit * (1 + BURST_SECONDS / LOOK_SECONDS) + BLOCK / LOOK_SECONDS
    rates = list[float]()
    while not rates or rates[-1] != pytest.approx(limit, rel=0.10):
        assert len(rates) < LOOKS, rates
        rates.append(await rate_of(torrent, LOOK_SECONDS))
    assert all(rate <= most for rate in rates[1:]), (most, rates)


async def test_limits_hold_on_real_sockets_and_change_while_bytes_flow(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "in" / "big.bin", 64_000_000), piece_size=1 << 18)
    with seeding(meta, tmp_path / "in", tmp_path / "seed") as seed:
        async with Session(settings(tmp_path / "leech", down_bytes_per_second=100.0 * KB)) as leech:
            handle = await leech.add(meta, tmp_path / "out", peers=[seed])
            await comes_to(handle, 100 * KB)
            leech.set_limits(down=inf)
            handle.set_limits(down=5000.0 * KB)
            await comes_to(handle, 5000 * KB)
            handle.set_limits(down=inf, peer_down=400.0 * KB)
            await comes_to(handle, 400 * KB)
            handle.set_peer_limits("127.0.0.1", down=800.0 * KB)
            handle.set_peer_limits("127.0.0.2", down=1.0 * KB)
            await comes_to(handle, 800 * KB)
            (peer,) = handle.peers
            assert (peer.host, peer.down_limit, peer.up_limit) == ("127.0.0.1", 800.0 * KB, inf)
            assert peer.down_rate > 0
            assert (peer.seed, peer.incoming, peer.downloaded > 0, peer.uploaded) == (True, False, True, 0)
            handle.set_peer_limits("127.0.0.1")
            assert handle.limits.peers == {"127.0.0.2": (1.0 * KB, None)}
            assert handle.limits.peer_down == 400.0 * KB
            handle.set_limits(peer_down=inf)
            leech.group("slow", down=1000.0 * KB)
            handle.join("slow")
            assert handle.group == "slow"
            await comes_to(handle, 1000 * KB)
            handle.join(None)
            await asyncio.wait_for(handle.completed(), 30)


async def test_what_is_served_is_limited_too(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "in" / "big.bin", 16_000_000), piece_size=1 << 18)
    with seeding(meta, tmp_path / "in", tmp_path / "seed", up_bytes_per_second=500.0 * KB) as seed:
        async with Session(settings(tmp_path / "leech")) as leech:
            handle = await leech.add(meta, tmp_path / "out", peers=[seed])
            await comes_to(handle, 500 * KB)


async def test_a_local_peer_is_held_to_no_limit_if_asked(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "in" / "big.bin", 3_000_000))
    with seeding(meta, tmp_path / "in", tmp_path / "seed") as seed:
        async with Session(settings(tmp_path / "leech", down_bytes_per_second=1000.0, exempt_local=True)) as leech:
            handle = await leech.add(meta, tmp_path / "out", peers=[seed])
            await asyncio.wait_for(handle.completed(), 20)


async def test_a_class_may_be_free_of_all_limits_but_its_own_and_has_slots_of_its_own(tmp_path: Path) -> None:
    """The seed gives others a kilobyte a second; its neighbours do not wait for that, nor for a slot."""
    meta = torrent(fill(tmp_path / "in" / "a.bin", 400 * KB))
    far = PeerClass(name="far", addresses=("8.0.0.0/8",))
    near = PeerClass(name="near", addresses=("local",), unlimited=True, upload_slots=1, up_bytes_per_second=200 * KB)
    mine = settings(tmp_path / "a", up_bytes_per_second=KB, upload_slots=1, peer_classes=(far, near))
    async with Session(mine) as seed, Session(settings(tmp_path / "b")) as leech:
        shared = await seed.add(meta, tmp_path / "in")
        await shared.completed()
        began = time.monotonic()
        got = await leech.add(meta, tmp_path / "out", peers=[f"127.0.0.1:{seed.port}"])
        await eventually(lambda: [peer.peer_class for peer in shared.peers] == ["near"])
        await asyncio.wait_for(got.completed(), 20)
        assert time.monotonic() - began > 1.0  # the limit of the class holds
