"""What is said to a tracker and what it answers, whichever protocol carries it."""

from dataclasses import dataclass
from enum import Enum, unique
from typing import Final

from bittern.base.address import Address
from bittern.base.ids import InfoHashV1, PeerId

from .mse.policy import Encryption

MIN_INTERVAL: Final = 60
"""Seconds: no tracker is asked more often for the same torrent, whatever it says."""
MAX_INTERVAL: Final = 24 * 3600
"""Seconds: no tracker can tell us to stay away for longer."""
DEFAULT_INTERVAL: Final = 1800
"""Seconds between announces when the tracker names none that makes sense."""
MAX_PEERS: Final = 2000
"""Peers that are taken from one answer."""
MAX_TEXT: Final = 500
"""Characters that are kept of a tracker's words to people."""


@unique
class Event(Enum):
    """Why an announce is made, if not because its time has come (BEP 3)."""

    STARTED = "started"
    COMPLETED = "completed"
    STOPPED = "stopped"
    PAUSED = "paused"
    """In each regular announce of a partial seed: it wants no more, though it has not everything (BEP 21)."""


@dataclass(frozen=True, slots=True)
class AnnounceRequest:
    """What we tell a tracker.

    Attributes:
        info_hash: the torrent; the truncated hash for version 2 (BEP 52).
        peer_id: who we are.
        port: where we listen, 0..65535.
        uploaded: bytes sent since `started`.
        downloaded: bytes received since `started`.
        left: bytes still missing; 0 makes us a seed, to whom many trackers name no other seeds.
        event: why now, or None for a regular announce.
        numwant: peers that we would like, or None for as many as the tracker gives.
        key: 32 bits that prove our identity when our address changes.
        tracker_id: what the tracker gave us to send along.
        encryption: whether connections to us may be encrypted, or must be; UDP has no place for it.
    """

    info_hash: InfoHashV1
    peer_id: PeerId
    port: int
    uploaded: int
    downloaded: int
    left: int
    event: Event | None = None
    numwant: int | None = None
    key: int | None = None
    tracker_id: bytes | None = None
    encryption: Encryption = Encryption.OFF


@dataclass(frozen=True, slots=True)
class AnnounceReply:
    """What a tracker answers.

    Attributes:
        interval: seconds until the next regular announce, 60 to 86400.
        min_interval: seconds that must pass before any other announce, 60 to 86400, or None.
        peers: their addresses, each once, at most 2000, in the tracker's order; no port is 0.
        complete: seeds in the swarm, or None.
        incomplete: leechers in the swarm, or None.
        tracker_id: to be sent along with later announces, or None.
        warning: words to the user, unchecked remote text of at most 500 characters, or None.
        external_ip: our address as the tracker sees it (BEP 24), or None.
    """

    interval: int
    min_interval: int | None = None
    peers: tuple[Address, ...] = ()
    complete: int | None = None
    incomplete: int | None = None
    tracker_id: bytes | None = None
    warning: str | None = None
    external_ip: str | None = None


@dataclass(frozen=True, slots=True)
class ScrapeEntry:
    """The state of one swarm (BEP 48).

    Attributes:
        complete: seeds.
        downloaded: downloads ever completed.
        incomplete: leechers.
    """

    complete: int
    downloaded: int
    incomplete: int


def clamp_interval(seconds: int) -> int:
    """The interval that is kept when a tracker asks for `seconds`."""
    return max(MIN_INTERVAL, min(seconds, MAX_INTERVAL))
