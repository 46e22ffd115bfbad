"""Immutable snapshots of a torrent."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, unique

from bittern.base.errors import BitternError
from bittern.base.ids import InfoHashV1
from bittern.base.transport import Transport


@unique
class State(Enum):
    """What a torrent is doing."""

    CHECKING = "checking"
    """Files that are there are looked at, or hashed."""
    METADATA = "metadata"
    """It is not known yet what the torrent is made of: peers are asked (BEP 9)."""
    DOWNLOADING = "downloading"
    """It is in its swarm, and wanted bytes are missing."""
    SEEDING = "seeding"
    """Every wanted byte is there, and others are served."""
    QUEUED = "queued"
    """It waits for a place in the queue."""
    PAUSED = "paused"
    """The user, or `metadata_only`, keeps it out of its swarm."""
    FINISHED = "finished"
    """Complete, and its seed goal is reached."""
    FAILED = "failed"
    """It stopped; `Status.error` says why, and `Torrent.resume` tries again."""
    MISSING_FILES = "missing files"
    """Files with stored pieces are gone. Nothing is fetched: they may come back, or a recheck accepts the loss."""
    MOVING = "moving"
    """Its files move, and a download waits for that; a complete torrent goes on seeding."""
    REMOVED = "removed"
    """It is not in the session any more."""


TROUBLED = (State.FAILED, State.MISSING_FILES)
"""States that the user has to help out of; `Status.error` says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A torrent at one moment.

    Attributes:
        state: what it is doing.
        name: of the file or root folder; a stand-in while the metadata is unknown.
        done_bytes: wanted bytes that are stored.
        total_bytes: wanted bytes; 0 while the metadata is unknown.
        down_rate: bytes a second that come.
        up_rate: bytes a second that go.
        peers: connected ones.
        seeds: of them, those that have everything.
        utp_peers: of the connected peers, those over uTP; the others are over TCP.
        encrypted_peers: of the connected peers, those whose every byte is encrypted.
        known_peers: addresses known, connected or not.
        blocked: addresses that the IP filter kept out, and connections that ended because of it or of their client.
        web_seeds: those that are connected to.
        eta_seconds: until it is complete at this rate; None when that cannot be told.
        downloaded: bytes of blocks ever received.
        uploaded: bytes of blocks ever sent.
        corrupt_bytes: bytes of pieces that came and failed their hash, since it was added.
        metadata: blocks of 16 KiB of the metadata that came, and all there are, while it is fetched; None while that is
            unknown.
        check: bytes checked and to be checked, while that goes on.
        check_paused: whether that waits for `Torrent.resume_check`.
        move: bytes moved and to be moved, while files are moving.
        complete: whether every wanted byte is stored.
        error: why it is FAILED or has MISSING_FILES, or None.
    """

    state: State
    name: str
    done_bytes: int = 0
    total_bytes: int = 0
    down_rate: float = 0.0
    up_rate: float = 0.0
    peers: int = 0
    seeds: int = 0
    utp_peers: int = 0
    encrypted_peers: int = 0
    known_peers: int = 0
    blocked: int = 0
    web_seeds: int = 0
    eta_seconds: float | None = None
    downloaded: int = 0
    uploaded: int = 0
    corrupt_bytes: int = 0
    metadata: tuple[int, int] | None = None
    check: tuple[int, int] | None = None
    check_paused: bool = False
    move: tuple[int, int] | None = None
    complete: bool = False
    error: BitternError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IpFilterStatus:
    """The IP filter of a session at one moment.

    Attributes:
        ranges: of addresses that are blocked, after those that overlap or touch were joined.
        entries: lines of the lists that named them.
        bad_lines: lines that make no sense, and are left out.
        first_bad_line: the first of those, of unknown safety: list, line number and text; empty when there are none.
        blocked: how often what was refused: `candidates` (addresses that somebody named), `incoming`, `peers` (that
            were connected when a list was loaded), `trackers`, `web_seeds`, `nodes` (datagrams of the distributed hash
            table), `clients` (blocked by their peer id); those that were.
    """

    ranges: int
    entries: int
    bad_lines: int
    first_bad_line: str
    blocked: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusChanges:
    """What changed in a session since a revision.

    Attributes:
        revision: to ask with the next time.
        whole: `torrents` is everything there is: what was known before is to be forgotten.
        torrents: by info hash, those that are new or changed, the last change first.
        gone: info hashes of those that are not there any more.
    """

    revision: int
    whole: bool
    torrents: Mapping[InfoHashV1, Status]
    gone: tuple[InfoHashV1, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerStatus:
    """A connected peer of a torrent at one moment.

    Attributes:
        host: its numeric IP address.
        port: at its end of the connection.
        client: what it calls itself, at most 64 printable characters; None while it has not said.
        incoming: whether it connected to us.
        transport: what carries the connection.
        encrypted: whether every byte of it is encrypted.
        seed: whether it has everything.
        down_rate: bytes a second that come from it.
        up_rate: bytes a second that go to it.
        downloaded: bytes of blocks that came from it, over this connection.
        uploaded: bytes of blocks that went to it, likewise.
        down_limit: bytes a second from it at most; `math.inf` for no limit.
        up_limit: bytes a second to it at most; likewise.
        peer_class: the name of the class that it is of (`Settings.peer_classes`); None for none.
    """

    host: str
    port: int
    client: str | None
    incoming: bool
    transport: Transport
    encrypted: bool
    seed: bool
    down_rate: float
    up_rate: float
    downloaded: int
    uploaded: int
    down_limit: float
    up_limit: float
    peer_class: str | None


@dataclass(frozen=True, slots=True)
class TrackerStatus:
    """A tracker of a torrent at one moment.

    Attributes:
        url: as in the torrent.
        failures: in a row.
        message: what it said last that people should read, of unknown safety; or None.
        supported: whether its protocol is spoken here.
    """

    url: str
    failures: int
    message: str | None
    supported: bool = True


@dataclass(frozen=True, slots=True)
class WebSeedStatus:
    """A web seed of a torrent at one moment.

    Attributes:
        url: as it was named.
        downloaded: bytes that came from it and were needed.
        down_rate: bytes a second that come.
        failures: in a row.
        message: what went wrong last, of unknown safety; None while all is well.
        banned: whether it is never asked again.
    """

    url: str
    downloaded: int
    down_rate: float
    failures: int
    message: str | None
    banned: bool
