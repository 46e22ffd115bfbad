from math import inf

import pytest

from bittern.base.address import Address
from bittern.engine.limits import Limits, TorrentLimits
from bittern.engine.settings import EngineSettings
from bittern.engine.swarm.peer import Peer
from tests.engine.peers import make_peer


def joined(limits: TorrentLimits, number: int = 1, host: str = "93.184.216.34") -> Peer:
    peer = make_peer(number)
    peer.address = Address(host, 1)
    limits.equip(peer)
    return peer


def test_a_peer_is_held_to_the_limits_of_all_torrents_its_group_and_its_torrent() -> None:
    limits = Limits(EngineSettings(up_bytes_per_second=0.0))
    torrent = TorrentLimits(limits)
    torrent.join("films")
    peer = joined(torrent)
    assert (peer.lanes.up.available(0.0), peer.lanes.down.available(0.0)) == (0, inf)
    limits.whole.set_limits(None, inf)
    limits.group("films").set_limits(None, 0.0)
    assert peer.lanes.up.available(0.0) == 0
    assert list(limits.groups.values()) == [limits.group("films")]
    torrent.join(None)
    assert peer.lanes.up.available(0.0) == inf
    torrent.whole.set_limits(0.0, None)
    assert peer.lanes.down.available(0.0) == 0


def test_limits_of_peers_hold_for_those_that_are_there_and_those_that_come() -> None:
    torrent = TorrentLimits(Limits(EngineSettings()))
    here = joined(torrent)
    torrent.limit_peers([here], 1000.0, None)
    later = joined(torrent, 2)
    assert here.lanes.down.limit == later.lanes.down.limit == 1000.0
    assert here.lanes.up.limit == later.lanes.up.limit == inf
    torrent.limit_peers([here, later], inf, 50.0)
    assert later.lanes.down.available(0.0) == inf
    assert here.lanes.up.limit == joined(torrent, 3).lanes.up.limit == 50.0


def test_a_peer_may_have_limits_of_its_own_in_place_of_those_of_every_peer() -> None:
    torrent = TorrentLimits(Limits(EngineSettings(exempt_local=True)))
    ann, bob, local = joined(torrent), joined(torrent, 2, "2001:db8::1"), joined(torrent, 3, "10.0.0.1")
    own = {ann.address.host: (50.0, None), local.address.host: (None, 5.0)}
    torrent.limit_peers([ann, bob, local], 1000.0, 2000.0, own)
    assert [(peer.lanes.down.limit, peer.lanes.up.limit) for peer in (ann, bob, local)] == [
        (50.0, 2000.0),
        (1000.0, 2000.0),
        (inf, 5.0),
    ]
    again = joined(torrent, 4)
    assert (again.lanes.down.limit, again.lanes.up.limit) == (50.0, 2000.0)
    torrent.limit_peers([ann, again, local], None, None, {ann.address.host: (inf, 1.0)})
    assert [(peer.lanes.down.limit, peer.lanes.up.limit) for peer in (ann, again, local)] == [
        (inf, 1.0),
        (inf, 1.0),
        (inf, inf),
    ]
    torrent.limit_peers([ann], None, None)
    assert (ann.lanes.down.limit, ann.lanes.up.limit) == (1000.0, 2000.0)


@pytest.mark.parametrize(
    ("host", "exempt"),
    [(host, True) for host in ("10.1.2.3", "fd00::1", "fe80::1", "127.0.0.1", "::1", "172.31.0.1", "192.168.1.1")]
    + [(host, False) for host in ("93.184.216.34", "2001:db8::1", "172.32.0.1", "11.0.0.1")],
)
def test_who_is_in_the_local_network_is_exempt_if_asked(host: str, exempt: bool) -> None:  # noqa: FBT001 - a parameter
    for asked in (True, False):
        torrent = TorrentLimits(Limits(EngineSettings(exempt_local=asked, down_bytes_per_second=0.0)))
        peer = joined(torrent, host=host)
        torrent.limit_peers([peer], 0.0, 0.0)
        assert (peer.lanes.down.available(0.0) == inf) == (exempt and asked)
        assert (peer.lanes.up.available(0.0) == inf) == (exempt and asked)


def test_who_waits_for_a_limit_is_remembered_until_the_first_may_try_again() -> None:
    torrent = TorrentLimits(Limits(EngineSettings()))
    ann, bob = joined(torrent), joined(torrent, 2)
    torrent.starve(ann, inf)
    assert torrent.take_starved() == {}
    torrent.starve(ann, 3.0)
    torrent.starve(bob, 2.0)
    assert torrent.starved_until == 2.0
    assert torrent.take_starved() == {1: ann, 2: bob}
    assert torrent.starved_until == inf
