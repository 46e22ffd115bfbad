"""Who is told when we are reached elsewhere, and what is left of a core without a network."""

from random import Random

from bittern.base.address import Address
from bittern.base.ids import PeerId
from bittern.base.transport import Transport
from bittern.engine.core import Core
from bittern.engine.effects import Connect, HttpGet
from bittern.engine.settings import EngineSettings
from bittern.engine.swarm.peerbook import Source
from bittern.sim.world import World
from bittern.wire.handshake import Handshake, Reserved
from tests.engine.peers import OURS, THEIRS, NoDisk
from tests.engine.test_core import Bench, say
from tests.wire.test_peerwire import HASH

OTHER_ID = PeerId(b"-BZ0000-somebodyelse")


def test_who_is_reached_elsewhere_tells_trackers_at_once_and_the_local_network_its_own_port() -> None:
    chance = World(Random, 1).chance("core")
    core = Core(EngineSettings(listen_port=1), OURS, chance, NoDisk())
    core.add(HASH, (("http://tracker/announce",),), 0.0)
    core.settle(0.0)
    core.advance(0.0)
    core.settle(0.0)
    [start] = [effect for effect in core.take_effects() if isinstance(effect, HttpGet)]
    core.http_done(start.ticket, 200, b"d8:intervali1800e5:peers0:e", 0.0)
    core.settle(0.0)
    core.take_effects()
    core.presence.moved(1, 1, 0, 50.0)
    core.settle(50.0)
    assert [effect for effect in core.take_effects() if isinstance(effect, HttpGet)] == []  # nothing is new
    core.presence.moved(2, 4000, 0, 50.0)
    core.settle(50.0)
    core.advance(50.0)
    core.settle(50.0)
    [again] = [effect for effect in core.take_effects() if isinstance(effect, HttpGet)]
    assert "port=4000" in again.url
    assert core._neighbours.search.port == 2


def test_what_a_router_says_of_our_address_is_a_vote() -> None:
    bench = Bench()
    bench.core.presence.seen_as("198.51.100.7", "192.168.1.1")
    assert bench.core.presence.our_addresses == (Address("198.51.100.7", 0),)


def test_without_a_network_nobody_is_dialed_and_with_it_again_all_may_be() -> None:
    bench = Bench()
    line, wire = bench.dials(Address("10.0.0.5", 7))
    say(wire, Handshake(Reserved.FAST.to_bytes(8), HASH, THEIRS).encode())
    assert len(bench.torrent.peers) == 1
    bench.core.presence.cut("tun0 is gone", 1.0)
    assert line.closed
    assert len(bench.torrent.peers) == 0
    bench.torrent.add_candidates([Address("10.0.0.6", 7)], Source.MANUAL, 1.0)
    assert [effect for effect in bench.turn(200.0) if isinstance(effect, Connect)] == []
    bench.core.presence.join_again(OTHER_ID, 201.0)
    dialed = {effect.address.host for effect in bench.turn(201.0) if isinstance(effect, Connect)}
    assert dialed == {"10.0.0.5", "10.0.0.6"}


def test_connections_over_utp_end_when_the_port_is_left_and_others_stay() -> None:
    bench = Bench()
    over = {}
    for host, transport in (("10.0.0.5", Transport.UTP), ("10.0.0.6", Transport.TCP)):
        line, wire = bench.dials(Address(host, 7))
        line.transport = transport
        say(wire, Handshake(Reserved.FAST.to_bytes(8), HASH, PeerId(host.encode().ljust(20))).encode())
        over[transport] = line
    assert len(bench.torrent.peers) == 2
    bench.core.presence.end_utp("our port is another one now", 1.0)
    assert (over[Transport.UTP].closed, over[Transport.TCP].closed) == (True, False)
    assert len(bench.torrent.peers) == 1
