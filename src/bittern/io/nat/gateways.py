"""The router that the machine's default route leads to, as Linux tells it."""

import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Final

from bittern.io.sockets import place_of

ROUTES_V4: Final = Path("/proc/net/route")
ROUTES_V6: Final = Path("/proc/net/ipv6_route")
FAR6: Final = "2000::1"
"""An address of the world (RFC 4291), to which nothing is sent."""

_UP_TO_GATEWAY = 0x0003  # RTF_UP | RTF_GATEWAY
_WORLD6 = ("0" * 32, "00")


@dataclass(frozen=True, slots=True)
class Gateway:
    """A router.

    Attributes:
        host: its address in our network; an IPv6 one has its interface behind a per cent sign where it needs that.
        interface: the name of ours that leads there.
    """

    host: str
    interface: str


def default_gateway(*, ipv6: bool = False, interface: str | None = None) -> Gateway | None:
    """The router for the rest of the world; None where there is none, or the system does not tell.

    Args:
        ipv6: for which family of addresses.
        interface: look only at routes that lead through this one.
    """
    path = ROUTES_V6 if ipv6 else ROUTES_V4
    try:
        lines = path.read_text("ascii").splitlines()
    except OSError:
        return None
    found = [route for line in lines if (route := (_route6 if ipv6 else _route4)(line.split())) is not None]
    mine = [route for route in found if interface is None or route[1].interface == interface]
    return min(mine, key=lambda route: route[0], default=(0, None))[1]


def own_address(gateway: Gateway, reaching: Callable[[str, int], socket.socket]) -> str | None:
    """The address by which `gateway` knows us: what the system would send from."""
    try:
        with reaching(gateway.host, socket.SOCK_DGRAM) as sock:
            sock.connect(place_of(gateway.host, 9))  # of UDP: nothing is sent
            return str(sock.getsockname()[0])
    except OSError:
        return None


def own_address6(gateway: Gateway, reaching: Callable[[str, int], socket.socket]) -> str | None:
    """Our IPv6 address that the whole world can reach through `gateway`; None where there is none."""
    ours = own_address(Gateway(FAR6, gateway.interface), reaching)
    return ours if ours is not None and ip_address(ours.partition("%")[0]).is_global else None


def _route4(words: list[str]) -> tuple[int, Gateway] | None:
    """Metric and router of a line of /proc/net/route, if it is a default route."""
    try:
        name, there, gateway, flags, _, _, metric, mask = words[:8]
        if int(there, 16) or int(mask, 16) or int(flags, 16) & _UP_TO_GATEWAY != _UP_TO_GATEWAY:
            return None
        # A number of the machine's own byte order.
        return int(metric), Gateway(str(IPv4Address(struct.pack("=I", int(gateway, 16)))), name)
    except (ValueError, struct.error):
        return None  # the heading


def _route6(words: list[str]) -> tuple[int, Gateway] | None:
    """Likewise, of /proc/net/ipv6_route."""
    try:
        there, length, _, _, gateway, metric, _, _, flags, name = words
        if (there, length) != _WORLD6 or int(flags, 16) & _UP_TO_GATEWAY != _UP_TO_GATEWAY:
            return None
        host = IPv6Address(bytes.fromhex(gateway))
        return int(metric, 16), Gateway(f"{host}%{name}" if host.is_link_local else str(host), name)
    except ValueError:
        return None
