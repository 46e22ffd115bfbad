"""What a router is asked for, and what it grants, whatever the protocol."""

from dataclasses import dataclass
from typing import Final

from bittern.wire.pcp import Carrier

LIFETIME_SECONDS: Final = 7200
"""How long a mapping is asked for (RFC 6886: 7200 is recommended)."""
LEAST_LIFETIME: Final = 60
"""Seconds between two renewals, whatever little a router grants: half of it at the least."""
MOST_RENEWAL: Final = 900
"""Seconds after which it is renewed at the latest, however long it holds: routers are switched off and forget."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Let others in to a port of ours.

    Attributes:
        carrier: TCP or UDP.
        port: ours, 1..65535.
        external_port: the router's, if it can be had.
    """

    carrier: Carrier
    port: int
    external_port: int


@dataclass(frozen=True, slots=True)
class Lease:
    """A router lets others in.

    Attributes:
        carrier: TCP or UDP.
        port: ours.
        external_port: the router's: where others connect to.
        external_host: the router's address as the rest of the world sees it; None while it has not said.
        by: the protocol, for people: PCP, NAT-PMP or UPnP.
    """

    carrier: Carrier
    port: int
    external_port: int
    external_host: str | None
    by: str


def renewal_seconds(lifetime: int) -> float:
    """When a mapping that is granted for `lifetime` seconds is to be asked for again."""
    return min(max(LEAST_LIFETIME, lifetime) / 2, MOST_RENEWAL)


def wishes_for(tcp: int, udp: int, external: int = 0) -> list[Wish]:
    """What a session asks for; nothing of a carrier whose port is 0.

    Args:
        tcp: the port that we listen on.
        udp: likewise.
        external: the router's port, as it was in the last run; 0 for the same as ours.
    """
    ports = ((Carrier.TCP, tcp), (Carrier.UDP, udp))
    return [Wish(carrier, port, external or port) for carrier, port in ports if port]
