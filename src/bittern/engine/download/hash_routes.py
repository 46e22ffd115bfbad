"""Where the hash messages of one torrent lead: to pieces that may be begun, to the disk, or to who lied (BEP 52)."""

from bittern.base.errors import Offence, RemoteProtocolError
from bittern.codec.layers import Layers
from bittern.codec.metainfo import Info
from bittern.engine.effects import HashLeaves
from bittern.engine.events import LayersReceived
from bittern.engine.swarm.company import Company
from bittern.engine.swarm.names import Names
from bittern.engine.swarm.peer import Peer
from bittern.engine.world import Shared
from bittern.wire.hashes import HashRange

from . import holdings
from .blame import Wrong
from .download import Download
from .hash_exchange import HashExchange


class HashRoutes:
    """What follows from hashes that are asked for, told and found wrong.

    Args:
        torrent: its number.
        company: its peers.
        shared: surroundings of the torrent.

    Attributes:
        exchange: what is asked and answered.
    """

    def __init__(self, torrent: int, company: Company, shared: Shared) -> None:
        self.exchange = HashExchange()
        self._torrent = torrent
        self._company = company
        self._shared = shared
        self._download: Download | None = None
        self._layers: Layers | None = None
        self._piece_count = 0

    def seek(self, info: Info, layers: Layers, names: Names) -> None:
        """Nothing is downloaded before the layers are there; `ready` is to follow."""
        self._layers, self._piece_count = layers, info.geometry.piece_count
        self.exchange.known(layers, names.v2)

    def ask_early(self, peer: Peer, now: float) -> None:
        """Before `ready`: request what is sought and `peer` may give, by what it said that it has."""
        if self.exchange.wanted:
            self.exchange.ask(peer, now, holdings.early_pieces(peer, self._piece_count))

    def ready(self, download: Download, layers: Layers | None, names: Names) -> None:
        """The metadata is known; `layers` is None for a torrent of version 1."""
        self._download, self._layers = download, layers
        if layers is not None:
            self.exchange.known(layers, names.v2)

    def checked(self, piece: int, leaves: bytes, *, good: bool) -> None:
        """A piece was hashed; `leaves`: of a bad one, as far as the disk tells."""
        if self._layers is not None:
            self.exchange.checked(piece, leaves, good=good)

    def on_request(self, peer: Peer, span: HashRange) -> None:
        """A peer asks for a row: it is answered, or leaves are read for it."""
        download, layers = self._download, self._layers
        piece = self.exchange.on_request(peer, span, download.have if download is not None else None)
        if piece is not None and download is not None and layers is not None:
            job = HashLeaves(self._torrent, piece, download.geometry.offset(piece), layers.data_length(piece))
            self._shared.effects.append(job)

    def on_hashes(self, peer: Peer, span: HashRange, hashes: bytes, now: float) -> None:
        """A row came: pieces whose hashes are known may be asked for, who sent wrong blocks is banned.

        Raises:
            RemoteProtocolError: it was not asked for, or is not true; who lies is banned.
        """
        try:
            told = self.exchange.on_hashes(peer, span, hashes)
        except RemoteProtocolError as error:
            if error.offence is Offence.BAD_HASHES:
                self._company.ban_hosts([peer.address.host])
            raise
        if isinstance(told, Wrong):
            self._blame(told, now)
        elif told and self._layers is not None:
            if self._download is not None:
                self._download.learned(told)
            if self._layers.complete:
                self._shared.events.append(LayersReceived(self._torrent, self._layers.rows()))
        self._company.touch_all()

    def on_reject(self, peer: Peer, span: HashRange, now: float) -> None:
        """Somebody else is to be asked.

        Raises:
            RemoteProtocolError: the peer was not asked.
        """
        self.exchange.on_reject(peer, span, now)
        self._company.touch_all()

    def _blame(self, wrong: Wrong, now: float) -> None:
        """Leaves showed which blocks of a bad piece are wrong: ban who sent them."""
        if self._download is None:
            return
        hosts = self._download.evidence.senders_of(wrong.piece, wrong.blocks)
        for peer in self._company.ban_hosts(hosts):
            self._company.ban(peer, RemoteProtocolError(Offence.CORRUPT_DATA, f"piece {wrong.piece}"), now)
            self._download.assembly.expunge(peer.number)
