"""What the program tells a peer that it has."""

from collections.abc import Callable
from contextlib import closing
from time import monotonic, sleep

from tests.faults.rigs import wire
from tests.faults.rigs.torrent import Torrent

JOIN_SECONDS = 30


def claims(port: int, torrent: Torrent, ended: Callable[[], bool] = lambda: False) -> set[int] | None:
    """The pieces that whoever listens on `port` tells a peer of; None when it `ended` before it told any."""
    end = monotonic() + JOIN_SECONDS
    while not ended():
        try:
            with closing(wire.dial(port, torrent.info_hash)) as peer:
                peer.hello(reserved=wire.FAST)
                peer.greeted()
                kind, payload = peer.next()
        except (OSError, wire.HangUpError):  # not listening, or not yet in the swarm
            assert monotonic() < end, "nobody listens"
            sleep(0.01)
            continue
        if kind == wire.HAVE_ALL:
            return set(range(torrent.pieces))
        assert kind in (wire.HAVE_NONE, wire.BITFIELD)
        return {piece for piece in range(len(payload) * 8) if payload[piece >> 3] << (piece & 7) & 0x80}
    return None
