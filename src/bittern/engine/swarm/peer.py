"""One handshaken peer of one torrent: its flags, its pieces, its rates. State only; decisions are made elsewhere."""

from dataclasses import dataclass, field

from bittern.base.address import Address
from bittern.base.bitfield import Bitfield
from bittern.base.ids import InfoHashV1, PeerId
from bittern.base.rate import Meter
from bittern.base.transport import Transport
from bittern.engine.download.requests import Pipeline
from bittern.engine.upload.queue import UploadQueue
from bittern.wire.extended import ExtendedHandshake
from bittern.wire.peerwire import PeerWire

from .classes import PeerClass
from .lanes import Lanes


@dataclass(slots=True, eq=False)
class Early:
    """What a peer told of its pieces before we knew how many there are (magnet).

    Attributes:
        have_all: it has everything.
        bitfield: its first word, as it came.
        haves: what it told one by one, and did not take back.
    """

    have_all: bool = False
    bitfield: bytes | None = None
    haves: Bitfield | None = None


@dataclass(slots=True, eq=False)
class Peer:
    """A peer.

    Attributes:
        number: stable within the torrent, in order of arrival; ties are broken by it.
        wire: the connection.
        address: the other end.
        peer_id: what it calls itself.
        fast: both sides speak the fast extension (BEP 6).
        extended: it speaks the extension protocol (BEP 10).
        incoming: it connected to us.
        info_hash: which of the torrent's the connection goes by; that of version 2 brings hash messages (BEP 52).
        joined_at: when its handshake came.
        listens_at: where else it can be dialed, as it says or as we found.
        pieces: what it has; None until the torrent's metadata is known.
        pipeline: what we asked of it; None likewise.
        uploads: what it asked of us.
        lanes: its limits, and those above; none until they are set.
        peer_class: the class that it is of, if it is of one.
    """

    number: int
    wire: PeerWire
    address: Address
    peer_id: PeerId
    fast: bool
    extended: bool
    incoming: bool
    joined_at: float
    info_hash: InfoHashV1 | None = None
    listens_at: list[Address] = field(default_factory=list)
    pieces: Bitfield | None = None
    pipeline: Pipeline | None = None
    uploads: UploadQueue = field(default_factory=UploadQueue)
    lanes: Lanes = field(default_factory=Lanes)
    peer_class: PeerClass | None = None
    early: Early = field(default_factory=Early)
    am_choking: bool = True
    am_interested: bool = False
    peer_choking: bool = True
    peer_interested: bool = False
    refusing: bool = False
    """Whether it rejected a request though it does not choke us: to ask again at once would go on for ever."""
    reached: bool = False
    """Whether we connected to it, too, where it connected to us: it listens at the first of `listens_at`."""
    has_node: bool = False
    """Whether it said that it runs a node of the distributed hash table."""
    heard_pieces: bool = False
    """Whether a bitfield, have-all or have-none came, or anything after which none may come."""
    counted_as_seed: bool = False
    """Whether the picker leaves it out because it has everything."""
    says: ExtendedHandshake = field(default_factory=ExtendedHandshake)
    down: Meter = field(default_factory=Meter)
    up: Meter = field(default_factory=Meter)
    strikes: int = 0
    """Failed pieces that it was to bring alone, on parole, and did not finish."""

    @property
    def transport(self) -> Transport:
        """What carries the connection."""
        return self.wire.link.transport

    @property
    def encrypted(self) -> bool:
        """Whether every byte of the connection is."""
        return self.wire.encrypted

    @property
    def is_seed(self) -> bool:
        """Whether it has every piece."""
        return self.pieces is not None and self.pieces.complete

    @property
    def was_useful(self) -> bool:
        """Whether blocks went either way."""
        return self.uploads.sent > 0 or (self.pipeline is not None and self.pipeline.arrived > 0)

    def measure(self, now: float) -> None:
        """Take what came and went since the last call into the rates."""
        if self.pipeline is not None:
            self.down.count_up_to(self.pipeline.arrived, now)
        self.up.count_up_to(self.uploads.sent, now)
