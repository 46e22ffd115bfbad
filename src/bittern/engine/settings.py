"""Numbers that steer the engine, with their units; validated at construction."""

from dataclasses import dataclass, fields
from math import inf

from bittern.base.errors import SessionError
from bittern.wire.mse.policy import Encryption

from .swarm.classes import PeerClass
from .upload.choker import SeedChoker
from .upload.slots import SlotCount


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """How one core behaves, all its torrents together unless said otherwise."""

    listen_port: int = 0
    """The port that trackers and peers are told; 0 where nobody can connect to us."""
    ipv4: bool = True
    """Whether peers reach us by IPv4: trackers are told of us by it (BEP 7)."""
    ipv6: bool = False
    """Whether peers reach us by IPv6: trackers are told of us by it, too, at the same time."""
    announce_to_all: bool = False
    """Whether a torrent is announced to all its trackers; else to the first that works (BEP 12)."""
    use_trackers: bool = True
    """Whether trackers are asked for peers."""
    use_dht: bool = True
    """Whether the DHT is asked for peers of torrents that are not private (BEP 5)."""
    dht_port: int = 0
    """The UDP port of our node of the DHT, which peers are told; 0 where there is none."""
    use_pex: bool = True
    """Whether peers tell each other of peers of torrents that are not private (BEP 11)."""
    use_lsd: bool = True
    """Whether the local network is asked for peers of torrents that are not private (BEP 14)."""
    encryption_in: Encryption = Encryption.OFF
    """Whether connections to us may be encrypted, or must be."""
    encryption_out: Encryption = Encryption.OFF
    """Whether connections that we make are encrypted, or must be."""
    blocked_clients: tuple[bytes, ...] = ()
    """How the peer ids of clients begin that we have nothing to do with (BEP 20)."""
    user_agent: str = "bittern"
    """What the extension handshake says we are (BEP 10 `v`); nothing where it is empty."""
    anonymous: bool = False
    """Whether peers are not told how we see their address, nor nodes of the DHT which client this is."""
    down_bytes_per_second: float = inf
    """Limit of what is asked for, all torrents together."""
    up_bytes_per_second: float = inf
    """Limit of what is served, all torrents together."""
    peer_classes: tuple[PeerClass, ...] = ()
    """Peers with limits and upload slots of their own."""
    exempt_local: bool = False
    """Whether peers in the local network, and on this machine, are held to no limit."""
    tcp: bool = True
    """Whether peers are dialed over TCP."""
    utp: bool = False
    """Whether peers are dialed over uTP (BEP 29), where the world can."""
    utp_first: bool = False
    """Whether uTP is tried before TCP, but for the local network and where TCP has worked; else it is the other way."""
    max_peers: int = 80
    """Connections of one torrent."""
    max_connections: int = 500
    """Connections of all torrents together, those being made included."""
    max_per_network: int = 3
    """Peers of one torrent with one IPv4 address, or in one IPv6 /64; this machine's own have no such limit."""
    max_strangers: int = 200
    """Connections to us that have not said yet which torrent they want; a quarter of them of one network."""
    max_half_open: int = 50
    """Connections of all torrents together that are being made at a time."""
    dials_per_second: float = 50.0
    """Connections of all torrents together that are begun in a second."""
    max_dials: int = 16
    """Connections of one torrent that are being made at a time."""
    upload_slots: int = 8
    """Peers of one torrent that are served at a time, the optimistic one included; the least where it is automatic."""
    slot_count: SlotCount = SlotCount.FIXED
    """Whether more than `upload_slots` are served as long as more goes out by that."""
    seed_choker: SeedChoker = SeedChoker.ROUND_ROBIN
    """Whom a complete torrent serves; one that downloads serves who gives most."""
    max_requests_queued: int = 2000
    """Blocks that one peer may ask for ahead; told to it as `reqq` (BEP 10)."""
    max_requests_outstanding: int = 512
    """Blocks that we ask of one peer ahead."""
    buffer_bytes: int = 64 << 20
    """Memory for blocks on their way to the disk, one torrent."""
    total_buffer_bytes: int = 128 << 20
    """That of all torrents together, shared fairly: n of them that want more have 1 / (n + 1) of it each."""
    upload_buffer_bytes: int = 64 << 20
    """Memory for blocks on their way from the disk to peers, all torrents together."""
    disk_queue_bytes: int = 8 << 20
    """Bytes handed to the disk at a time, one torrent; beyond it peers wait (back pressure)."""
    request_timeout_seconds: float = 30.0
    """A peer that owes blocks and is silent for so long is snubbed: its blocks are asked of others."""
    sequential: bool = False
    """Ask for pieces in order instead of the rarest first."""
    max_web_connections: int = 8
    """Connections of one torrent to web seeds, at most two of each; 0 for none (BEP 19). They count among all, too."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, (int, float)) and not value >= 0:
                raise SessionError(f"{field.name} = {value}: must not be negative")
        for name in (
            "buffer_bytes",
            "total_buffer_bytes",
            "upload_buffer_bytes",
            "disk_queue_bytes",
            "max_requests_outstanding",
        ):
            if not getattr(self, name):
                raise SessionError(f"{name} = 0: nothing could ever be asked for")
        if not (self.tcp or self.utp):
            raise SessionError("tcp and utp are off: nobody could ever be reached")
        for name in ("listen_port", "dht_port"):
            if not 0 <= getattr(self, name) <= 65535:
                raise SessionError(f"{name} = {getattr(self, name)}: must be 0 to 65535")
