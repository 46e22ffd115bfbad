"""Who makes room for others: who is of no use, after some time, the oldest first."""

from bittern.engine.events import PeerDropped
from bittern.engine.settings import EngineSettings
from bittern.engine.swarm.turnover import SETTLED_SECONDS, useless
from bittern.sim.network import PORT
from bittern.testing.playbook import Playbook
from tests.engine.peers import make_peer

FULL = EngineSettings(listen_port=PORT, max_peers=3)


def test_interest_of_either_side_and_youth_are_reasons_to_stay() -> None:
    old, older, giver, taker, young = peers = [make_peer(number) for number in range(5)]
    old.joined_at, young.joined_at = 5.0, 50.0
    giver.am_interested = taker.peer_interested = True
    assert useless(peers, 5.0 + SETTLED_SECONDS) == [older, old]


def test_peers_of_no_use_make_room_for_one_that_waits() -> None:
    with Playbook(pieces=2, settings=FULL) as play:
        play.joins("ann").joins("bob").joins("carl").waits(SETTLED_SECONDS)
        play.joins("dan", have="10", dialed=True).waits(20.0)
        play.unchokes("dan").gives("dan", 0)
        assert play.have == "10"
        assert [event.address.host for event in play.events if isinstance(event, PeerDropped)] == [
            play.actors["ann"].host.address.host
        ]


def test_nobody_has_to_leave_while_nobody_waits() -> None:
    with Playbook(settings=FULL) as play:
        play.joins("ann").joins("bob").joins("carl").waits(2 * SETTLED_SECONDS)
        assert len(play.torrent.peers) == 3


def test_who_gives_the_metadata_stays() -> None:
    with Playbook(magnet=True, settings=EngineSettings(listen_port=PORT, max_peers=1)) as play:
        play.joins("ann", extensions={"ut_metadata": 3}).waits(SETTLED_SECONDS)
        play.joins("bob", have="1", dialed=True).waits(20.0)
        assert not [event for event in play.events if isinstance(event, PeerDropped)]
