"""The bytes of a torrent that is not there."""

from math import inf
from random import Random

from bittern.base.bitfield import Bitfield
from bittern.base.geometry import BLOCK
from bittern.engine.download.asking import top_up
from bittern.engine.download.download import Download
from bittern.engine.settings import EngineSettings
from bittern.engine.sources.announcer import Tally
from bittern.engine.swarm.peer import Peer
from bittern.engine.traffic import COUNT_SECONDS, Traffic
from bittern.engine.upload.uploads import Uploads
from bittern.engine.web.seed import WebSeed
from bittern.engine.web.seeds import WebSeeds
from bittern.wire.webseed import WebUrl
from tests.engine.content import info_of
from tests.engine.hall import Hall
from tests.engine.peers import HASH


class Case:
    """A hall whose peers give blocks."""

    def __init__(self) -> None:
        self.hall = Hall()
        self.info, self.data = info_of(8 * BLOCK, 4 * BLOCK)
        self.download = Download(1, self.info, Bitfield(2), Bitfield.full(2), EngineSettings(), Random(1))
        self.web = WebSeeds(1, HASH, self.hall.company, self.hall.shared)
        self.traffic = Traffic(self.hall.members.peers, self.web)

    def comes(self, number: int) -> Peer:
        peer = self.hall.comes(f"10.0.0.{number}", self.download)
        peer.peer_choking, peer.am_interested = False, True
        return peer

    def gives(self, peer: Peer) -> int:
        """All that it is asked for; how many bytes."""
        top_up(peer, [peer], self.download, 0.0)
        assert peer.pipeline is not None
        before = peer.pipeline.arrived
        for piece, block, length in peer.pipeline.blocks_owed():
            at = self.download.geometry.offset(piece, block * BLOCK)
            body = peer.pipeline.place(piece, block * BLOCK, length)
            body[:] = self.data[at : at + length]
            peer.pipeline.landed(body, 0.0)
        return peer.pipeline.arrived - before

    def leaves(self, peer: Peer) -> None:
        del self.hall.members.peers[peer.number]
        self.traffic.left(peer)


def test_what_a_peer_brought_counts_when_it_is_gone_and_so_does_what_web_seeds_bring() -> None:
    case = Case()
    assert (case.traffic.downloaded, case.traffic.uploaded, case.traffic.unsent) == (0, 0, 0)
    peer = case.comes(1)
    brought = case.gives(peer)
    assert case.traffic.downloaded == brought > 0
    case.leaves(peer)
    assert case.traffic.downloaded == brought
    parsed = WebUrl.parse("http://mirror/")
    assert parsed is not None
    case.web.seeds[-1] = WebSeed(-1, "http://mirror/", parsed, Random(1))
    case.web.seeds[-1].arrived = 700
    assert case.traffic.downloaded == brought + 700


def test_a_rate_is_of_all_that_moved_from_the_first_second_on() -> None:
    case = Case()
    peer = case.comes(1)
    case.traffic.begin(10.0)
    assert case.traffic.due == 10.0 + COUNT_SECONDS
    case.traffic.begin(10.5)  # it goes on, and does not begin again
    assert case.traffic.due == 10.0 + COUNT_SECONDS
    brought = case.gives(peer)
    case.traffic.schedule(11.0)
    case.traffic.count(11.0)
    assert case.traffic.due == 11.0 + COUNT_SECONDS
    assert case.traffic.down.rate(11.0) == brought
    assert case.traffic.up.rate(11.0) == 0


def test_who_asks_for_the_rates_before_the_first_second_is_over_is_told_them() -> None:
    case = Case()
    assert case.traffic.rates(9.0) == (0, 0)
    peer = case.comes(1)
    case.traffic.begin(10.0)
    brought = case.gives(peer)
    assert case.traffic.rates(10.5) == (brought * 2, 0)
    assert case.traffic.due == 10.0 + COUNT_SECONDS
    case.traffic.count(11.0)
    assert case.traffic.rates(11.0)[0] == brought
    case.leaves(peer)
    assert 0 < case.traffic.rates(12.0)[0] < brought


def test_nothing_is_looked_at_while_nobody_is_there() -> None:
    case = Case()
    assert case.traffic.due == inf
    ann, bob = case.comes(1), case.comes(2)
    case.traffic.begin(0.0)
    case.leaves(ann)
    assert case.traffic.due == COUNT_SECONDS
    case.leaves(bob)
    assert case.traffic.due == inf
    case.traffic.schedule(5.0)
    assert case.traffic.due == inf


def test_what_peers_were_served_is_known_from_the_moment_there_is_something_to_serve() -> None:
    case = Case()
    shared = case.hall.shared
    memory, geometry = shared.upload_memory, case.info.geometry
    uploads = Uploads(1, geometry, Bitfield(2), memory, lambda: None, shared.read_now, shared.next_ticket)
    case.traffic.ready(case.download, uploads)
    uploads.total = 4321
    assert case.traffic.uploaded == 4321


def test_trackers_are_told_what_is_left_and_who_has_all_it_wants_but_not_everything() -> None:
    case = Case()
    assert case.traffic.tally == Tally(0, 0, 1)
    shared, geometry = case.hall.shared, case.info.geometry
    uploads = Uploads(1, geometry, Bitfield(2), shared.upload_memory, lambda: None, shared.read_now, shared.next_ticket)
    case.traffic.ready(case.download, uploads)
    uploads.total = 5
    assert case.traffic.tally == Tally(5, 0, case.info.total_size)
    case.download.prioritize([0, 0])
    assert case.traffic.tally == Tally(5, 0, case.info.total_size, partial=True)
