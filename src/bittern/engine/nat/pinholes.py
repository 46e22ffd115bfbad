"""What is asked of a router's firewall for IPv6, call by call (WANIPv6FirewallControl:1): as in `igd`."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Final

from bittern.base.errors import GatewayError
from bittern.wire.igd import FIREWALL, NO_SUCH_PINHOLE, Call, Service

from .igd import Answers
from .lease import LIFETIME_SECONDS, Lease, Wish

_MOST_ID: Final = 0xFFFF


@dataclass(frozen=True, slots=True)
class Pinhole:
    """The firewall lets others in to a port of ours.

    Attributes:
        number: by which the router knows it, 0..65535.
        lease: what it is worth.
    """

    number: int
    lease: Lease


def firewall(services: tuple[Service, ...]) -> Service | None:
    """The service that opens pinholes."""
    return next((service for service in services if service.kind.startswith(FIREWALL)), None)


def open_pinhole(service: Service, wish: Wish, ours: str) -> Generator[Call, Answers, Pinhole]:
    """Have everybody let in to a port of ours.

    Args:
        service: of the firewall; it is to be called from `ours`.
        wish: what is asked for.
        ours: our address of the whole world, IPv6.

    Raises:
        GatewayError: the router refuses, or says what makes no sense.
    """
    said = yield Call(
        service,
        "AddPinhole",
        {
            "RemoteHost": "",
            "RemotePort": 0,
            "InternalClient": ours,
            "InternalPort": wish.port,
            "Protocol": int(wish.carrier),
            "LeaseTime": LIFETIME_SECONDS,
        },
    )
    number = said.get("UniqueID", "")
    if not (number.isascii() and number.isdigit() and len(number) <= 5 and int(number) <= _MOST_ID):
        raise GatewayError("the router gives a pinhole no number")
    return Pinhole(int(number), Lease(wish.carrier, wish.port, wish.port, ours, "UPnP"))


def keep_pinhole(service: Service, pinhole: Pinhole) -> Generator[Call, Answers, bool]:
    """Have it kept open for as long again; False where the router has forgotten it.

    Raises:
        GatewayError: the router refuses.
    """
    arguments: dict[str, str | int] = {"UniqueID": pinhole.number, "NewLeaseTime": LIFETIME_SECONDS}
    try:
        yield Call(service, "UpdatePinhole", arguments)
    except GatewayError as error:
        if error.code == NO_SUCH_PINHOLE:
            return False
        raise
    return True


def close_pinhole(service: Service, pinhole: Pinhole) -> Generator[Call, Answers, None]:
    """Let nobody in any more.

    Raises:
        GatewayError: the router refuses; it may have forgotten the pinhole by itself.
    """
    yield Call(service, "DeletePinhole", {"UniqueID": pinhole.number})
