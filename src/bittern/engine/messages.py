"""What the peers of one torrent say: each message is led to the part that decides on it."""

from collections.abc import Callable

from bittern.base.bitfield import Bitfield
from bittern.base.errors import LocalProtocolError, Offence, RemoteProtocolError
from bittern.base.geometry import BLOCK
from bittern.wire import donthave
from bittern.wire.extended import HANDSHAKE_EXT_ID, ExtendedHandshake
from bittern.wire.hashes import HashRange
from bittern.wire.stream import LinkLost, LossKind

from .download import holdings
from .download.asking import stop_asking
from .download.download import Download
from .download.hash_routes import HashRoutes
from .download.metadata_exchange import MetadataExchange
from .sources.nodes import NodeExchange
from .sources.pex import PeerExchange
from .swarm.company import Company
from .swarm.holepunch import Holepunching
from .swarm.members import Members
from .swarm.peer import Peer
from .swarm.turnover import is_sated
from .swarm.welcome import LT_DONTHAVE, UT_HOLEPUNCH, UT_METADATA, UT_PEX, rouse
from .upload.serving import Serving
from .upload.suggesting import Suggesting


class Messages:
    """The PeerSink of one torrent.

    Args:
        company: its peers.
        members: how they came, and where they can be dialed.
        metadata: the info dictionary.
        hashes: what hash messages lead to.
        serving: whom we serve.
        suggesting: which pieces are asked for by many.
        pex: what peers tell of peers.
        nodes: what they tell of nodes of the distributed hash table.
        punching: how they bring each other together.
        learned: is called with the info dictionary when it is complete.
    """

    def __init__(
        self,
        company: Company,
        members: Members,
        metadata: MetadataExchange,
        hashes: HashRoutes,
        serving: Serving,
        suggesting: Suggesting,
        pex: PeerExchange,
        nodes: NodeExchange,
        punching: Holepunching,
        learned: Callable[[bytes], None],
    ) -> None:
        self._company = company
        self._members = members
        self._metadata = metadata
        self._hashes = hashes
        self._serving = serving
        self._suggesting = suggesting
        self._pex = pex
        self._nodes = nodes
        self._punching = punching
        self._learned = learned
        self._download: Download | None = None

    def ready(self, download: Download) -> None:
        """The metadata is known."""
        self._download = download

    def land(self, peer: Peer) -> None:
        """Listen to a peer, and give it what it needs to exchange pieces as soon as the geometry is known."""
        if self._download is None:
            peer.wire.land_nowhere(self, peer, self._company.touch)
            return
        peer.pieces = Bitfield(self._download.have.size)
        peer.pipeline = self._download.pipeline(peer.number)
        if peer.says.request_queue is not None:
            peer.pipeline.limit(peer.says.request_queue)
        peer.wire.land(self, peer, peer.pipeline, self._company.touch)

    def replay(self, peer: Peer, now: float) -> None:
        """What the peer said of its pieces before we knew the metadata.

        Raises:
            LocalProtocolError: the metadata is not known yet.
        """
        if self._download is None:
            raise LocalProtocolError("the metadata is not known yet")
        try:
            holdings.take_early(peer, self._download)
        except RemoteProtocolError as error:
            peer.wire.close()
            self._company.forget(peer, str(error), now, offence=True)
        self.part_if_both_seed(peer, now)
        if peer.peer_interested and peer.number in self._company.peers:
            self._serving.interested(peer, self._company.peers.values())
        self._company.touch_all()

    def part_if_both_seed(self, peer: Peer, now: float) -> None:
        """End the connection if neither side wants anything of the other (BEP 21)."""
        if self._download is not None and is_sated(peer, complete=self._download.complete):
            self._company.drop(peer, "neither side wants anything of the other", now, sated=True)
            if peer.is_seed:
                self._serving.reveal(self._company.peers)

    # --- PeerSink

    def on_lost(self, peer: Peer, reason: LinkLost | RemoteProtocolError, now: float) -> None:
        """The wire ended by itself, or because the peer broke the protocol."""
        offence = isinstance(reason, RemoteProtocolError)
        vanished = isinstance(reason, LinkLost) and reason.kind is LossKind.TIMED_OUT
        self._company.forget(peer, str(reason), now, offence=offence, vanished=vanished)

    def on_choke(self, peer: Peer, now: float) -> None:
        """BEP 3; with the fast extension each request is rejected by its own message (BEP 6)."""
        peer.peer_choking = True
        if not peer.fast:
            stop_asking(peer, cancel=False)
        elif peer.pipeline is not None:
            peer.pipeline.share_out()
        self._company.touch_all()

    def on_unchoke(self, peer: Peer, now: float) -> None:
        """BEP 3."""
        peer.peer_choking = peer.refusing = False

    def on_interested(self, peer: Peer, now: float) -> None:
        """BEP 3."""
        peer.peer_interested = True
        if self._download is not None:
            self._serving.interested(peer, self._company.peers.values())

    def on_not_interested(self, peer: Peer, now: float) -> None:
        """BEP 3."""
        peer.peer_interested = False

    def on_have(self, peer: Peer, piece: int, now: float) -> None:
        """BEP 3."""
        holdings.heard_have(peer, self._download, piece)
        self.part_if_both_seed(peer, now)

    def on_bitfield(self, peer: Peer, payload: bytes, now: float) -> None:
        """BEP 3."""
        holdings.heard_bitfield(peer, self._download, payload)
        self.part_if_both_seed(peer, now)

    def on_have_all(self, peer: Peer, now: float) -> None:
        """BEP 6."""
        holdings.heard_all(peer, self._download)
        self.part_if_both_seed(peer, now)

    def on_have_none(self, peer: Peer, now: float) -> None:
        """BEP 6."""
        holdings.heard_none(peer)

    def on_requests(self, peer: Peer, runs: list[tuple[int, int, int, int]], now: float) -> None:
        """BEP 3, BEP 6: each is queued, rejected, or an offence."""
        if self._download is None:
            raise RemoteProtocolError(Offence.OUT_OF_BOUNDS, "a request before anything was offered")
        self._serving.admit(peer, runs)
        self._suggesting.asked(peer, [run[0] for run in runs])

    def on_cancel(self, peer: Peer, piece: int, begin: int, length: int, now: float) -> None:
        """BEP 3; BEP 6 wants an answer: the block, or a reject."""
        if peer.uploads.cancel(piece, begin, length) and peer.fast:
            peer.wire.send_reject(piece, begin, length)

    def on_reject(self, peer: Peer, piece: int, begin: int, length: int, now: float) -> None:
        """BEP 6: somebody else is to be asked."""
        owed = peer.pipeline.outstanding if peer.pipeline is not None else 0
        if peer.pipeline is None or begin % BLOCK or not peer.pipeline.rejected(piece, begin // BLOCK):
            raise RemoteProtocolError(Offence.UNASKED_BLOCK, f"reject {piece}:{begin}+{length}")
        peer.lanes.down.give_back(length)
        if peer.pipeline.outstanding < owed:  # else we had taken it back ourselves
            peer.refusing = not peer.peer_choking
        self._company.touch_all()

    def on_suggest(self, peer: Peer, piece: int, now: float) -> None:
        """BEP 6: it has this at hand, or nobody else has it yet."""
        if peer.pipeline is not None:
            peer.pipeline.suggested.append(piece)

    def on_allowed_fast(self, peer: Peer, piece: int, now: float) -> None:
        """BEP 6: it gives this also while it chokes us."""
        if peer.pipeline is not None:
            peer.pipeline.allow(piece)
            self._company.touch(peer)

    def on_port(self, peer: Peer, port: int, now: float) -> None:
        """BEP 5: it runs a DHT node."""
        self._nodes.heard(peer, port)

    def on_extended(self, peer: Peer, ext_id: int, payload: bytes, now: float) -> None:
        """BEP 10."""
        if ext_id == HANDSHAKE_EXT_ID:
            peer.says = peer.says.updated(ExtendedHandshake.parse(payload))
            rouse(peer)
            if peer.says.request_queue is not None and peer.pipeline is not None:
                peer.pipeline.limit(peer.says.request_queue)
            self._members.told_our_address(peer)
            self._pex.introduced(peer, now)
            if peer.says.port is not None:
                self._members.listens_on(peer, peer.says.port, now)
            self.part_if_both_seed(peer, now)
        elif ext_id == LT_DONTHAVE:
            holdings.heard_lost(peer, self._download, donthave.parse(payload))
            self._company.touch_all()  # what it cannot give, others may
        elif ext_id == UT_PEX:
            self._pex.heard(peer, payload, now, complete=self._download is not None and self._download.complete)
        elif ext_id == UT_METADATA:
            self._on_metadata(peer, payload, now)
        elif ext_id == UT_HOLEPUNCH:
            self._punching.heard(peer, payload, now)

    def on_hash_request(self, peer: Peer, span: HashRange, now: float) -> None:
        """BEP 52."""
        self._hashes.on_request(peer, span)

    def on_hashes(self, peer: Peer, span: HashRange, hashes: bytes, now: float) -> None:
        """BEP 52."""
        self._hashes.on_hashes(peer, span, hashes, now)

    def on_hash_reject(self, peer: Peer, span: HashRange, now: float) -> None:
        """BEP 52: somebody else is to be asked."""
        self._hashes.on_reject(peer, span, now)

    def _on_metadata(self, peer: Peer, payload: bytes, now: float) -> None:
        outcome = self._metadata.on_message(peer, payload)
        if outcome.raw is not None:
            self._learned(outcome.raw)
        for number in outcome.liars:
            if number in self._company.peers:
                self._company.ban(self._company.peers[number], RemoteProtocolError(Offence.BAD_METADATA), now)
        self._company.touch_all()
