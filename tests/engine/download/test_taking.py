"""The download side of a torrent that is not there: who is asked at the end of a turn, and what becomes of who left."""

from random import Random

from bittern.base.bitfield import Bitfield
from bittern.base.geometry import BLOCK
from bittern.engine.download.download import Download
from bittern.engine.download.hash_routes import HashRoutes
from bittern.engine.download.metadata_exchange import MetadataExchange
from bittern.engine.download.taking import Taking
from bittern.engine.effects import StoreExtent
from bittern.engine.limits import TorrentLimits
from bittern.engine.settings import EngineSettings
from bittern.engine.swarm.peer import Peer
from bittern.wire.extended import ExtendedHandshake
from bittern.wire.messages import Cancel, Extended, Message, Request
from bittern.wire.ut_metadata import NAME
from tests.engine.content import info_of
from tests.engine.hall import Hall, said
from tests.engine.peers import HASH


class Case:
    """A leecher in a hall of seeds."""

    def __init__(self, *, metadata: bool = True, disk_queue_bytes: int = 1 << 20) -> None:
        self.hall = Hall()
        shared = self.hall.shared
        info, self.data = info_of(4 * BLOCK, 2 * BLOCK)
        self.metadata = MetadataExchange(HASH)
        self.limits = TorrentLimits(shared.limits)
        hashes = HashRoutes(1, self.hall.company, shared)
        self.taking = Taking(self.hall.company, self.metadata, hashes, self.limits, shared)
        settings = EngineSettings(sequential=True, disk_queue_bytes=disk_queue_bytes)
        self.download = Download(1, info, Bitfield(2), Bitfield.full(2), settings, Random(1))
        if metadata:
            self.metadata.known(info.raw)
            self.taking.ready(self.download)

    def comes(self, number: int) -> Peer:
        """A seed that chokes nobody."""
        peer = self.hall.comes(f"10.0.0.{number}", self.download)
        assert peer.pipeline is not None
        assert peer.pieces is not None
        self.download.picker.peer_joined(peer.pieces)
        peer.peer_choking, peer.am_interested = False, True
        self.limits.equip(peer)
        self.hall.company.touch(peer)
        return peer

    def gives(self, peer: Peer, count: int = 9) -> None:
        assert peer.pipeline is not None
        for piece, block, length in list(peer.pipeline.blocks_owed())[:count]:
            at = self.download.geometry.offset(piece, block * BLOCK)
            body = peer.pipeline.place(piece, block * BLOCK, length)
            body[:] = self.data[at : at + length]
            peer.pipeline.landed(body, 0.0)

    def turn(self, now: float = 0.0, *, asking: bool = True) -> list[StoreExtent]:
        """The end of a turn; what is to be stored."""
        touched, self.hall.company.touched = self.hall.company.touched, {}
        self.taking.settle(touched, now, asking=asking)
        effects, self.hall.shared.effects = self.hall.shared.effects, []
        return [effect for effect in effects if isinstance(effect, StoreExtent)]


def requests(messages: list[Message]) -> list[tuple[int, int]]:
    return [(message.piece, message.begin // BLOCK) for message in messages if isinstance(message, Request)]


def test_who_is_touched_is_asked_and_nobody_while_nothing_is_wanted() -> None:
    case = Case()
    ann = case.comes(1)
    case.turn(asking=False)
    assert requests(said(ann)) == []
    case.turn()
    assert requests(said(ann)) == []
    case.hall.company.touch(ann)
    case.turn()
    assert sorted(requests(said(ann))) == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_what_came_goes_to_the_disk_and_who_waits_for_it_is_looked_at_when_it_is_stored() -> None:
    case = Case(disk_queue_bytes=BLOCK)
    ann = case.comes(1)
    case.turn()
    case.gives(ann)
    jobs = case.turn()
    assert sum(len(job.data) for job in jobs) == len(case.data)
    case.hall.company.touched.clear()
    for job in jobs:
        case.taking.stored(job)
    assert case.hall.company.touched == {1: ann}


def test_while_the_disk_is_behind_nothing_is_read_from_who_owes_us_something() -> None:
    case = Case(disk_queue_bytes=1)
    ann = case.comes(1)
    case.turn()
    case.gives(ann, 2)
    jobs = case.turn(1.0)
    assert len(jobs) == 1
    assert not ann.wire.receive_buffers()
    case.taking.stored(jobs[0])
    case.turn(9.0)
    assert ann.wire.receive_buffers()
    assert ann.pipeline is not None
    assert ann.pipeline.heard_at == 9.0


def test_what_is_stored_without_haste_wakes_nobody() -> None:
    case = Case()
    ann = case.comes(1)
    case.turn()
    case.gives(ann)
    for job in case.turn():
        case.taking.stored(job)
    assert case.hall.company.touched == {}


def test_a_limit_keeps_a_peer_waiting() -> None:
    case = Case()
    case.limits.whole.set_limits(1.0, 1.0)
    ann = case.comes(1)
    case.turn()
    said(ann)
    case.hall.company.touch(ann)
    case.turn()
    assert requests(said(ann)) == []
    assert list(case.limits.take_starved()) == [1]


def test_who_lost_a_race_is_told_at_the_end_of_the_turn() -> None:
    case = Case()
    ann = case.comes(1)
    case.turn()
    bob = case.comes(2)
    case.turn()  # the endgame: what ann owes, bob may bring sooner
    raced = requests(said(bob))
    said(ann)
    case.gives(bob)
    case.turn()
    cancelled = [(message.piece, message.begin // BLOCK) for message in said(ann) if isinstance(message, Cancel)]
    assert cancelled == raced != []


def test_what_a_peer_that_left_owed_is_asked_of_others() -> None:
    case = Case()
    ann = case.comes(1)
    case.turn()
    assert len(requests(said(ann))) == 4
    del case.hall.company.peers[ann.number]
    case.taking.left(ann)
    bob = case.comes(2)
    case.turn()
    assert len(requests(said(bob))) == 4


def test_before_the_metadata_it_is_the_metadata_that_is_asked_for() -> None:
    case = Case(metadata=False)
    ann = case.hall.comes("10.0.0.1")
    ann.says = ExtendedHandshake(extensions={NAME: 5}, metadata_size=100)
    case.hall.company.touch(ann)
    case.turn()
    [asked] = said(ann)
    assert isinstance(asked, Extended)
    assert asked.ext_id == 5
    assert case.taking.impatient


def test_everybody_is_looked_at_each_second_while_there_is_a_deadline() -> None:
    case = Case()
    assert not case.taking.impatient
    case.download.urgent.set(1, 60.0)
    assert case.taking.impatient


def test_who_is_silent_is_asked_for_nothing_more() -> None:
    case = Case()
    ann = case.comes(1)
    case.turn()
    case.taking.watch(EngineSettings().request_timeout_seconds + 1)
    assert ann.pipeline is not None
    assert ann.pipeline.snubbed
