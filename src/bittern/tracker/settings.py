"""How a tracker behaves, whoever asks and by which protocol."""

from dataclasses import dataclass
from typing import Final

DEFAULT_NUMWANT: Final = 50
"""Peers in an answer when the client names no number."""
MAX_NUMWANT: Final = 200
"""Peers in an answer at most."""


@dataclass(frozen=True, slots=True)
class TrackerSettings:
    """How a tracker behaves."""

    interval_seconds: int = 1800
    """Between the announces of a client; after one and a half times that it is forgotten."""

    max_peers: int = 4_000_000
    """Known at a time, in all swarms; newcomers beyond are answered and not remembered."""

    per_ip: float = 50
    """Announces and scrapes of an IP address a second, in the mean of ten seconds; 0 for no limit."""

    trust_ip: bool = False
    """Whether a client may name another address than its own (`ip=`): for trackers behind a NAT with their clients."""

    proxies: tuple[str, ...] = ()
    """IP addresses of reverse proxies that are believed for whom they ask (`X-Forwarded-For`)."""

    @property
    def life_seconds(self) -> float:
        """How long a silent peer stays."""
        return self.interval_seconds * 1.5


def peers_wanted(numwant: int) -> int:
    """How many peers a client gets that asks for `numwant`; negative when it does not say."""
    if numwant < 0:
        return DEFAULT_NUMWANT
    return min(numwant, MAX_NUMWANT)
