"""Sessions that know one transport, and those that know both."""

from pathlib import Path

import pytest

from bittern import Session
from bittern.base.transport import Transport
from bittern.session.events import PeerJoined
from tests.session.rig import PIECE, eventually, fill, settings, torrent


@pytest.mark.parametrize(("tcp", "utp", "expected"), [(False, True, Transport.UTP), (True, False, Transport.TCP)])
async def test_a_session_of_one_transport_uses_no_other(
    tmp_path: Path, *, tcp: bool, utp: bool, expected: Transport
) -> None:
    meta = torrent(fill(tmp_path / "a.bin", 20 * PIECE + 5))
    both = settings(tmp_path / "seed", use_lsd=False)
    one = settings(tmp_path / "leech", use_lsd=False, tcp=tcp, utp=utp)
    async with Session(both) as seed, Session(one) as leech:
        await (await seed.add(meta, tmp_path)).completed()
        into = await leech.add(meta, tmp_path / "into", peers=[f"127.0.0.1:{seed.port}"])
        joined = into.events(PeerJoined)
        await into.completed()
        assert (tmp_path / "into" / "a.bin").read_bytes() == (tmp_path / "a.bin").read_bytes()
        event = await anext(joined)
        assert isinstance(event, PeerJoined)
        assert event.transport is expected


async def test_a_peer_without_tcp_is_reached_all_the_same(tmp_path: Path) -> None:
    """Who dials knows nothing of it: TCP is refused, and uTP follows at once."""
    meta = torrent(fill(tmp_path / "a.bin", PIECE))
    async with (
        Session(settings(tmp_path / "seed", tcp=False)) as seed,
        Session(settings(tmp_path / "leech")) as leech,
    ):
        await (await seed.add(meta, tmp_path)).completed()
        into = await leech.add(meta, tmp_path / "into", peers=[f"127.0.0.1:{seed.port}"])
        await into.completed()


async def test_who_leaves_says_so_over_utp(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "a.bin", 20 * PIECE))
    slow = settings(tmp_path / "other", tcp=False, down_bytes_per_second=1000.0)
    async with Session(settings(tmp_path / "one", tcp=False)) as stays:
        kept = await stays.add(meta, tmp_path)
        await kept.completed()
        async with Session(slow) as leaves:
            await leaves.add(meta, tmp_path / "into", peers=[f"127.0.0.1:{stays.port}"])
            await eventually(lambda: kept.status.utp_peers == 1)
        await eventually(lambda: kept.status.peers == 0, seconds=5.0)
