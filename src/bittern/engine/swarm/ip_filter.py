"""Addresses that nobody deals with because a list says so: peers, trackers, web seeds, nodes."""

from collections import Counter
from enum import Enum, unique

from bittern.base.address import is_alias
from bittern.base.ids import InfoHashV1
from bittern.codec.ip_ranges import NO_RANGES, IpRanges


@unique
class Blocked(Enum):
    """What an address was refused as."""

    CANDIDATE = "candidates"
    """Somebody named it as a peer; or it was known as one when the filter was loaded."""
    INCOMING = "incoming"
    """It connected to us."""
    PEER = "peers"
    """It was connected when the filter was loaded."""
    TRACKER = "trackers"
    WEB_SEED = "web_seeds"
    NODE = "nodes"
    """Of the distributed hash table: datagrams from there and to there."""
    CLIENT = "clients"
    """Not by its address: it runs a client that is blocked."""


class IpFilter:
    """The filter of one core.

    Attributes:
        ranges: addresses that are blocked.
        counts: how often what was refused.
        exempt: torrents that the filter is not for, awake or asleep.
    """

    def __init__(self) -> None:
        self.ranges: IpRanges = NO_RANGES
        self.counts: Counter[Blocked] = Counter()
        self.exempt: dict[InfoHashV1, None] = {}

    def blocks(self, host: str, torrent: InfoHashV1 | None = None) -> bool:
        """Whether nobody deals with a numeric address, or with it for a torrent.

        What stands for a name that a proxy looks up is not known, and not blocked.
        """
        return host in self.ranges and torrent not in self.exempt and not is_alias(host)

    def refuses(self, host: str, what: Blocked, torrent: InfoHashV1 | None = None) -> bool:
        """As `blocks`, and counted where it is so."""
        if not self.blocks(host, torrent):
            return False
        self.counts[what] += 1
        return True

    def turns_away(self, host: str) -> bool:
        """Whether a connection from there is not even listened to: no torrent could want it."""
        return bool(self.ranges) and not self.exempt and self.refuses(host, Blocked.INCOMING)
