"""What is asked of a UPnP gateway, call by call: generators that give a Call and are sent what it answered.

A refusal is thrown into them as GatewayError, as is a router that does not answer.
"""

from collections.abc import Generator, Mapping
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, TypeAlias

from bittern.base.errors import GatewayError
from bittern.wire.igd import (
    ACTION_FAILED,
    CONFLICT,
    CONFLICT_WITH_OTHER,
    FIREWALL,
    IP_CONNECTION,
    ONLY_PERMANENT,
    SAME_PORTS_ONLY,
    Call,
    Service,
)
from bittern.wire.pcp import Carrier

from .lease import LIFETIME_SECONDS, Lease, Wish

if TYPE_CHECKING:
    from random import Random

MOST_PORTS: Final = 4
"""External ports that are tried for one of ours."""
DESCRIPTION: Final = "bittern"
"""What a router's list of mappings calls ours."""

_PERHAPS_TAKEN = (CONFLICT, CONFLICT_WITH_OTHER, ACTION_FAILED)
_LOWEST, _HIGHEST = 1024, 65535

Answers: TypeAlias = Mapping[str, str]
Course: TypeAlias = Generator[Call, Answers, tuple[Lease, float]]
"""Gives the lease and how many seconds it holds; 0 for until it is taken back."""


def connection(services: tuple[Service, ...]) -> Service | None:
    """The service that maps ports; that of IP before that of PPP, as a router with both uses it."""
    found = [service for service in services if not service.kind.startswith(FIREWALL)]
    return min(found, key=lambda service: not service.kind.startswith(IP_CONNECTION), default=None)


def external_host(service: Service) -> Generator[Call, Answers, str | None]:
    """Where the router is seen from outside; None where it has no address itself."""
    said = yield Call(service, "GetExternalIPAddress", {})
    try:
        ip = ip_address(said.get("NewExternalIPAddress", ""))
    except ValueError:
        return None
    return None if ip.is_unspecified or ip.version != 4 else str(ip)


def map_port(service: Service, wish: Wish, ours: str, host: str | None, rng: "Random") -> Course:
    """Have others let in.

    Args:
        service: that maps ports.
        wish: what is asked for; where its external port is taken, others are tried.
        ours: our address in the local network.
        host: the router's address outside, as far as it is known.
        rng: draws other ports.

    Raises:
        GatewayError: the router refuses, or has none of the ports that were tried.
    """
    external, lifetime = wish.external_port, LIFETIME_SECONDS
    refusal = GatewayError(f"the router has no port for {_name(wish.carrier)} port {wish.port}", CONFLICT)
    for _ in range(MOST_PORTS + 1):
        try:
            yield _add(service, wish, external, ours, lifetime)
        except GatewayError as error:
            if error.code == ONLY_PERMANENT and lifetime:
                lifetime = 0
            elif error.code == SAME_PORTS_ONLY and external != wish.port:
                external = wish.port
            elif error.code in _PERHAPS_TAKEN:
                external = rng.randint(_LOWEST, _HIGHEST)
                refusal = error if error.code == ACTION_FAILED else refusal
            else:
                raise
        else:
            return Lease(wish.carrier, wish.port, external, host, "UPnP"), float(lifetime)
    raise refusal


def take_back(service: Service, lease: Lease) -> Generator[Call, Answers, None]:
    """Let nobody in any more.

    Raises:
        GatewayError: the router refuses; it may have forgotten the mapping by itself.
    """
    arguments: dict[str, str | int] = {
        "NewRemoteHost": "",
        "NewExternalPort": lease.external_port,
        "NewProtocol": _name(lease.carrier),
    }
    yield Call(service, "DeletePortMapping", arguments)


def _add(service: Service, wish: Wish, external: int, ours: str, lifetime: int) -> Call:
    arguments: dict[str, str | int] = {
        "NewRemoteHost": "",
        "NewExternalPort": external,
        "NewProtocol": _name(wish.carrier),
        "NewInternalPort": wish.port,
        "NewInternalClient": ours,
        "NewEnabled": 1,
        "NewPortMappingDescription": DESCRIPTION,
        "NewLeaseDuration": lifetime,
    }
    return Call(service, "AddPortMapping", arguments)


def _name(carrier: Carrier) -> str:
    return carrier.name
