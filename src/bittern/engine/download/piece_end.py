"""The end of a piece: stored and told to all, or bad and blamed on who sent it; or the disk refuses."""

from bittern.base.errors import Offence, RemoteProtocolError, StorageError
from bittern.engine.events import Contradicted, PieceFailed, PieceStored, StorageFailed
from bittern.engine.swarm.company import Company
from bittern.engine.world import Shared

from .asking import stop_asking
from .download import Download
from .suspects import judge, weigh


class PieceEnd:
    """What follows from the disk's answers about the pieces of one torrent.

    Args:
        torrent: its number.
        company: its peers.
        shared: surroundings of the torrent.
    """

    def __init__(self, torrent: int, company: Company, shared: Shared) -> None:
        self._torrent = torrent
        self._company = company
        self._shared = shared

    def checked(self, download: Download, piece: int, now: float, *, good: bool, leaves: bytes = b"") -> bool:
        """A piece was hashed; whether it is stored now. `leaves`: of a bad one, as far as the disk tells."""
        company, peers = self._company, self._company.peers
        former_owner = download.assembly.former_owner(piece)
        senders = download.piece_checked(piece, good=good, leaves=leaves)
        if senders is None:
            return False  # the storage failed in between and everything was begun anew
        culprits = judge(senders, former_owner, peers, good=good)
        if not good or download.evidence.copies:
            culprits += company.ban_hosts(weigh(download.evidence, piece, senders, peers, company.others, good=good))
        if not good and len(senders) == 1 and senders[0] in company.others:
            company.ban_hosts([company.others[senders[0]]])
        for peer in culprits:
            company.ban(peer, RemoteProtocolError(Offence.CORRUPT_DATA, f"piece {piece}"), now)
            download.assembly.expunge(peer.number)
        if not good:
            self._shared.events.append(PieceFailed(self._torrent, piece))
            company.touch_all()
            return False
        self._shared.events.append(PieceStored(self._torrent, piece))
        for peer in peers.values():
            # Also to who has the piece: only so do two peers learn that both have everything.
            peer.wire.send_have(piece)
        return True

    def contradicted(self, download: Download, piece: int) -> None:
        """A piece has one of a hybrid's two hashes: no peer is to blame, and nobody could bring what has both."""
        if piece in download.assembly:  # else this was told of another piece, and everything was begun anew
            self._begin_anew(download)
            self._shared.events.append(Contradicted(self._torrent, piece))

    def storage_failed(self, download: Download, error: StorageError, *, known: bool) -> None:
        """Nothing more can be written: ask nobody, keep serving what is there.

        Args:
            download: what is to be begun anew.
            error: what the disk says.
            known: whether this is no news.
        """
        if known and not len(download.assembly):
            return  # everything was begun anew
        self._begin_anew(download)
        self._shared.events.append(StorageFailed(self._torrent, error))

    def _begin_anew(self, download: Download) -> None:
        for peer in self._company.peers.values():
            stop_asking(peer, cancel=True)
        self._shared.effects.extend(download.start_over())
