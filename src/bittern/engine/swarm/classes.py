"""Classes of peers, by where they are and how they are connected, with limits and upload slots of their own."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf, isnan

from bittern.base.address import is_local
from bittern.base.errors import SessionError
from bittern.base.throttle import Throttle
from bittern.base.transport import Transport
from bittern.codec.ip_ranges import NO_RANGES, IpRanges

from .lanes import Lanes

LOCAL = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerClass:
    """Some of all peers. Each peer is of the first class that fits it.

    Attributes:
        name: of the class, for people.
        addresses: networks, ranges and addresses (`10.0.0.0/8`, `192.0.2.1-192.0.2.9`, `2001:db8::1`), and `local` for
            the local network and this machine; none at all for everywhere.
        transports: `tcp`, `utp`, or both; none at all for any.
        down_bytes_per_second: limit of what comes from all its peers together, of all torrents.
        up_bytes_per_second: likewise of what goes to them.
        unlimited: whether its peers are held to no other limit: of no torrent, no group, and not of all together.
        upload_slots: how many of its peers a torrent serves at a time, in slots of their own; None: they share those of
            all others.
    """

    name: str
    addresses: tuple[str, ...] = ()
    transports: tuple[str, ...] = ()
    down_bytes_per_second: float = inf
    up_bytes_per_second: float = inf
    unlimited: bool = False
    upload_slots: int | None = None
    _ranges: IpRanges = field(init=False, repr=False, compare=False, default=NO_RANGES)

    def __post_init__(self) -> None:
        whose = f"peer class {self.name!r}"
        for name in ("addresses", "transports"):
            if isinstance(getattr(self, name), str):
                raise SessionError(f"{whose}: {name} must be a tuple of texts")
        try:
            ranges = IpRanges.of(text for text in self.addresses if text != LOCAL)
        except ValueError as error:
            raise SessionError(f"{whose}: {error}") from None
        object.__setattr__(self, "_ranges", ranges)
        for transport in self.transports:
            if transport not in [each.value for each in Transport]:
                raise SessionError(f"{whose}: {transport!r} is no transport: write tcp or utp")
        for limit in (self.down_bytes_per_second, self.up_bytes_per_second):
            if isnan(limit) or limit <= 0:
                raise SessionError(f"{whose}: a limit must be positive, math.inf for none")
        if self.upload_slots is not None and self.upload_slots < 0:
            raise SessionError(f"{whose}: upload_slots must not be negative")

    def fits(self, host: str, transport: Transport) -> bool:
        """Whether a peer is of this class.

        Args:
            host: its numeric address.
            transport: what carries its connection.
        """
        if self.transports and transport.value not in self.transports:
            return False
        return not self.addresses or (LOCAL in self.addresses and is_local(host)) or host in self._ranges


class Classes:
    """The classes of one core, and what their peers are held to.

    Args:
        classes: in their order.
    """

    def __init__(self, classes: Sequence[PeerClass]) -> None:
        self._classes = tuple(classes)
        self._lanes: dict[str, Lanes] = {}
        for each in classes:
            if (each.down_bytes_per_second, each.up_bytes_per_second) != (inf, inf):
                self._lanes[each.name] = lanes = Lanes()
                lanes.set_limits(each.down_bytes_per_second, each.up_bytes_per_second)

    def of(self, host: str, transport: Transport) -> PeerClass | None:
        """The class of a peer; None for none."""
        return next((each for each in self._classes if each.fits(host, transport)), None)

    def hold(self, lanes: Lanes, peer_class: PeerClass) -> None:
        """Hold a peer to the limits of its class, beside those that it is held to already."""
        shared = self._lanes.get(peer_class.name)
        if shared is not None:
            for place, above in ((lanes.down, shared.down), (lanes.up, shared.up)):
                beside = Throttle(above)
                beside.beside, place.beside = place.beside, beside
