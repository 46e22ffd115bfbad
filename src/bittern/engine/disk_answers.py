"""What the disk's answers lead to in one torrent: each goes to the part that asked, and some end its download."""

from enum import Enum, unique

from .download.download import Download
from .download.hash_routes import HashRoutes
from .download.piece_end import PieceEnd
from .download.taking import Taking
from .effects import (
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
from .upload.giving import Giving
from .web.seeds import WebSeeds


@unique
class Outcome(Enum):
    """What an answer means for the torrent as a whole."""

    GOES_ON = "nothing"
    COMPLETE = "everything that is wanted is stored now"
    CONTRADICTED = "a hybrid's two hashes of a piece do not fit together: nobody can bring what has both"
    REFUSED = "nothing more can be written"


class DiskAnswers:
    """The disk's answers for one torrent.

    Args:
        ends: what follows when a piece was hashed.
        hashes: wants hashes of leaves.
        taking: gives the disk what comes.
        giving: has the disk read.
        web: connections that end when nothing more may be written.
    """

    def __init__(self, ends: PieceEnd, hashes: HashRoutes, taking: Taking, giving: Giving, web: WebSeeds) -> None:
        self._ends = ends
        self._hashes = hashes
        self._taking = taking
        self._giving = giving
        self._web = web
        self._download: Download | None = None

    def ready(self, download: Download) -> None:
        """The metadata is known."""
        self._download = download

    def heard(self, completion: Completion, now: float, *, active: bool) -> Outcome:
        """A disk job ended.

        Args:
            completion: how.
            now: the time.
            active: whether blocks are asked for: else that nothing can be written is no news.
        """
        download = self._download
        if download is None:
            return Outcome.GOES_ON
        match completion:
            case ExtentStored(job):
                self._taking.stored(job)
            case PieceChecked():
                return self._checked(download, completion, now)
            case RunRead(job):
                self._giving.was_read(job.ticket)
            case LeavesHashed(job, leaves):
                self._hashes.exchange.leaves_read(job.piece, leaves)
            case DiskFailed(HashLeaves() as job, _):
                self._hashes.exchange.leaves_read(job.piece, None)
            case DiskFailed(ReadRun() as job, error):
                self._giving.unreadable(job, error)
            case DiskFailed(StoreExtent() as job, error):
                download.extent_done(job)
                self._web.stop()
                self._ends.storage_failed(download, error, known=not active)
                return Outcome.REFUSED
        return Outcome.GOES_ON

    def _checked(self, download: Download, answer: PieceChecked, now: float) -> Outcome:
        if answer.contradictory:
            self._web.stop()
            self._ends.contradicted(download, answer.piece)
            return Outcome.CONTRADICTED
        stored = self._ends.checked(download, answer.piece, now, good=answer.good, leaves=answer.leaves)
        self._hashes.checked(answer.piece, answer.leaves, good=answer.good)
        return Outcome.COMPLETE if stored and download.complete else Outcome.GOES_ON
