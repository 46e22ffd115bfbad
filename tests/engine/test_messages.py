"""Messages find their parts, without a torrent."""

from random import Random

import pytest

from bittern.base.bitfield import Bitfield
from bittern.base.errors import LocalProtocolError, Offence, RemoteProtocolError
from bittern.base.geometry import BLOCK
from bittern.engine.download.download import Download
from bittern.engine.download.hash_routes import HashRoutes
from bittern.engine.download.metadata_exchange import MetadataExchange
from bittern.engine.messages import Messages
from bittern.engine.settings import EngineSettings
from bittern.engine.sources.nodes import NodeExchange
from bittern.engine.sources.pex import PeerExchange
from bittern.engine.swarm.holepunch import Holepunching
from bittern.engine.swarm.peer import Peer
from bittern.engine.upload.serving import Serving
from bittern.engine.upload.suggesting import Suggesting
from bittern.wire.messages import Reject, Unchoke
from tests.engine.content import info_of
from tests.engine.hall import Hall, said
from tests.engine.peers import HASH


class Case:
    """The messages of a torrent of three pieces, whose metadata is known after `begin`."""

    def __init__(self) -> None:
        self.hall = Hall()
        settings = EngineSettings()
        self.info, _ = info_of(3 * BLOCK, BLOCK)
        self.serving = Serving(settings, HASH, Random(1))
        self.download: Download | None = None
        self.learned: list[bytes] = []
        punching = Holepunching(self.hall.company, lambda *_: None, lambda _: False)
        self.messages = Messages(
            self.hall.company,
            self.hall.members,
            MetadataExchange(HASH),
            HashRoutes(1, self.hall.company, self.hall.shared),
            self.serving,
            Suggesting(Random(1)),
            PeerExchange(self.hall.company, self.hall.book, settings, punching),
            NodeExchange(self.hall.shared, on=True),
            punching,
            self.learned.append,
        )

    def begin(self, have: Bitfield) -> Download:
        download = Download(1, self.info, have, Bitfield.full(3), EngineSettings(), Random(1))
        self.serving.ready(self.info.geometry, have)
        self.messages.ready(download)
        return download

    def comes(self, number: int = 1) -> Peer:
        peer = self.hall.comes(f"10.0.0.{number}")
        self.messages.land(peer)
        return peer


def test_what_a_peer_said_before_the_metadata_counts_after_it() -> None:
    case = Case()
    ann = case.comes()
    case.messages.on_have(ann, 2, 0.0)
    case.messages.on_interested(ann, 0.0)
    with pytest.raises(LocalProtocolError):
        case.messages.replay(ann, 0.0)
    case.begin(Bitfield(3, [0]))
    case.messages.land(ann)
    case.messages.replay(ann, 0.0)
    assert ann.pieces is not None
    assert list(ann.pieces) == [2]
    assert ann.am_interested
    assert Unchoke() in said(ann)


def test_who_claimed_what_can_not_be_goes_when_the_metadata_comes() -> None:
    case = Case()
    eve = case.comes()
    case.messages.on_have(eve, 3, 0.0)
    case.begin(Bitfield(3))
    case.messages.land(eve)
    case.messages.replay(eve, 0.0)
    assert case.hall.offenders() == [1]


def test_a_request_before_anything_was_offered_is_an_offence() -> None:
    case = Case()
    with pytest.raises(RemoteProtocolError) as caught:
        case.messages.on_requests(case.comes(), [(0, 0, BLOCK, 1)], 0.0)
    assert caught.value.offence is Offence.OUT_OF_BOUNDS


def test_two_seeds_part_and_nobody_is_to_blame() -> None:
    case = Case()
    case.begin(Bitfield.full(3))
    ann, bob = case.comes(1), case.comes(2)
    case.messages.on_have_all(ann, 0.0)
    case.messages.on_bitfield(bob, b"\x60", 0.0)
    assert case.hall.gone == [ann.number]
    assert case.hall.offenders() == []


def test_a_reject_of_what_was_not_asked_is_an_offence_and_one_of_what_was_stops_the_asking() -> None:
    case = Case()
    download = case.begin(Bitfield(3))
    ann = case.comes()
    case.messages.on_have_all(ann, 0.0)
    case.messages.on_unchoke(ann, 0.0)
    with pytest.raises(RemoteProtocolError):
        case.messages.on_reject(ann, 0, 0, BLOCK, 0.0)
    assert ann.pipeline is not None
    assert ann.pieces is not None
    [run] = download.ask(ann.pipeline, ann.pieces, 1, 0.0)
    case.messages.on_reject(ann, run.piece, run.first * BLOCK, BLOCK, 0.0)
    assert ann.refusing
    assert not ann.pipeline.outstanding


def test_a_cancelled_request_is_answered() -> None:
    case = Case()
    case.begin(Bitfield.full(3))
    ann = case.comes()
    case.messages.on_interested(ann, 0.0)
    case.messages.on_requests(ann, [(1, 0, BLOCK, 1)], 0.0)
    case.messages.on_cancel(ann, 1, 0, BLOCK, 0.0)
    assert Reject(1, 0, BLOCK) in said(ann)
    assert not ann.uploads.queued


def test_a_lost_connection_is_an_offence_only_if_it_broke_the_protocol() -> None:
    case = Case()
    ann, eve = case.comes(1), case.comes(2)
    case.messages.on_lost(eve, RemoteProtocolError(Offence.LATE_BITFIELD), 0.0)
    assert case.hall.offenders() == [eve.address.port]
    assert list(case.hall.company.peers) == [ann.number]
