"""The end of a piece without a torrent: who is told, who is banned, what is asked for again."""

from random import Random

from bittern.base.bitfield import Bitfield
from bittern.base.errors import StorageError
from bittern.base.geometry import BLOCK
from bittern.engine.download.asking import top_up
from bittern.engine.download.download import Download
from bittern.engine.download.piece_end import PieceEnd
from bittern.engine.effects import ForgetPiece
from bittern.engine.events import Contradicted, PieceFailed, PieceStored, StorageFailed
from bittern.engine.settings import EngineSettings
from bittern.engine.swarm.peer import Peer
from bittern.wire.messages import Cancel, Have
from tests.engine.content import info_of
from tests.engine.hall import Hall, said

FULL = StorageError(StorageError.Kind.DISK_FULL, "no space")


class Case:
    """A torrent's download, with blocks that come from whoever we like."""

    def __init__(self, blocks: int = 2, disk_queue_bytes: int = 1 << 20) -> None:
        self.hall = Hall()
        info, self.data = info_of(2 * blocks * BLOCK, blocks * BLOCK)
        config = EngineSettings(sequential=True, disk_queue_bytes=disk_queue_bytes)
        self.download = Download(1, info, Bitfield(2), Bitfield.full(2), config, Random(1))
        self.end = PieceEnd(1, self.hall.company, self.hall.shared)

    def comes(self, number: int) -> Peer:
        peer = self.hall.comes(f"10.0.0.{number}", self.download)
        peer.peer_choking, peer.am_interested = False, True
        return peer

    def asks(self, *peers: Peer) -> None:
        """Each peer in turn is asked for a block, until nothing is left."""
        for peer in peers:
            peer.lanes.down.set_limit(float(BLOCK))
            top_up(peer, peers, self.download, 0.0)

    def gives(self, peer: Peer, *, wrong: bool = False) -> None:
        assert peer.pipeline is not None
        for piece, block, length in peer.pipeline.blocks_owed():
            at = self.download.geometry.offset(piece, block * BLOCK)
            body = peer.pipeline.place(piece, block * BLOCK, length)
            body[:] = bytes(length) if wrong else self.data[at : at + length]
            peer.pipeline.landed(body, 0.0)

    def stores(self) -> None:
        for job in self.download.take_jobs():
            self.download.extent_done(job)


def test_a_good_piece_is_told_to_all_and_not_yet_the_end() -> None:
    case = Case()
    ann, bob = case.comes(1), case.comes(2)
    case.asks(ann, bob)
    case.gives(ann)
    case.gives(bob)
    case.stores()
    for peer in (ann, bob):
        said(peer)
    assert case.end.checked(case.download, 0, 0.0, good=True)
    assert said(ann) == said(bob) == [Have(0)]
    assert case.hall.events() == [PieceStored(1, 0)]


def test_who_sent_a_bad_piece_alone_is_banned_and_the_rest_is_touched() -> None:
    case = Case(blocks=1)
    ann, bob = case.comes(1), case.comes(2)
    case.asks(ann)
    case.gives(ann, wrong=True)
    case.stores()
    assert not case.end.checked(case.download, 0, 0.0, good=False)
    events = case.hall.shared.events
    assert PieceFailed(1, 0) in events
    assert case.hall.offenders() == [1]
    assert case.hall.company.touched == {2: bob}
    assert 0 in case.download.picker


def test_the_second_copy_bans_the_liar_of_the_first_though_it_has_left() -> None:
    case = Case()
    ann, eve = case.comes(1), case.comes(2)
    case.asks(ann, eve)
    case.gives(ann)
    case.gives(eve, wrong=True)
    case.stores()
    assert not case.end.checked(case.download, 0, 0.0, good=False)
    case.hall.company.drop(eve, "it hung up", 0.0)
    bob = case.comes(3)
    assert bob.pipeline is not None
    runs = case.download.ask(bob.pipeline, Bitfield(2, [0]), 2, 0.0)
    assert sum(run.count for run in runs) == 2
    case.gives(bob)
    case.stores()
    assert case.end.checked(case.download, 0, 0.0, good=True)
    assert case.hall.book.banned("10.0.0.2", 0.0)
    assert not case.hall.book.banned("10.0.0.1", 0.0)


def test_an_answer_to_what_was_begun_anew_is_no_piece() -> None:
    case = Case()
    assert not case.end.checked(case.download, 0, 0.0, good=False)
    assert case.hall.events() == []


def test_a_torrent_that_contradicts_itself_is_nobodys_fault_and_told_once() -> None:
    case = Case(blocks=1)
    ann, bob = case.comes(1), case.comes(2)
    case.asks(ann, bob)
    case.gives(ann)
    case.gives(bob)
    case.stores()
    case.end.contradicted(case.download, 0)
    case.end.contradicted(case.download, 1)
    assert case.hall.events() == [Contradicted(1, 0)]
    assert case.hall.shared.effects == [ForgetPiece(1, 0), ForgetPiece(1, 1)]
    assert list(case.hall.company.peers.values()) == [ann, bob]
    assert not case.hall.book.banned("10.0.0.1", 0.0)
    assert not case.download.have.count


def test_when_the_disk_fails_all_is_cancelled_and_told_once() -> None:
    case = Case()
    ann = case.comes(1)
    case.asks(ann)
    said(ann)
    case.end.storage_failed(case.download, FULL, known=False)
    assert said(ann) == [Cancel(0, 0, BLOCK)]
    assert case.hall.events() == [StorageFailed(1, FULL)]
    assert case.hall.shared.effects == [ForgetPiece(1, 0)]
    case.end.storage_failed(case.download, FULL, known=True)
    assert case.hall.events() == []
