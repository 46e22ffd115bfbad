"""What we take of the peers of one torrent: whom to ask for what at the end of each turn."""

from math import inf

from bittern.base.geometry import BLOCK
from bittern.engine.effects import StoreExtent
from bittern.engine.limits import TorrentLimits
from bittern.engine.swarm.company import Company
from bittern.engine.swarm.peer import Peer
from bittern.engine.world import Shared

from . import holdings
from .asking import cancel, top_up
from .download import Download
from .hash_routes import HashRoutes
from .metadata_exchange import MetadataExchange
from .watch import watch


class Taking:
    """The download side of one torrent. Before `ready` peers are asked for the metadata and its hashes alone.

    Args:
        company: its peers.
        metadata: the info dictionary.
        hashes: what is missing of its hash trees.
        limits: how fast blocks may come.
        shared: surroundings of the torrent.
    """

    def __init__(
        self,
        company: Company,
        metadata: MetadataExchange,
        hashes: HashRoutes,
        limits: TorrentLimits,
        shared: Shared,
    ) -> None:
        self._company = company
        self._peers = company.peers.values()
        self._metadata = metadata
        self._hashes = hashes
        self._limits = limits
        self._shared = shared
        self._download: Download | None = None
        self._congested = False  # nothing is read from peers, for the disk is behind

    def ready(self, download: Download) -> None:
        """The metadata is known: blocks may come."""
        self._download = download
        download.assembly.slabs.share(download.assembly, self._company.touch_all)

    def settle(self, touched: dict[int, Peer], now: float, *, asking: bool) -> None:
        """End of a turn: store what came, and ask for what this turn made possible.

        Args:
            touched: the peers for whom it may have; who was spared a request is added.
            now: the time.
            asking: whether blocks are to be asked for.
        """
        download, hashes = self._download, self._hashes
        if download is None:
            for peer in touched.values():
                self._metadata.ask(peer, now)
                hashes.ask_early(peer, now)
            return
        if jobs := download.take_jobs():
            self._shared.effects.extend(jobs)
        peers = self._peers
        for asker, piece, block in download.assembly.races.take_superfluous():
            spared = cancel(asker, peers, download, piece, block)
            if spared is not None:
                touched[spared.number] = spared
        if download.congested != self._congested:
            self._set_congestion(now, congested=download.congested)
        wanted = hashes.exchange.wanted
        for peer in touched.values():
            if wanted:
                hashes.exchange.ask(peer, now)
            if asking:
                due = top_up(peer, peers, download, now)
                if due != inf:
                    self._limits.starve(peer, due)

    def stored(self, job: StoreExtent) -> None:
        """The disk has written what it was given."""
        download = self._download
        if download is not None:
            short = download.congested or download.assembly.slabs.exhausted
            download.extent_done(job)
            self._shared.dirty[job.torrent] = None
            if short:  # else nobody waits for the memory
                self._company.touch_all()

    def watch(self, now: float) -> None:
        """Once a second: see who keeps us waiting, and who may be asked again."""
        download = self._download
        patience = self._shared.settings.request_timeout_seconds
        watch(self._company, download, patience, now, congested=self._congested)

    def left(self, peer: Peer) -> None:
        """A peer is gone: what it owed is asked of others."""
        download = self._download
        if download is not None and peer.pipeline is not None and peer.pieces is not None:
            peer.lanes.down.give_back(peer.pipeline.outstanding * BLOCK)
            peer.pipeline.give_up(forgive=False)
            holdings.gone(peer, download)
        self._metadata.lost(peer)
        self._hashes.exchange.lost(peer)

    def _set_congestion(self, now: float, *, congested: bool) -> None:
        """Stop reading from peers while the disk is behind, so that memory does not grow."""
        self._congested = congested
        for peer in self._peers:
            if peer.pipeline is None:
                continue
            if congested and peer.pipeline.outstanding:
                peer.wire.pause()
            elif not congested:
                peer.wire.resume()
                peer.pipeline.heard_at = max(peer.pipeline.heard_at, now)  # it was not the peer that was silent

    @property
    def impatient(self) -> bool:
        """Whether everybody is to be looked at each second: something is sought that comes in no run of its own."""
        hurried = self._download is not None and self._download.urgent.due
        return bool(self._metadata.wanted or self._hashes.exchange.wanted or hurried)
