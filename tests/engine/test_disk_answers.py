"""The disk's answers without a torrent: what each means for it, and which part it reaches."""

from random import Random

import pytest

from bittern.base.bitfield import Bitfield
from bittern.base.errors import StorageError
from bittern.base.geometry import BLOCK
from bittern.engine.disk_answers import DiskAnswers, Outcome
from bittern.engine.download.asking import top_up
from bittern.engine.download.download import Download
from bittern.engine.download.hash_routes import HashRoutes
from bittern.engine.download.metadata_exchange import MetadataExchange
from bittern.engine.download.piece_end import PieceEnd
from bittern.engine.download.taking import Taking
from bittern.engine.effects import (
    Completion,
    DiskFailed,
    ExtentStored,
    HashLeaves,
    LeavesHashed,
    PieceChecked,
    ReadRun,
    RunRead,
    StoreExtent,
)
from bittern.engine.events import Contradicted, Event, PieceFailed, PieceStored, StorageFailed
from bittern.engine.limits import TorrentLimits
from bittern.engine.settings import EngineSettings
from bittern.engine.upload.giving import Giving
from bittern.engine.upload.serving import Serving
from bittern.engine.upload.suggesting import Suggesting
from bittern.engine.web.seeds import WebSeeds
from tests.engine.content import info_of
from tests.engine.hall import Hall
from tests.engine.peers import HASH

FULL = StorageError(StorageError.Kind.DISK_FULL, "/f")


class Case:
    """A torrent of two pieces of one block, both of which a peer has sent."""

    def __init__(self, *, ready: bool = True) -> None:
        self.hall = hall = Hall()
        info, data = info_of(2 * BLOCK, BLOCK)
        settings, limits = EngineSettings(sequential=True), TorrentLimits(hall.shared.limits)
        self.download = Download(1, info, Bitfield(2), Bitfield.full(2), settings, Random(1))
        ends, hashes = PieceEnd(1, hall.company, hall.shared), HashRoutes(1, hall.company, hall.shared)
        taking = Taking(hall.company, MetadataExchange(HASH), hashes, limits, hall.shared)
        serving, suggesting = Serving(settings, HASH, Random(2)), Suggesting(Random(3))
        giving = Giving(1, hall.company, hall.members, serving, suggesting, limits, hall.shared)
        web = WebSeeds(1, HASH, hall.company, hall.shared)
        self.answers = DiskAnswers(ends, hashes, taking, giving, web)
        self.jobs: list[StoreExtent] = []
        if ready:
            taking.ready(self.download)
            giving.ready(self.download)
            self.answers.ready(self.download)
            peer = hall.comes("10.0.0.1", self.download)
            peer.peer_choking, peer.am_interested = False, True
            top_up(peer, [peer], self.download, 0.0)
            assert peer.pipeline is not None
            for piece, block, length in list(peer.pipeline.blocks_owed()):
                at = piece * BLOCK
                body = peer.pipeline.place(piece, block * BLOCK, length)
                body[:] = data[at : at + length]
                peer.pipeline.landed(body, 0.0)
            self.jobs = self.download.take_jobs()

    def hears(self, completion: Completion, *, active: bool = True) -> Outcome:
        return self.answers.heard(completion, 1.0, active=active)

    def events(self, *kinds: type[Event]) -> list[Event]:
        return [event for event in self.hall.events() if isinstance(event, kinds)]


def test_the_last_piece_that_is_stored_makes_it_complete() -> None:
    case = Case()
    assert [case.hears(ExtentStored(job)) for job in case.jobs] == [Outcome.GOES_ON] * 2
    assert case.download.at_disk == 0
    assert case.hears(PieceChecked(1, 0, good=True)) is Outcome.GOES_ON
    assert case.hears(PieceChecked(1, 1, good=True)) is Outcome.COMPLETE
    assert case.events(PieceStored) == [PieceStored(1, 0), PieceStored(1, 1)]
    assert case.hears(PieceChecked(1, 1, good=True)) is Outcome.GOES_ON  # said twice


def test_a_bad_piece_is_told_and_completes_nothing() -> None:
    case = Case()
    assert case.hears(PieceChecked(1, 0, good=True)) is Outcome.GOES_ON
    assert case.hears(PieceChecked(1, 1, good=False)) is Outcome.GOES_ON
    assert case.events(PieceFailed) == [PieceFailed(1, 1)]


def test_a_contradiction_is_nobodys_fault() -> None:
    case = Case()
    assert case.hears(PieceChecked(1, 0, good=False, contradictory=True)) is Outcome.CONTRADICTED
    assert case.events(Contradicted) == [Contradicted(1, 0)]
    assert len(case.hall.company.peers) == 1


@pytest.mark.parametrize("active", [True, False])
def test_what_can_not_be_written_ends_the_download_and_everything_begins_anew(*, active: bool) -> None:
    case = Case()
    assert case.hears(DiskFailed(case.jobs[0], FULL), active=active) is Outcome.REFUSED
    assert case.events(StorageFailed) == [StorageFailed(1, FULL)]
    assert len(case.download.assembly) == 0
    again = case.hears(DiskFailed(case.jobs[1], FULL), active=False)
    assert (again, case.events(StorageFailed)) == (Outcome.REFUSED, [])


def test_what_can_not_be_read_is_told_and_the_download_goes_on() -> None:
    case = Case()
    job = ReadRun(1, 7, BLOCK, memoryview(bytearray(BLOCK)))
    assert case.hears(DiskFailed(job, FULL)) is Outcome.GOES_ON
    assert case.events(StorageFailed) == [StorageFailed(1, FULL, 1)]


@pytest.mark.parametrize(
    "completion",
    [
        RunRead(ReadRun(1, 7, 0, memoryview(bytearray(BLOCK)))),
        PieceChecked(1, 0, good=True),
        ExtentStored(StoreExtent.__new__(StoreExtent)),
    ],
    ids=lambda completion: type(completion).__name__,
)
def test_before_the_metadata_nothing_can_have_been_asked_for(completion: Completion) -> None:
    assert Case(ready=False).hears(completion) is Outcome.GOES_ON


def test_leaves_go_to_who_waits_for_them_and_a_read_that_nobody_wants_does_no_harm() -> None:
    case = Case()
    job = HashLeaves(1, 0, 0, BLOCK)
    answers: list[Completion] = [LeavesHashed(job, bytes(32)), DiskFailed(job, FULL)]
    assert [case.hears(answer) for answer in answers] == [Outcome.GOES_ON] * 2
    assert case.hears(RunRead(ReadRun(1, 9, 0, memoryview(bytearray(BLOCK))))) is Outcome.GOES_ON
    assert case.events(StorageFailed) == []
