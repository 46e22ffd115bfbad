"""What we say of ourselves to the peers of one torrent: to each at first, and to all when it changes (BEP 10, 21)."""

from collections.abc import Mapping

from .download.download import Download
from .download.metadata_exchange import MetadataExchange
from .settings import EngineSettings
from .sources.pex import PeerExchange
from .swarm.peer import Peer
from .swarm.priority import Ourselves
from .swarm.welcome import describe, introduce
from .upload.serving import Serving


class Introductions:
    """Those of one torrent.

    Args:
        peers: that are there, by their numbers; a live view.
        settings: of the engine.
        ourselves: where others reach us.
        metadata: the info dictionary, which we may have.
        serving: knows what we show of our pieces.
        pex: whether we want to be told of peers.
    """

    def __init__(
        self,
        peers: Mapping[int, Peer],
        settings: EngineSettings,
        ourselves: Ourselves,
        metadata: MetadataExchange,
        serving: Serving,
        pex: PeerExchange,
    ) -> None:
        self._peers = peers
        self._settings = settings
        self._ourselves = ourselves
        self._metadata = metadata
        self._serving = serving
        self._pex = pex
        self._download: Download | None = None

    def ready(self, download: Download) -> None:
        """The metadata is known."""
        self._download = download

    def greet(self, peer: Peer) -> None:
        """Say what we speak and have to a peer that has just joined."""
        have = self._serving.visible if self._download is not None else None
        introduce(
            peer,
            self._settings,
            self._ourselves,
            self._metadata.size,
            have,
            upload_only=self._upload_only,
            pex=self._pex.on,
        )

    def repeat(self) -> None:
        """What we want, or speak, has changed: tell everybody."""
        for peer in self._peers.values():
            describe(
                peer,
                self._settings,
                self._ourselves,
                self._metadata.size,
                upload_only=self._upload_only,
                pex=self._pex.on,
            )

    @property
    def _upload_only(self) -> bool:
        """Whether we want nothing and say so (BEP 21); who shows its pieces one by one does not."""
        return self._download is not None and self._download.complete and not self._serving.secretive
