"""Multicast in the local networks (BEP 14): one socket to hear for each address family, one to speak for each network.

Nothing is sent or heard on loopback: there is no network behind it.
"""

import asyncio
import errno
import socket
import struct
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

from bittern.base.address import Address
from bittern.engine.effects import AnnounceLocally
from bittern.wire.lsd import GROUP_V4, GROUP_V6, MAX_DATAGRAM

from . import capabilities
from .route import Route
from .sockets import family_of

HOPS = 1
"""Announces are for this network and not for those behind its routers."""
MOST_NETWORKS = 32
_AT_ONCE = 32
"""Datagrams taken in before others of the loop have their turn."""
_ALL_V4, _ALL_V6 = 49, 29  # Linux: IP_MULTICAST_ALL and IPV6_MULTICAST_ALL, which Python does not name


class Outlet:
    """A network to speak in: the socket that sends there, and the group that hears it.

    Args:
        route: how we get out.
        group: to send to.
        index: number of the interface; 0 where `host` says it.
        host: the address to send from; None for the system's choice.
    """

    def __init__(self, route: Route, group: Address, index: int, host: str | None) -> None:
        self._group = group
        self._sock = route.open(family_of(group.host), socket.SOCK_DGRAM)
        try:
            if group.is_ipv6:
                self._sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
                self._sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, HOPS)
            else:
                interface = ip_address(host).packed if host is not None else _membership(None, index)
                self._sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, interface)
                self._sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, HOPS)
            if host is not None:
                self._sock.bind((host, 0))
        except OSError:
            self._sock.close()
            raise

    def send(self, wish: AnnounceLocally) -> None:
        """Say it; a network that is down hears nothing."""
        with suppress(OSError):
            self._sock.sendto(wish.announce.encode(self._group), self._group)

    def close(self) -> None:
        """Say nothing more."""
        self._sock.close()


class Multicast:
    """The local networks of this machine, as far as peers may reach us from there (see ports.Local).

    Networks that come later are noticed with the next announce.

    Args:
        loop: that watches the sockets.
        route: how we get out.
        hosts: addresses that are listened on; wildcards for every network.
        heard: is called with each datagram and the numeric address it came from.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, route: Route, hosts: Sequence[str], heard: Callable[[bytes, str], None]
    ) -> None:
        self._loop = loop
        self._route = route
        self._heard = heard
        self._hosts = [host for host in hosts if not ip_address(host).is_loopback]
        self._ears: dict[Address, socket.socket] = {}
        self._outlets: dict[tuple[Address, int, str | None], Outlet] = {}
        self._find_networks()

    @property
    def networks(self) -> int:
        """How many networks are spoken in, each address family for itself."""
        return len(self._outlets)

    def announce(self, wish: AnnounceLocally) -> None:
        """See ports.Local."""
        self._find_networks()
        for outlet in self._outlets.values():
            outlet.send(wish)

    def close(self) -> None:
        """Leave all groups."""
        for ear in self._ears.values():
            self._loop.remove_reader(ear)
            ear.close()
        for outlet in self._outlets.values():
            outlet.close()
        self._ears.clear()
        self._outlets.clear()

    def _find_networks(self) -> None:
        binding = self._route.binding
        device = binding.device if binding is not None else None
        wanted = dict.fromkeys(place for host in self._hosts for place in _places(host, device))
        for place in [place for place in self._outlets if place not in wanted]:
            self._outlets.pop(place).close()
        for place in list(wanted)[:MOST_NETWORKS]:
            if place not in self._outlets:
                with suppress(OSError):  # an interface that knows no multicast, or is down
                    self._join(*place)
                    self._outlets[place] = Outlet(self._route, *place)

    def _join(self, group: Address, index: int, host: str | None) -> None:
        if group not in self._ears:
            self._ears[group] = ear = _listening(self._route, group)
            self._loop.add_reader(ear, self._readable, ear)
        membership = _membership(host, index, group)
        try:
            if group.is_ipv6:
                self._ears[group].setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, membership)
            else:
                self._ears[group].setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:  # it was a member before the interface went and came again
                raise

    def _readable(self, ear: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            try:
                datagram, sender = ear.recvfrom(MAX_DATAGRAM + 1)
            except OSError:
                return
            if "%" not in sender[0]:  # what is of one link alone cannot be dialed without naming the link
                self._heard(datagram, sender[0])


def _places(host: str, device: str | None = None) -> list[tuple[Address, int, str | None]]:
    """Group, interface and own address for each network that an address to listen on stands for.

    Args:
        host: the address.
        device: the only interface that is spoken by; None for all. A membership of another one would be told there.
    """
    group = GROUP_V6 if ":" in host else GROUP_V4
    there = [(index, name) for index, name in socket.if_nameindex() if not name.startswith("lo")]
    interfaces = [(index, name) for index, name in there if device in (None, name)]
    if ip_address(host).is_unspecified:
        return [(group, index, None) for index, _ in interfaces]
    if not group.is_ipv6:
        return [(group, 0, host)]
    return [(group, index, host) for index, name in interfaces if name == _interface_of(host)]


def _interface_of(host: str) -> str | None:
    """The interface that has an IPv6 address, where Linux tells it."""
    packed = ip_address(host).packed.hex()
    with suppress(OSError):
        for line in Path("/proc/net/if_inet6").read_text("ascii").splitlines():
            if line.startswith(packed):
                return line.split()[-1]
    return None


def _membership(host: str | None, index: int, group: Address = GROUP_V4) -> bytes:
    """What the system wants to know to join a group: `ipv6_mreq`, `ip_mreqn`, or `ip_mreq` for an address."""
    packed = ip_address(group.host).packed
    if group.is_ipv6:
        return packed + struct.pack("@I", index)
    if host is not None:
        return packed + ip_address(host).packed
    return packed + struct.pack("@4si", bytes(4), index)


def _listening(route: Route, group: Address) -> socket.socket:
    """A socket that hears what is sent to a group, beside those of other programs."""
    sock = route.open(family_of(group.host), socket.SOCK_DGRAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if capabilities.REUSE_PORT:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if sys.platform == "linux":
            with suppress(OSError):  # only from networks that we joined, not from those that other programs did
                level, option = (socket.IPPROTO_IPV6, _ALL_V6) if group.is_ipv6 else (socket.IPPROTO_IP, _ALL_V4)
                sock.setsockopt(level, option, 0)
        try:
            sock.bind(group)  # then nobody can send us anything but through the group
        except OSError:
            sock.bind(("", group.port))  # systems that do not know that
    except OSError:
        sock.close()
        raise
    return sock
