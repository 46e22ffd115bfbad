"""What happened in the engine, for the session: past tense, values only."""

from collections.abc import Mapping
from dataclasses import dataclass

from bittern.base.address import Address
from bittern.base.errors import StorageError
from bittern.base.ids import InfoHashV1, PeerId
from bittern.base.transport import Transport


@dataclass(frozen=True, slots=True)
class PieceStored:
    """A piece has the right hash and all its bytes are in the files."""

    torrent: int
    piece: int


@dataclass(frozen=True, slots=True)
class PieceFailed:
    """A piece came whole and failed its hash; it will be asked for again."""

    torrent: int
    piece: int


@dataclass(frozen=True, slots=True)
class MetadataReceived:
    """The info dictionary came from peers and matches the info hash (BEP 9)."""

    torrent: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class LayersReceived:
    """All piece layers are known, by root: they came from peers and were proved (BEP 52)."""

    torrent: int
    rows: Mapping[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Completed:
    """Every wanted piece is stored."""

    torrent: int


@dataclass(frozen=True, slots=True)
class PeerJoined:
    """A peer finished its handshake; `encrypted`: every byte of the connection is."""

    torrent: int
    address: Address
    peer_id: PeerId
    transport: Transport = Transport.TCP
    encrypted: bool = False


@dataclass(frozen=True, slots=True)
class PeerDropped:
    """A peer, or a connection that never became one, is gone; `reason` is a sentence."""

    torrent: int
    address: Address
    reason: str
    offence: bool


@dataclass(frozen=True, slots=True)
class AddressesBlocked:
    """The IP filter kept so many addresses out, or connections ended for it or for a client that is blocked."""

    torrent: int
    count: int


@dataclass(frozen=True, slots=True)
class TrackerAnswered:
    """An announce was answered."""

    torrent: int
    url: str
    peers: int
    warning: str | None


@dataclass(frozen=True, slots=True)
class TrackerFailed:
    """An announce failed; it is tried again after `retry_seconds`."""

    torrent: int
    url: str
    reason: str
    retry_seconds: float


@dataclass(frozen=True, slots=True)
class WebSeedFailed:
    """A web seed did not give what it was asked for; it is asked again after `retry_seconds`, infinity for never."""

    torrent: int
    url: str
    reason: str
    retry_seconds: float


@dataclass(frozen=True, slots=True)
class StorageFailed:
    """The disk refused; the torrent asks for nothing more until `resume`.

    Or it could not be read: then `piece` says what is not served any more.
    """

    torrent: int
    error: StorageError
    piece: int | None = None


@dataclass(frozen=True, slots=True)
class Contradicted:
    """A piece of a hybrid torrent has one of its two hashes and not the other; the torrent is paused (BEP 52)."""

    torrent: int
    piece: int


@dataclass(frozen=True, slots=True)
class SleeperCalled:
    """Somebody wants something of a torrent that sleeps: a connection came for it, or a tracker named `addresses`."""

    torrent: int
    info_hash: InfoHashV1
    addresses: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True)
class NodeHeard:
    """A peer says that there is a node of the distributed hash table at `address` (BEP 5)."""

    address: Address


Event = (
    PieceStored
    | PieceFailed
    | MetadataReceived
    | LayersReceived
    | Completed
    | PeerJoined
    | PeerDropped
    | AddressesBlocked
    | TrackerAnswered
    | TrackerFailed
    | WebSeedFailed
    | StorageFailed
    | Contradicted
    | SleeperCalled
    | NodeHeard
)
