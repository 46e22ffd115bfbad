"""What the peers of one torrent are given: at the end of each turn, each second, and in rounds."""

from bittern.base.errors import StorageError
from bittern.engine.download.download import Download
from bittern.engine.effects import ReadRun
from bittern.engine.events import StorageFailed
from bittern.engine.limits import TorrentLimits
from bittern.engine.swarm.company import Company
from bittern.engine.swarm.members import Members
from bittern.engine.swarm.peer import Peer
from bittern.engine.world import Shared

from .choker import RECHOKE_SECONDS
from .serving import Serving
from .suggesting import Suggesting
from .uploads import Uploads


class Giving:
    """The upload side of one torrent. Before `ready` nobody is given anything.

    Args:
        torrent: its number.
        company: its peers.
        members: which of them may have to go for others.
        serving: whom we serve.
        suggesting: what they are told to ask for.
        limits: how fast they may be served.
        shared: surroundings of the torrent.
    """

    def __init__(
        self,
        torrent: int,
        company: Company,
        members: Members,
        serving: Serving,
        suggesting: Suggesting,
        limits: TorrentLimits,
        shared: Shared,
    ) -> None:
        self._torrent = torrent
        self._company = company
        self._members = members
        self._serving = serving
        self._suggesting = suggesting
        self._limits = limits
        self._shared = shared
        self._download: Download | None = None
        self._uploads: Uploads | None = None
        self._round_due = 0.0

    def ready(self, download: Download) -> Uploads:
        """The metadata is known: what is stored may be given. Returns what is on its way to peers."""
        shared, geometry, have = self._shared, download.geometry, download.have
        memory, wake = shared.upload_memory, self._company.stir
        self._serving.ready(geometry, have)
        self._suggesting.ready(have.size)
        self._download = download
        self._uploads = Uploads(self._torrent, geometry, have, memory, wake, shared.read_now, shared.next_ticket)
        return self._uploads

    def settle(self, touched: dict[int, Peer], now: float) -> None:
        """End of a turn: show, advise and serve what this turn made possible.

        Args:
            touched: the peers for whom it may have made something possible; others that wait come before them.
            now: the time.
        """
        download, uploads = self._download, self._uploads
        if download is None or uploads is None:
            return
        serving, suggesting, peers = self._serving, self._suggesting, self._company.peers
        if serving.secretive:
            serving.show(touched, peers)
        if waiting := uploads.waiting():
            touched = {peer.number: peer for peer in waiting} | touched
        advising = download.complete and not serving.secretive  # else it would tell what is not shown
        copies = download.picker.availability
        if suggesting.ending and advising:
            serving.reserve(suggesting.last_takers(peers, copies, now), peers)
        for peer in touched.values():
            if advising:
                suggesting.advise(peer, copies, crowd=len(peers))
            if peer.uploads.queued and not uploads.serve(peer, now):
                self._limits.starve(peer, peer.lanes.up.ready_at(now))
        if jobs := uploads.take_jobs():
            self._shared.effects.extend(jobs)

    def was_read(self, ticket: int) -> None:
        """The disk has read what peers wait for."""
        if self._uploads is not None:
            for reader in self._uploads.was_read(ticket):
                self._company.touch(reader)

    def unreadable(self, job: ReadRun, error: StorageError) -> None:
        """The disk cannot read what was promised: it is refused, and taken back."""
        if self._download is None or self._uploads is None:
            return
        for reader in self._serving.unreadable(self._uploads.failed(job.ticket), self._company.peers.values()):
            self._company.touch(reader)
        piece = job.offset // self._download.geometry.piece_size
        self._shared.events.append(StorageFailed(self._torrent, error, piece))

    def watch(self, now: float) -> None:
        """Once a second: part with who holds memory that others wait for."""
        if self._uploads is not None:
            for peer in self._uploads.hogs(self._company.peers.values(), now):
                self._company.drop(peer, "it takes nothing, and others wait for the memory that it holds", now)

    def rechoke(self, now: float) -> None:
        """Once a second: where a round is over, choose anew whom to serve, and who makes room for others."""
        download = self._download
        if download is None or now < self._round_due:
            return
        self._round_due = now + RECHOKE_SECONDS
        for peer in self._members.to_part_with(now, seeding=download.complete):
            self._company.drop(peer, "others wait that may be of more use", now, sated=True)
        self._serving.rechoke(self._company.peers, now, seeding=download.complete)
        self._company.touch_all()

    def left(self, peer: Peer) -> None:
        """A peer is gone."""
        self._suggesting.withdraw(peer)
        if self._uploads is not None:
            self._uploads.forget(peer)
