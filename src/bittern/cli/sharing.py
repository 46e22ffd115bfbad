"""The flags of `get` and `seed` about whom to serve, how many, and how fast each."""

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from cyclopts import Group, Parameter

from bittern.session.settings import Settings
from bittern.session.torrent import Torrent

from .arguments import Rate
from .failures import UsageError
from .output import printable
from .peer_classes import peer_class

_AUTO = "auto"


@Parameter(name="*", group=Group("Sharing", sort_key=2))
@dataclass(frozen=True, kw_only=True)
class Sharing:
    """Flags about peers, beside those of the network."""

    peer_down_limit: Rate | None = None
    """Bytes a second to download from each peer at most; no limit unless given."""

    peer_up_limit: Rate | None = None
    """Bytes a second to upload to each peer at most; no limit unless given."""

    exempt_local: bool = False
    """Hold peers of the local network, and on this machine, to no limit of bytes."""

    peer_class: Annotated[tuple[str, ...], Parameter(metavar="CLASS...")] = ()
    """Limits for some peers, as in local,unlimited or 10.0.0.0/8,utp,up=500k; the first that fits; may be repeated."""

    max_per_network: Annotated[int | None, Parameter(metavar="N")] = None
    """Peers with one IPv4 address, or in one IPv6 /64, at most; 3 unless given."""

    upload_slots: Annotated[str | None, Parameter(metavar="N|auto")] = None
    """Peers to upload to at a time: a number, or auto for as many as it takes to fill the line; 8 unless given."""

    seed_choker: Annotated[Literal["round-robin", "fastest", "anti-leech"], Parameter(name="--seed-choker")] = (
        "round-robin"
    )
    """Whom to upload to when complete: all in turn (unless given), who takes most, or who has least or almost all."""

    seed_idle: Annotated[float | None, Parameter(metavar="MINUTES")] = None
    """When complete, go on until nobody has asked for anything for this many minutes."""

    def applied_to(self, settings: Settings) -> Settings:
        """The settings of a session with these flags too.

        Raises:
            UsageError: a flag has a bad value.
        """
        for flag, rate in (("--peer-down-limit", self.peer_down_limit), ("--peer-up-limit", self.peer_up_limit)):
            if rate == 0:
                raise UsageError(f"{flag} 0: leave it out for no limit, or write a rate such as 50k")
        if self.max_per_network is not None and self.max_per_network < 1:
            raise UsageError(f"--max-per-network {self.max_per_network}: write a number from 1")
        if self.seed_idle is not None and not self.seed_idle >= 0:
            raise UsageError(f"--seed-idle {self.seed_idle}: write a number that is not negative")
        return replace(
            settings,
            exempt_local=self.exempt_local,
            peer_classes=tuple(map(peer_class, self.peer_class)),
            max_per_network=self.max_per_network or settings.max_per_network,
            upload_slots=self._slots() or settings.upload_slots,
            slot_count="automatic" if self.upload_slots == _AUTO else "fixed",
            seed_choker=self.seed_choker,
            seed_idle_minutes=self.seed_idle,
        )

    def hold(self, torrent: Torrent) -> None:
        """Hold each peer of a torrent to the limits."""
        if self.peer_down_limit is not None or self.peer_up_limit is not None:
            torrent.set_limits(peer_down=self.peer_down_limit, peer_up=self.peer_up_limit)

    def _slots(self) -> int | None:
        text = self.upload_slots
        if text is None or text == _AUTO:
            return None
        if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text)):
            raise UsageError(f"--upload-slots {printable(text, 40)}: write a number from 1, or auto")
        return int(text)
