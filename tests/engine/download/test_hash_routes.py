"""Where hash messages lead, without a torrent."""

from random import Random

import pytest

from bittern.base.bitfield import Bitfield
from bittern.base.errors import Offence, RemoteProtocolError
from bittern.base.geometry import BLOCK
from bittern.codec.layers import Layers
from bittern.codec.merkle import leaf_hashes
from bittern.engine.download.download import Download
from bittern.engine.download.hash_routes import HashRoutes
from bittern.engine.effects import HashLeaves
from bittern.engine.events import LayersReceived
from bittern.engine.settings import EngineSettings
from bittern.engine.swarm.names import Names
from bittern.engine.swarm.peer import Peer
from bittern.engine.upload.hashes import answer
from bittern.sim.content import make_content_v2
from bittern.sim.world import World
from bittern.wire.hashes import HashRange, HashReject, HashRequest
from tests.engine.hall import Hall, said
from tests.engine.peers import HASH

CONTENT = make_content_v2(World(Random, 1), sizes=(40 * BLOCK,), piece_size=4 * BLOCK)
INFO, KNOWN = CONTENT.info, CONTENT.metainfo.piece_layers
ROOT = INFO.files[0].pieces_root or b""


class Case:
    """The routes of a torrent of version 2."""

    def __init__(self, *, known: bool, have: bool = False) -> None:
        self.hall = Hall()
        self.layers = Layers(INFO, KNOWN if known else {})
        count = INFO.geometry.piece_count
        stored = Bitfield.full(count) if have else Bitfield(count)
        self.download = Download(1, INFO, stored, Bitfield.full(count), EngineSettings(), Random(1), self.layers)
        self.routes = HashRoutes(1, self.hall.company, self.hall.shared)
        names = Names(HASH)
        names.learn(INFO.info_hash_v1, INFO.info_hash_v2)
        self.routes.ready(self.download, self.layers, names)
        self.v2 = names.v2

    def comes(self, number: int) -> Peer:
        peer = self.hall.comes(f"10.0.0.{number}", self.download)
        peer.info_hash = self.v2
        return peer

    def asked(self, peer: Peer) -> list[HashRange]:
        self.routes.exchange.ask(peer, 0.0)
        return [message.span for message in said(peer) if isinstance(message, HashRequest)]


def test_rows_that_come_make_pieces_known_and_are_told_when_all_are_there() -> None:
    case = Case(known=False)
    ann = case.comes(1)
    assert not len(case.download.picker)
    [span] = case.asked(ann)
    row = answer(Layers(INFO, KNOWN), span)
    assert row is not None
    case.routes.on_hashes(ann, span, row, 0.0)
    assert len(case.download.picker) == INFO.geometry.piece_count
    assert case.hall.events() == [LayersReceived(1, KNOWN)]
    assert ann.number in case.hall.company.touched


def test_layers_are_sought_before_anything_is_downloaded_of_those_who_say_that_they_have_pieces() -> None:
    hall, names, layers = Hall(), Names(HASH), Layers(INFO, {})
    names.learn(INFO.info_hash_v1, INFO.info_hash_v2)
    routes = HashRoutes(1, hall.company, hall.shared)
    ann, bob, eve = (hall.comes(f"10.0.0.{number}") for number in (1, 2, 3))
    for peer in (ann, bob, eve):
        peer.info_hash = names.v2
    bob.early.bitfield = b"\x80\0"
    eve.early.bitfield = b"\xff"  # too short: it is judged later
    routes.ask_early(bob, 0.0)
    routes.seek(INFO, layers, names)
    for peer in (ann, eve):
        routes.ask_early(peer, 0.0)
        assert said(peer) == []
    routes.ask_early(bob, 0.0)
    [request] = said(bob)
    assert isinstance(request, HashRequest)
    routes.ask_early(bob, 20.0)
    row = answer(Layers(INFO, KNOWN), request.span)
    assert row is not None
    routes.on_hashes(bob, request.span, row, 0.0)
    assert hall.events() == [LayersReceived(1, KNOWN)]


def test_who_is_slow_with_layers_that_came_from_another_is_no_offender() -> None:
    case = Case(known=False)
    ann, bob = case.comes(1), case.comes(2)
    [span] = case.asked(ann)
    case.routes.exchange.ask(bob, 20.0)
    row = answer(Layers(INFO, KNOWN), span)
    assert row is not None
    case.routes.on_hashes(bob, span, row, 0.0)
    names = Names(HASH)
    names.learn(INFO.info_hash_v1, INFO.info_hash_v2)
    case.routes.ready(case.download, Layers(INFO, KNOWN), names)
    case.routes.on_hashes(ann, span, row, 0.0)


def test_who_sends_a_false_row_is_banned_and_its_connection_is_to_end() -> None:
    case = Case(known=False)
    eve = case.comes(1)
    [span] = case.asked(eve)
    with pytest.raises(RemoteProtocolError) as caught:
        case.routes.on_hashes(eve, span, bytes(32 * (span.length + span.uncles)), 0.0)
    assert caught.value.offence is Offence.BAD_HASHES
    assert case.hall.book.banned("10.0.0.1", 0.0)


def test_a_refused_row_may_be_asked_of_another() -> None:
    case = Case(known=False)
    ann, bob = case.comes(1), case.comes(2)
    [span] = case.asked(ann)
    assert case.asked(bob) == []
    case.routes.on_reject(ann, span, 0.0)
    assert bob.number in case.hall.company.touched
    assert case.asked(bob) == [span]


def test_leaves_that_are_asked_for_are_read_from_the_disk() -> None:
    case = Case(known=True, have=True)
    ann = case.comes(1)
    case.routes.on_request(ann, HashRange(ROOT, 0, 4, 4, 1))
    assert case.hall.shared.effects == [HashLeaves(1, 1, 4 * BLOCK, 4 * BLOCK)]


def test_before_the_metadata_every_request_is_refused() -> None:
    hall = Hall()
    ann = hall.comes("10.0.0.1")
    span = HashRange(ROOT, 0, 4, 4, 1)
    HashRoutes(1, hall.company, hall.shared).on_request(ann, span)
    assert said(ann) == [HashReject(span)]


def test_who_sent_the_blocks_that_leaves_show_to_be_wrong_is_banned_alone() -> None:
    case = Case(known=True)
    ann, eve = case.comes(1), case.comes(2)
    assert ann.pipeline is not None
    assert eve.pipeline is not None
    only = Bitfield(INFO.geometry.piece_count, [0])
    case.download.ask(eve.pipeline, only, 1, 0.0)
    case.download.ask(ann.pipeline, only, 3, 0.0)
    for peer, wrong in ((eve, True), (ann, False)):
        assert peer.pipeline is not None
        for piece, block, length in peer.pipeline.blocks_owed():
            body = peer.pipeline.place(piece, block * BLOCK, length)
            body[:] = bytes(length) if wrong else CONTENT.data[block * BLOCK : block * BLOCK + length]
            peer.pipeline.landed(body, 0.0)
    [job] = case.download.take_jobs()
    leaves = leaf_hashes(job.data)
    case.download.extent_done(job)
    case.download.piece_checked(0, good=False)
    hosts = {peer.number: peer.address.host for peer in (ann, eve)}
    case.download.evidence.failed(0, hosts)
    case.routes.exchange.checked(0, leaves, good=False)
    [span] = case.asked(ann)
    case.routes.on_hashes(ann, span, leaf_hashes(CONTENT.data[: 4 * BLOCK]) + KNOWN[ROOT][32:64], 0.0)
    assert case.hall.offenders() == [eve.address.port]
    assert list(case.hall.company.peers) == [ann.number]
