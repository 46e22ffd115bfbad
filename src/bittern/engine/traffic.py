"""What one torrent moves: how much in all, and how fast."""

from collections.abc import Mapping
from math import inf

from bittern.base.rate import Meter

from .download.download import Download
from .sources.announcer import Tally
from .swarm.peer import Peer
from .upload.uploads import Uploads
from .web.seeds import WebSeeds

COUNT_SECONDS = 1.0
"""From one look at all connections to the next."""


class Traffic:
    """The bytes of one torrent.

    Args:
        peers: those that are there, by their numbers; a live view.
        web: its web seeds.

    Attributes:
        down: of blocks that came.
        up: of blocks that were handed to connections.
        due: when to `schedule` again, and then to `count`; infinity while nothing can move.
    """

    def __init__(self, peers: Mapping[int, Peer], web: WebSeeds) -> None:
        self.down = Meter()
        self.up = Meter()
        self.due = inf
        self._peers = peers
        self._web = web
        self._download: Download | None = None
        self._uploads: Uploads | None = None
        self._by_gone = 0

    def ready(self, download: Download, uploads: Uploads) -> None:
        """The metadata is known."""
        self._download = download
        self._uploads = uploads

    @property
    def downloaded(self) -> int:
        """Bytes of blocks that came, ever."""
        by_peers = sum(peer.pipeline.arrived for peer in self._peers.values() if peer.pipeline)
        return self._by_gone + self._web.arrived + by_peers

    @property
    def uploaded(self) -> int:
        """Bytes of blocks handed to connections, ever."""
        return self._uploads.total if self._uploads is not None else 0

    @property
    def unsent(self) -> int:
        """Bytes of blocks among them that connections have not sent yet."""
        return sum(peer.wire.unsent - peer.wire.unsent_words for peer in self._peers.values())

    @property
    def tally(self) -> Tally:
        """What trackers are told; while the metadata is unknown, a byte is left."""
        download = self._download
        partial = download is not None and download.complete and not download.have.complete
        return Tally(self.uploaded, self.downloaded, download.lacking_bytes if download is not None else 1, partial)

    def begin(self, now: float) -> None:
        """Something may move from now on."""
        if self.due == inf:
            self.due = now + COUNT_SECONDS
            self.down.add(0, now)  # the first second counts too
            self.up.add(0, now)

    def schedule(self, now: float) -> None:
        """Look again in a second, if anything can move."""
        self.due = now + COUNT_SECONDS if self._peers or self._web.busy else inf

    def count(self, now: float) -> None:
        """What moved since the last time makes the rates."""
        self.down.count_up_to(self.downloaded, now)
        self.up.count_up_to(self.uploaded, now)

    def rates(self, now: float) -> tuple[float, float]:
        """Bytes a second down and up, to the moment: the first does not take until the next look to show."""
        if self.due != inf:
            self.count(now)
        return self.down.rate(now), self.up.rate(now)

    def left(self, peer: Peer) -> None:
        """A peer is gone; what it brought stays in the sum."""
        if peer.pipeline is not None:
            self._by_gone += peer.pipeline.arrived
        if not self._peers and not self._web.busy:
            self.due = inf
