"""The rigs themselves: partners trade with each other, so a failure elsewhere is bittern's."""

import pytest

from tests.interop.conftest import OpenSwarm
from tests.interop.rigs.aria2 import Aria2
from tests.interop.rigs.client import Client
from tests.interop.rigs.content import Kind
from tests.interop.rigs.libtorrent import Libtorrent
from tests.interop.rigs.process import RigError
from tests.interop.rigs.transmission import Transmission

PAIRS = [
    *((Libtorrent(), Libtorrent(), kind) for kind in Kind),
    (Libtorrent(), Aria2(), Kind.V1_MULTI),
    (Aria2(), Libtorrent(), Kind.V1_SINGLE),
    (Libtorrent(), Transmission(), Kind.V1_MULTI),
    (Transmission(), Libtorrent(), Kind.V1_SINGLE),
]


@pytest.mark.parametrize(("seed", "leecher", "kind"), PAIRS, ids=str)
def test_partners_trade_with_each_other(open_swarm: OpenSwarm, seed: Client, leecher: Client, kind: Kind) -> None:
    swarm = open_swarm(kind, seed, leecher)
    swarm.seed(seed)
    peer, downloaded = swarm.get(leecher)
    peer.wait_complete(60)
    peer.close()
    assert swarm.content.differences(downloaded.folder) == []


def test_a_magnet_is_enough(open_swarm: OpenSwarm) -> None:
    swarm = open_swarm(Kind.V1_MULTI, Libtorrent())
    swarm.seed(Libtorrent())
    peer, downloaded = swarm.get(Libtorrent(), swarm.magnet)
    peer.wait_complete(30)
    assert swarm.content.differences(downloaded.folder) == []


def test_the_tracker_hears_each_event(open_swarm: OpenSwarm) -> None:
    swarm = open_swarm(Kind.V1_SINGLE, Libtorrent())
    seed = swarm.seed(Libtorrent())
    peer, _ = swarm.get(Libtorrent())
    peer.wait_complete(30)
    peer.close()
    seed.close()
    assert swarm.tracker.events(peer.port) == ["started", "completed", "stopped"]
    assert swarm.tracker.events(seed.port) == ["started", "stopped"]
    assert {a.left for a in swarm.tracker.announces if a.event == "completed"} == {0}


def test_a_corrupt_copy_is_noticed(open_swarm: OpenSwarm) -> None:
    """The comparison that every interop test ends with can fail."""
    swarm = open_swarm(Kind.V1_MULTI, Libtorrent())
    swarm.seed(Libtorrent())
    peer, downloaded = swarm.get(Libtorrent())
    peer.wait_complete(30)
    peer.close()
    large = downloaded.path / "large.bin"
    large.write_bytes(b"\0" + large.read_bytes()[1:])
    (downloaded.path / "last").unlink()
    assert swarm.content.differences(downloaded.folder) == ["multi/large.bin", "multi/last"]


def test_a_partner_that_fails_shows_its_log(open_swarm: OpenSwarm) -> None:
    swarm = open_swarm(Kind.V1_SINGLE, Aria2())
    peer, _ = swarm.get(Aria2(), "no-such.torrent")
    with pytest.raises(RigError, match=r"aria2c .*did not complete"):
        peer.wait_complete(30)
