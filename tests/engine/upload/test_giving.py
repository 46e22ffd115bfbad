"""The upload side of a torrent that is not there: who is served at the end of a turn, and who is parted with."""

from math import inf
from random import Random

from bittern.base.bitfield import Bitfield
from bittern.base.errors import StorageError
from bittern.base.geometry import BLOCK
from bittern.engine.download.download import Download
from bittern.engine.effects import ReadRun
from bittern.engine.events import PeerDropped, StorageFailed
from bittern.engine.limits import TorrentLimits
from bittern.engine.settings import EngineSettings
from bittern.engine.swarm.peer import Peer
from bittern.engine.upload.choker import RECHOKE_SECONDS
from bittern.engine.upload.giving import Giving
from bittern.engine.upload.serving import Serving
from bittern.engine.upload.suggesting import Suggesting
from bittern.engine.upload.uploads import HOG_SECONDS
from bittern.wire.messages import Have, Message, Piece, Reject, Suggest, Unchoke
from tests.engine.content import info_of
from tests.engine.hall import Hall, said
from tests.engine.peers import HASH, take_sent

PIECES, PER_PIECE = 4, 2


class Case:
    """A seed in a hall; what it reads waits until the test has read it, or comes at once."""

    def __init__(self, have: str = "1" * PIECES, slots: int = 2) -> None:
        self.hall = Hall()
        shared = self.hall.shared
        self.warm = True
        shared.read_now = self.read_now
        info, self.data = info_of(PIECES * PER_PIECE * BLOCK, PER_PIECE * BLOCK)
        settings = EngineSettings(upload_slots=slots)
        stored = Bitfield(PIECES, [piece for piece, bit in enumerate(have) if bit == "1"])
        self.download = Download(1, info, stored, Bitfield.full(PIECES), settings, Random(1))
        self.serving = Serving(settings, HASH, Random(2))
        self.limits = TorrentLimits(shared.limits)
        suggesting = Suggesting(Random(3))
        self.giving = Giving(1, self.hall.company, self.hall.members, self.serving, suggesting, self.limits, shared)
        self.uploads = self.giving.ready(self.download)

    def read_now(self, _torrent: int, offset: int, into: memoryview) -> bool:
        if self.warm:
            into[:] = self.data[offset : offset + len(into)]
        return self.warm

    def comes(self, number: int) -> Peer:
        """A peer that lacks everything and is served."""
        peer = self.hall.comes(f"10.0.0.{number}", self.download)
        peer.pieces = Bitfield(PIECES)
        peer.peer_interested = True
        self.serving.interested(peer, self.hall.company.peers.values())
        self.limits.equip(peer)
        return peer

    def asks(self, peer: Peer, piece: int) -> None:
        self.serving.admit(peer, [(piece, 0, PER_PIECE * BLOCK, PER_PIECE)])
        self.hall.company.touch(peer)

    def turn(self, now: float = 0.0) -> list[ReadRun]:
        """The end of a turn; what is to be read."""
        touched, self.hall.company.touched = self.hall.company.touched, {}
        self.giving.settle(touched, now)
        effects, self.hall.shared.effects = self.hall.shared.effects, []
        return [effect for effect in effects if isinstance(effect, ReadRun)]


def blocks(messages: list[Message]) -> list[tuple[int, int]]:
    return [(message.piece, message.begin // BLOCK) for message in messages if isinstance(message, Piece)]


def test_what_was_asked_is_sent_at_the_end_of_the_turn_and_others_are_not_looked_at() -> None:
    case = Case()
    ann, bob = case.comes(1), case.comes(2)
    case.asks(ann, 3)
    assert case.turn() == []
    assert blocks(said(ann)) == [(3, 0), (3, 1)]
    assert blocks(said(bob)) == []


def test_what_is_not_at_hand_is_read_first() -> None:
    case = Case()
    case.warm = False
    ann = case.comes(1)
    case.asks(ann, 1)
    [job] = case.turn()
    assert blocks(said(ann)) == []
    job.into[:] = case.data[job.offset : job.offset + len(job.into)]
    case.giving.was_read(job.ticket)
    assert case.hall.company.touched == {1: ann}
    assert blocks(said(ann)) == [(1, 0), (1, 1)]


def test_what_can_not_be_read_is_refused_and_told() -> None:
    case = Case()
    case.warm = False
    ann = case.comes(1)
    case.asks(ann, 1)
    [job] = case.turn()
    said(ann)
    error = StorageError(StorageError.Kind.IO, "broken")
    case.giving.unreadable(job, error)
    assert said(ann) == [Reject(1, block * BLOCK, BLOCK) for block in range(PER_PIECE)]
    assert case.hall.events() == [StorageFailed(1, error, 1)]
    case.asks(ann, 1)
    assert said(ann) == [Reject(1, block * BLOCK, BLOCK) for block in range(PER_PIECE)]


def test_who_waits_for_a_limit_is_served_when_it_permits_before_those_who_ask_then() -> None:
    case = Case()
    ann, bob = case.comes(1), case.comes(2)
    case.limits.whole.set_limits(inf, float(PER_PIECE * BLOCK))
    case.asks(ann, 0)
    case.turn(0.0)
    assert blocks(said(ann))  # a burst is permitted
    case.asks(ann, 1)
    case.turn(0.1)
    assert blocks(said(ann)) == []
    due = case.limits.starved_until
    assert 0.1 < due < inf
    case.asks(bob, 2)
    case.turn(due)
    assert blocks(said(ann))
    assert blocks(said(bob)) == []


def test_a_seed_advises_those_it_serves_and_who_downloads_itself_does_not() -> None:
    for have, expected in (("1111", True), ("1110", False)):
        case = Case(have)
        ann, bob = case.comes(1), case.comes(2)
        for peer in (ann, bob):
            case.hall.company.touch(peer)
        case.turn()
        assert any(isinstance(message, Suggest) for message in said(ann)) is expected


def test_pieces_that_are_hidden_are_shown_one_by_one() -> None:
    """BEP 16."""
    case = Case()
    case.serving.hide({}, on=True)
    ann, bob = case.comes(1), case.comes(2)
    case.hall.company.touch_all()
    case.turn()
    shown = [[message for message in said(peer) if isinstance(message, (Have, Suggest))] for peer in (ann, bob)]
    assert all(isinstance(message, Have) for each in shown for message in each)
    assert all(shown)
    assert not set(shown[0]) & set(shown[1])


def test_a_round_comes_when_it_is_due() -> None:
    case = Case(slots=1)
    ann, bob = case.comes(1), case.comes(2)
    case.giving.rechoke(0.0)
    ann.peer_interested = False
    said(bob)
    case.giving.rechoke(RECHOKE_SECONDS - 0.1)
    assert said(bob) == []
    case.giving.rechoke(RECHOKE_SECONDS)
    assert Unchoke() in said(bob)
    assert case.hall.company.touched == {1: ann, 2: bob}


def test_who_takes_nothing_and_holds_what_others_wait_for_goes() -> None:
    case = Case()
    shared = case.hall.shared
    shared.upload_memory.limit = 1
    ann, bob = case.comes(1), case.comes(2)
    take_sent(ann)
    case.asks(ann, 0)
    case.asks(bob, 1)
    case.turn()
    for now in range(int(HOG_SECONDS) + 2):
        case.giving.watch(float(now))
    dropped = [event for event in case.hall.events() if isinstance(event, PeerDropped)]
    assert [event.address for event in dropped] == [ann.address]


def test_of_who_is_gone_nothing_is_left() -> None:
    case = Case()
    case.warm = False
    ann, bob = case.comes(1), case.comes(2)
    case.asks(ann, 0)
    [job] = case.turn()
    del case.hall.company.peers[ann.number]
    case.giving.left(ann)
    case.giving.was_read(job.ticket)
    assert case.hall.company.touched == {}
    assert bob.number in case.hall.company.peers


def test_before_the_metadata_nothing_is_given() -> None:
    hall = Hall()
    ann = hall.comes("10.0.0.1")
    settings = EngineSettings()
    serving, limits = Serving(settings, HASH, Random(2)), TorrentLimits(hall.shared.limits)
    giving = Giving(1, hall.company, hall.members, serving, Suggesting(Random(3)), limits, hall.shared)
    giving.settle({1: ann}, 0.0)
    giving.watch(0.0)
    giving.rechoke(0.0)
    giving.left(ann)
    assert (said(ann), hall.shared.effects, hall.company.touched) == ([], [], {})
