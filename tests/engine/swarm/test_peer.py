from bittern.base.bitfield import Bitfield
from bittern.base.geometry import Geometry
from bittern.engine.download.assembly import Assembly
from bittern.engine.download.requests import Pipeline
from tests.engine.peers import make_peer


def test_a_peer_begins_choked_and_without_interest_on_both_sides() -> None:
    peer = make_peer()
    assert (peer.am_choking, peer.peer_choking, peer.am_interested, peer.peer_interested) == (True, True, False, False)
    assert not peer.is_seed
    assert not peer.was_useful


def test_a_seed_is_who_has_every_piece() -> None:
    peer = make_peer()
    peer.pieces = Bitfield(2, [0])
    assert not peer.is_seed
    peer.pieces.add(1)
    assert peer.is_seed


def test_rates_follow_what_came_and_went() -> None:
    peer = make_peer()
    peer.pipeline = Pipeline(1, Assembly(Geometry(1 << 20, 1 << 20), 1 << 20), 10)
    peer.measure(0.0)
    peer.pipeline.arrived = 50_000
    peer.uploads.sent = 20_000
    peer.measure(1.0)
    assert (round(peer.down.rate(1.0)), round(peer.up.rate(1.0))) == (50_000, 20_000)
    peer.measure(2.0)
    assert peer.down.rate(2.0) < 50_000
    assert peer.was_useful
