"""The simulated web and its tracker, asked with the URLs that the wire floor makes."""

from dataclasses import replace
from random import Random

import pytest

from bittern.base.errors import TrackerError
from bittern.base.ids import InfoHashV1, PeerId
from bittern.engine.effects import HttpGet
from bittern.sim.http import SimHttp, Web
from bittern.sim.network import PORT, Network
from bittern.sim.tracker import Mood, SimTracker
from bittern.sim.world import World
from bittern.wire.announce import AnnounceReply, AnnounceRequest, Event
from bittern.wire.tracker_http import announce_url, parse_announce_reply

HASH = InfoHashV1(Random(2).randbytes(20))


class Client:
    """A host that asks the tracker, and what it was told."""

    def __init__(self, rig: "Rig", number: int) -> None:
        self.rig = rig
        self.host = rig.network.host(f"host {number}")
        self.http = SimHttp(rig.web, self.host, self)
        self.request = AnnounceRequest(HASH, PeerId(b"%020d" % number), PORT, 0, 0, 1000, Event.STARTED)
        self.answers: list[tuple[int, bytes]] = []
        self.failures: list[str] = []

    def http_done(self, ticket: int, status: int, body: bytes, now: float) -> None:
        assert ticket == 7
        self.answers.append((status, body))

    def http_failed(self, ticket: int, reason: str, now: float) -> None:
        assert ticket == 7
        self.failures.append(reason)

    def announce(self) -> None:
        url = announce_url(self.rig.tracker.url, self.request)
        self.http.get(HttpGet(7, 1, url, self.rig.tracker.url, max_bytes=1 << 20, timeout_seconds=15.0))

    def told(self) -> AnnounceReply:
        self.announce()
        self.rig.world.run(1.0)
        return parse_announce_reply(self.answers[-1][1])


class Rig:
    def __init__(self, count: int = 3) -> None:
        self.world = World(Random)
        self.network = Network(self.world)
        self.web = Web()
        self.tracker = SimTracker(self.world, self.web, interval=600)
        self.clients = [Client(self, number) for number in range(count)]


def test_each_member_is_told_of_the_others_and_never_of_itself() -> None:
    ann, bob, eve = (rig := Rig()).clients
    assert ann.told().peers == ()
    assert bob.told().peers == (ann.host.address,)
    assert set(eve.told().peers) == {ann.host.address, bob.host.address}
    reply = ann.told()
    assert set(reply.peers) == {bob.host.address, eve.host.address}
    assert (reply.interval, reply.complete, reply.incomplete) == (600, 0, 3)
    assert [said.host for said in rig.tracker.log] == ["host 0", "host 1", "host 2", "host 0"]


def test_a_member_that_stops_is_named_no_more() -> None:
    ann, bob, _ = (rig := Rig()).clients
    ann.told()
    ann.request = replace(ann.request, event=Event.STOPPED)
    ann.told()
    assert bob.told().peers == ()
    assert rig.tracker.members(HASH) == 1


def test_a_seed_is_told_of_leechers_only() -> None:
    ann, bob, eve = Rig().clients
    for seed in (ann, bob):
        seed.request = replace(seed.request, left=0)
    ann.told()
    eve.told()
    reply = bob.told()
    assert reply.peers == (eve.host.address,)
    assert reply.complete == 2


def test_no_more_peers_are_named_than_wanted() -> None:
    clients = Rig(count=9).clients
    for client in clients:
        client.told()
    clients[0].request = replace(clients[0].request, numwant=4)
    assert len(clients[0].told().peers) == 4


def test_a_tracker_in_each_mood_fails_in_its_own_way() -> None:
    ann = (rig := Rig()).clients[0]
    rig.tracker.mood = Mood.GONE
    ann.announce()
    rig.world.run(1.0)
    assert ann.failures == ["connection refused"]
    rig.tracker.mood = Mood.SILENT
    ann.announce()
    rig.world.run(20.0)
    assert ann.failures[1:] == ["no answer in 15 s"]
    rig.tracker.mood = Mood.REFUSING
    with pytest.raises(TrackerError, match="not today"):
        ann.told()
    rig.tracker.mood = Mood.BROKEN
    ann.announce()
    rig.world.run(1.0)
    assert ann.answers[-1][0] == 500
    rig.tracker.mood = Mood.WELL
    assert ann.told().interval == 600


def test_an_announce_without_sense_is_refused() -> None:
    ann = (rig := Rig()).clients[0]
    url = rig.tracker.url
    ann.http.get(HttpGet(7, 1, f"{url}?info_hash=short", url, max_bytes=1000, timeout_seconds=10.0))
    rig.world.run(1.0)
    with pytest.raises(TrackerError, match="senseless"):
        parse_announce_reply(ann.answers[0][1])
