"""Connections of a core: how many there may be, how many being made, how fast, and how many of one network."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from bittern.base.throttle import Throttle
from bittern.engine.settings import EngineSettings

DIAL_BURST_SECONDS = 0.5
"""So many seconds' worth of dials may be made at once after a while without any."""


@lru_cache(maxsize=1024)
def network_of(host: str) -> str:
    """Whom an address belongs to: an IPv4 address stands for itself, an IPv6 address for its /64.

    One who has an IPv6 address has as a rule all of its /64 (RFC 6177).
    """
    ip = ip_address(host)
    return ip.exploded[:19] if isinstance(ip, IPv6Address) else host


def is_this_machine(host: str) -> bool:
    """Whether a numeric address is of the loopback network: many clients of one machine are no crowd.

    Raises:
        ValueError: this is no address, and does not begin like one.
    """
    if host[:1].isdigit() and ":" not in host and not host.startswith("127."):
        return False  # by far the most, and asked for each that others name
    return ip_address(host).is_loopback


class Places:
    """The connections of all torrents: a place is taken from the dial, or the handshake of a caller, to the end.

    Args:
        settings: of the engine.

    Attributes:
        taken: places in use.
        half_open: those among them whose connection does not stand yet.
        woken: what `take_woken` has.
        pace: the limit of dials per second; each torrent has a branch of it, so that all have their turns.
    """

    def __init__(self, settings: EngineSettings) -> None:
        self.taken = 0
        self.half_open = 0
        self.pace = Throttle(limit=settings.dials_per_second, unit=1, burst_seconds=DIAL_BURST_SECONDS)
        self._most = settings.max_connections
        self._most_half_open = settings.max_half_open
        self._waiting: dict[int, None] = {}
        self.woken: dict[int, None] = {}
        self._shut = False

    @property
    def full(self) -> bool:
        """Whether there is no place for anybody."""
        return self.taken >= self._most or self._shut

    @property
    def may_dial(self) -> bool:
        """Whether one more connection may be made now."""
        return not self.full and self.half_open < self._most_half_open

    def dial(self) -> None:
        """A connection is being made."""
        self.taken += 1
        self.half_open += 1

    def connected(self) -> None:
        """A connection that was being made stands."""
        self.half_open -= 1
        self._wake()

    def dial_again(self) -> None:
        """A connection that stood has ended, and its dial goes on with another one."""
        self.half_open += 1

    def dial_ended(self, *, half_open: bool) -> None:
        """A dial led to a peer, which takes its own place, or to nothing; `half_open`: before the connection stood."""
        self.half_open -= half_open
        self.leave()

    def enter(self) -> None:
        """A peer is let in."""
        self.taken += 1

    def leave(self) -> None:
        """A place is free again."""
        self.taken -= 1
        self._wake()

    def shut(self) -> None:
        """There is no place for anybody, until `open`."""
        self._shut = True

    def open(self) -> None:
        """There are places again."""
        self._shut = False
        self._wake()

    def wait(self, torrent: int) -> None:
        """A torrent would dial if there was a place."""
        self._waiting[torrent] = None

    def take_woken(self) -> dict[int, None]:
        """The torrents that waited, since there is a place for one of them: whose turn it is, `pace` says."""
        woken, self.woken = self.woken, {}
        return woken

    def _wake(self) -> None:
        if self._waiting and not self._shut:
            self.woken.update(self._waiting)
            self._waiting.clear()


def crowded_out(strangers: Iterable[tuple[int, str]], newcomer: str, most: int) -> int | None:
    """Which stranger goes when one more comes: who has something to say says it at once.

    Args:
        strangers: key and host of those that have not said what they want, the longest first, the newcomer too.
        newcomer: its host.
        most: how many there may be; a quarter of them of one network.

    Returns:
        The key of the one that was silent for longest, of the newcomer's network if that sent too many; or None.
    """
    waiting = list(strangers)
    if not is_this_machine(newcomer):
        network = network_of(newcomer)
        kin = [key for key, host in waiting if network_of(host) == network]
        if len(kin) > max(1, most // 4):
            return kin[0]
    return waiting[0][0] if len(waiting) > most else None
