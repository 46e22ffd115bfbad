from pathlib import Path

from bittern.base.transport import Transport
from bittern.session.session import Session
from bittern.session.snapshot import status_of, status_of_peer
from bittern.session.status import State
from tests.engine.peers import Line, make_peer
from tests.session.rig import PIECE, fill, life_of, settings, torrent


async def test_a_status_is_put_together_before_and_in_the_swarm(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "a.bin", 20 * PIECE))
    async with Session(settings(tmp_path / "a")) as session:
        there = await session.add(meta, tmp_path)
        early = status_of(life_of(session, there), "x", 0.0)
        assert (early.name, early.complete, early.peers) == ("x", False, 0)
        await there.completed()
        late = status_of(life_of(session, there), "x", 0.0)
        assert (late.state, late.done_bytes, late.total_bytes) == (State.SEEDING, 20 * PIECE, 20 * PIECE)


def test_a_peer_s_status_says_how_it_is_connected() -> None:
    peer = make_peer()
    status = status_of_peer(peer, 0.0)
    assert (status.transport, status.encrypted) == (Transport.TCP, False)
    line = peer.wire.link
    assert isinstance(line, Line)
    line.transport = Transport.UTP
    peer.wire.encrypted = True
    status = status_of_peer(peer, 0.0)
    assert (status.transport, status.encrypted) == (Transport.UTP, True)
